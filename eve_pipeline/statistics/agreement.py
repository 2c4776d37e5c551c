"""How far people agree who judged the same questions, beyond what chance makes them agree."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import polars as pl

from eve_pipeline.statistics.scores import Floats

MEASURES: Final[Mapping[str, Mapping[str, int]]] = {
    "verdict": {"model": 0, "dataset": 1, "both": 2, "neither": 3, "unsure": 4},
    "accepted": {"model": 1, "both": 1, "dataset": 0, "neither": 0},
}
"""What may be agreed on: the choice itself; or, by those who were not unsure, whether the model's answer is acceptable."""
SCHEMA: Final = {
    "study": pl.String,
    "measure": pl.String,
    "n_annotators": pl.Int64,
    "n_tasks": pl.Int64,
    "n_common_tasks": pl.Int64,
    "observed_agreement": pl.Float64,
    "krippendorff_alpha": pl.Float64,
    "fleiss_kappa": pl.Float64,
}


def annotator_agreement(verdicts: pl.DataFrame) -> pl.DataFrame:
    """Return the agreement of each study's annotators.

    Args:
        verdicts: columns study, task, annotator and verdict, a row an answer.

    Returns:
        columns study, measure (MEASURES), n_annotators, n_tasks (with answers of two or more), n_common_tasks (with answers of all),
        observed_agreement (share of pairs of answers to a task that agree, averaged over tasks), krippendorff_alpha (nominal; over
        n_tasks) and fleiss_kappa (over n_common_tasks); NULL where a figure is not defined.

    Sources: Krippendorff (2011), Computing Krippendorff's alpha-reliability; Fleiss (1971), Measuring nominal scale agreement among many
    raters, Psychological Bulletin 76(5), 378-382.
    """
    return pl.DataFrame(list(_rows(verdicts)), schema=SCHEMA, orient="row")


def _rows(verdicts: pl.DataFrame) -> Iterator[tuple[object, ...]]:
    for (study,), of_study in sorted(verdicts.partition_by("study", as_dict=True).items()):
        for measure, codes in MEASURES.items():
            coded = of_study.filter(pl.col("verdict").is_in(list(codes))).with_columns(code=pl.col("verdict").replace_strict(codes))
            if coded.height:
                yield study, measure, *_figures(coded, max(codes.values()) + 1)


def _figures(coded: pl.DataFrame, n_codes: int) -> tuple[object, ...]:
    """Return the columns of SCHEMA from n_annotators on."""
    n_annotators = coded["annotator"].n_unique()
    counts = np.zeros((coded["task"].n_unique(), n_codes))
    np.add.at(counts, (coded["task"].rank("dense").to_numpy() - 1, coded["code"].to_numpy()), 1)
    several = counts[counts.sum(axis=1) >= 2]  # noqa: PLR2004 - one answer agrees with nobody
    common = several[several.sum(axis=1) == n_annotators]
    return n_annotators, len(several), len(common), _observed(several), _alpha(several), _kappa(common)


def _observed(counts: Floats) -> float | None:
    n = counts.sum(axis=1)
    return float(np.mean((counts * (counts - 1)).sum(axis=1) / (n * (n - 1)))) if len(counts) else None


def _alpha(counts: Floats) -> float | None:
    import krippendorff

    if np.count_nonzero(counts.sum(axis=0)) < 2:  # noqa: PLR2004 - with one value, nothing could have differed
        return None
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def _kappa(counts: Floats) -> float | None:
    from statsmodels.stats.inter_rater import fleiss_kappa

    if np.count_nonzero(counts.sum(axis=0)) < 2:  # noqa: PLR2004
        return None
    return float(fleiss_kappa(counts))

"""Two cells on the same images: models with each other, prompts and personas with the plain prompt."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from eve_pipeline.statistics.bootstrap import DRAWS, FEWEST_IMAGES, percentile_interval, resample, swap_p_value
from eve_pipeline.statistics.computing import Keep, in_parallel
from eve_pipeline.statistics.gradings import SCORINGS, Grading, Kinds, affects, emotions
from eve_pipeline.statistics.scores import Counts, Floats, Score, accuracy, weighted_f1
from eve_pipeline.statistics.sheets import Sheet, Subset
from eve_pipeline.statistics.significance import holm, mcnemar_exact

BASELINE: Final = "simple"
Sides = tuple[Score, Score]
FAMILY: Final = ["kind", "dataset", "subset", "prompt", "scheme", "scoring"]
"""Tests that are corrected together: one subset, prompt and scoring; over pairs of models, or over the models that a prompt was given."""


SCHEMA: Final = (
    dict.fromkeys(["kind", "model", "other_model", "dataset", "subset", "prompt", "other_prompt", "scheme", "scoring"], pl.String)
    | {"n_pairs": pl.Int64}
    | dict.fromkeys(["value", "other_value", "delta", "ci_low", "ci_high", "p_value", "accuracy_delta", "mcnemar_p"], pl.Float64)
    | dict.fromkeys(["p_holm", "mcnemar_holm"], pl.Float64)
)


class Difference(NamedTuple):
    """The scores of both sides on the images that both have, and their difference."""

    n_pairs: int
    value: float = np.nan
    other_value: float = np.nan
    delta: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    p_value: float = np.nan


class Pair(NamedTuple):
    """Two cells of a subset, in which kind of comparison they stand, and what is compared."""

    kind: str
    sheet: Sheet
    other: Sheet
    grading: Grading

    @property
    def scorings(self) -> tuple[str, ...]:
        """Both, but for the sentiment bias, which is of answers alone."""
        return ("answered",) if self.kind == "persona" else SCORINGS

    def score(self, kinds: Kinds, scoring: str) -> Score:
        """Return what is compared."""
        return self.grading.bias(kinds) if self.kind == "persona" else self.grading.f1(weighted_f1, scoring, kinds)


def comparisons(  # noqa: PLR0913 - what is compared, and how
    subset: Subset, schemes: pl.DataFrame, personas: Mapping[str, str], keep: Keep, draws: int = DRAWS, *, easier: Collection[str] = ()
) -> pl.DataFrame:
    """Return all comparisons within a subset.

    Args:
        subset: the subset's sheets.
        schemes: affect schemes, as for `affects`.
        personas: the prompts that have a persona, each with which.
        keep: keeps what was computed once.
        draws: resampled sets of images, and swaps.
        easier: the prompts that offer fewer labels than the plain one, with which they are not compared.

    Returns:
        columns kind (model, prompt or persona), model, other_model, dataset, subset, prompt, other_prompt, scheme, scoring, n_pairs,
        value, other_value, delta (value - other_value), ci_low, ci_high, p_value (swap test), p_holm, accuracy_delta, mcnemar_p,
        mcnemar_holm. Value is the weighted F1, of kind persona the sentiment bias, which has no accuracy. NULL with fewer than two
        pairs; mcnemar_p also where an image has several answers.
    """
    frame = compare(subset, _pairs(subset, schemes, personas, easier), keep, draws)
    adjusted = [_adjusted(family) for family in frame.partition_by(FAMILY, maintain_order=True)]
    return pl.concat(adjusted or [frame])


def compare(subset: Subset, pairs: Iterable[Pair], keep: Keep, draws: int = DRAWS) -> pl.DataFrame:
    """Return one row a pair and scoring, with the columns of `comparisons` but p_holm and mcnemar_holm, which are NULL."""
    compute = keep(differences)

    def rows(pair: Pair) -> list[dict[str, object]]:
        counts, sides = _paired(subset, pair)
        cells: dict[str, object] = {
            "kind": pair.kind,
            "model": pair.sheet.model,
            "other_model": pair.other.model,
            "dataset": subset.dataset,
            "subset": subset.subset,
            "prompt": pair.sheet.prompt,
            "other_prompt": pair.other.prompt,
            "scheme": pair.grading.scheme,
        }
        found = zip(pair.scorings, sides, compute(sides, counts, draws), strict=True)
        return [cells | {"scoring": scoring} | difference._asdict() | _accuracies(*two, counts) for scoring, two, difference in found]

    compared = [row for pair in in_parallel(rows, pairs) for row in pair]
    return pl.DataFrame(compared, SCHEMA).fill_nan(None)


def _pairs(subset: Subset, schemes: pl.DataFrame, personas: Mapping[str, str], easier: Collection[str]) -> Iterator[Pair]:
    """Yield the pairs; models are compared under each prompt, prompts with the plain one for each model."""
    labels = emotions(subset)
    sentiments = [grading for grading in affects(subset, schemes) if grading.dimension == "sentiment"]
    plain = {sheet.model: sheet for sheet in subset.sheets if sheet.prompt == BASELINE}
    for sheet, other in combinations(subset.sheets, 2):
        if sheet.prompt == other.prompt:
            yield Pair("model", sheet, other, labels)
    for sheet in subset.sheets:
        if sheet.prompt not in {BASELINE, *easier} and sheet.model in plain:
            yield Pair("prompt", sheet, plain[sheet.model], labels)
            if sheet.prompt in personas:
                yield from (Pair("persona", sheet, plain[sheet.model], grading) for grading in sentiments)


def _paired(subset: Subset, pair: Pair) -> tuple[Counts, tuple[Sides, ...]]:
    """Return how many images there are of each kind, and both sides' scores for each scoring.

    Images that a scoring does not have on both sides have no weights in it; those without any are left out.
    """
    n, n_other = len(pair.sheet.answers), len(pair.other.answers)
    codes = (subset.truth * n + pair.sheet.profile) * n_other + pair.other.profile
    found, counts = np.unique(codes, return_counts=True)
    truth, profile, other_profile = found // n_other // n, found // n_other % n, found % n_other
    kinds = Kinds(truth, pair.sheet.answers[profile]), Kinds(truth, pair.other.answers[other_profile])
    sides = [tuple(pair.score(of, scoring) for of in kinds) for scoring in pair.scorings]
    on_both = np.array([first.weights.any(axis=1) & second.weights.any(axis=1) for first, second in sides])
    used = on_both.any(axis=0)
    weighted = [
        [Score(side.function, (side.weights * both[:, None])[used]) for side in two] for two, both in zip(sides, on_both, strict=True)
    ]
    return counts[used], tuple((first, second) for first, second in weighted)


def differences(sides: tuple[Sides, ...], counts: Counts, draws: int) -> list[Difference]:
    """Return, for each two scores of the same images, the difference with its percentile interval and its swap p-value.

    All come from the same resampled sets of images.
    """
    n_pairs = [int(counts[first.weights.any(axis=1)].sum()) for first, _ in sides]
    if max(n_pairs) < FEWEST_IMAGES:
        return [_difference(two, counts, n, None) for two, n in zip(sides, n_pairs, strict=True)]
    weights = [side.weights for two in sides for side in two]
    drawn = np.split(resample(counts, np.hstack(weights), draws), np.cumsum([one.shape[1] for one in weights])[:-1], axis=1)
    return [
        _difference(two, counts, n, sums) for two, n, sums in zip(sides, n_pairs, zip(drawn[::2], drawn[1::2], strict=True), strict=True)
    ]


def _difference(sides: Sides, counts: Counts, n_pairs: int, drawn: Sequence[Floats] | None) -> Difference:
    if n_pairs == 0:
        return Difference(0)
    first, second = sides
    value, other = first.of(counts), second.of(counts)
    if drawn is None or n_pairs < FEWEST_IMAGES:
        return Difference(n_pairs, value, other, value - other)
    low, high = map(float, percentile_interval(first.function(drawn[0]) - second.function(drawn[1])))
    p_value = swap_p_value(_of_one_answer(first), _of_one_answer(second), counts, len(drawn[0]))
    return Difference(n_pairs, value, other, value - other, low, high, p_value)


def _of_one_answer(side: Score) -> Score:
    """Return the score to which an image adds as much as one answer: with 24 of them on one side, swapping would not be fair."""
    n = _sum_of_third(side, 0) if side.function is weighted_f1 else side.weights[:, -1]
    return Score(side.function, side.weights / np.maximum(n, 1)[:, None])


def _accuracies(first: Score, second: Score, counts: Counts) -> dict[str, float]:
    on_both = first.weights.any(axis=1)
    if first.function is not weighted_f1 or not on_both.any():
        return {"accuracy_delta": np.nan, "mcnemar_p": np.nan}
    delta = float(accuracy(counts @ first.weights) - accuracy(counts @ second.weights))
    n_answers, n_right = (np.array([_sum_of_third(side, third) for side in (first, second)]) for third in (0, 2))
    if (n_answers[:, on_both] != 1).any() or counts[on_both].sum() < FEWEST_IMAGES:
        return {"accuracy_delta": delta, "mcnemar_p": np.nan}
    only_first, only_second = (int(counts @ (one > other)) for one, other in (n_right, n_right[::-1]))
    return {"accuracy_delta": delta, "mcnemar_p": mcnemar_exact(only_first, only_second)}


def _sum_of_third(score: Score, third: int) -> Floats:
    """Return, of support, predicted and correct, the first, second or third of each kind, summed over classes."""
    total: Floats = np.split(score.weights, 3, axis=1)[third].sum(axis=1)
    return total


def _adjusted(family: pl.DataFrame) -> pl.DataFrame:
    corrected = {"p_holm": holm(family["p_value"].to_numpy()), "mcnemar_holm": holm(family["mcnemar_p"].to_numpy())}
    return family.with_columns(pl.Series(name, values).fill_nan(None) for name, values in corrected.items())

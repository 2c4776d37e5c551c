"""Intervals of agreement with votes and with oneself, and of calibration, against scipy's bootstrap of the images."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from eve_pipeline.statistics.computing import keep_in
from eve_pipeline.statistics.image_intervals import ImageSums, image_intervals

CELL = {"model": "m", "dataset": "d", "subset": "d", "prompt": "p"}
LABELS = ("awe", "fear", "joy")
N = 80


@pytest.fixture(scope="module")
def votes() -> pl.DataFrame:
    """Each image has five votes and two answers, one of which may be none of the list."""
    random = np.random.default_rng(1)
    rows = []
    for number in range(N):
        share = random.multinomial(5, [0.5, 0.3, 0.2]) / 5
        said = random.choice([*LABELS, "__none__"], 2, p=[0.5, 0.2, 0.2, 0.1])
        for label, of in zip([*LABELS, "__none__"], [*share, 0.0], strict=True):
            n = int((said == label).sum())
            rows.append(CELL | {"image_id": f"{number}", "label": label, "support": 2 * of, "n_predicted": n, "n_correct": n * of})
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def others() -> dict[str, pl.DataFrame]:
    random = np.random.default_rng(2)
    image = [CELL | {"image_id": f"{number}"} for number in range(N)]
    confidence, right = random.choice([0.25, 0.95], N), random.random(N) < 0.6
    return {
        "distances": pl.DataFrame(
            [one | {"jensen_shannon": random.random(), "earth_movers_distance": 2 * random.random()} for one in image]
        ),
        "confidences": pl.DataFrame(
            [
                one
                | {"source": "stated", "bin": int(10 * sure), "n": 1, "confidence": sure, "n_right": int(hit), "squares": (sure - hit) ** 2}
                for one, sure, hit in zip(image, confidence, right, strict=True)
            ]
        ),
        "repeated": pl.DataFrame(
            [one | {"agreement": float(random.choice([0.0, 1 / 3, 1.0])), "is_flipped": number < 20} for number, one in enumerate(image)]
        ),
    }


@pytest.fixture(scope="module")
def found(votes: pl.DataFrame, others: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return image_intervals(ImageSums(votes, **others), keep_in(None))


def bootstrap(statistic, *columns: np.ndarray) -> tuple[float, float]:
    """scipy's percentile interval of a statistic of columns (images,)."""
    interval = stats.bootstrap(
        columns, statistic, paired=True, vectorized=False, method="percentile", n_resamples=4_000, rng=np.random.default_rng(3)
    )
    return interval.confidence_interval


def test_soft_accuracy_and_expected_f1_are_scipys(found, votes):
    images = votes.group_by("image_id", maintain_order=True).agg(pl.col("n_correct").sum(), "support", "n_predicted", correct="n_correct")
    soft = found.row(by_predicate=pl.col("metric") == "soft_accuracy", named=True)
    assert soft["estimate"] == pytest.approx(images["n_correct"].sum() / (2 * N))
    assert (soft["ci_low"], soft["ci_high"]) == pytest.approx(bootstrap(np.mean, images["n_correct"].to_numpy() / 2), abs=0.01)
    support, predicted, correct = (np.array(images[name].to_list()) for name in ("support", "n_predicted", "correct"))

    def f1(rows: np.ndarray) -> float:
        of, said, both = (sums[rows].sum(axis=0) for sums in (support, predicted, correct))
        return float(np.average(2 * both[:3] / (of + said)[:3], weights=of[:3]))

    expected = found.row(by_predicate=pl.col("metric") == "expected_f1", named=True)
    assert expected["estimate"] == pytest.approx(f1(np.arange(N)))
    assert (expected["ci_low"], expected["ci_high"]) == pytest.approx(bootstrap(f1, np.arange(N)), abs=0.01)


@pytest.mark.parametrize(
    ("metric", "table", "column"),
    [
        ("jensen_shannon", "distances", "jensen_shannon"),
        ("earth_movers_distance", "distances", "earth_movers_distance"),
        ("agreement", "repeated", "agreement"),
        ("flip_rate", "repeated", "is_flipped"),
        ("brier_score", "confidences", "squares"),
        ("accuracy", "confidences", "n_right"),
    ],
)
def test_means_over_images_are_scipys(found, others, metric, table, column):
    values = others[table][column].cast(pl.Float64).to_numpy()
    (row,) = found.filter(pl.col("bin").is_null(), metric=metric).rows(named=True)
    assert row["estimate"] == pytest.approx(values.mean())
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(bootstrap(np.mean, values), abs=0.02)


def test_calibration_has_a_row_for_each_bin_and_one_for_all(found, others):
    rows = found.filter(source="stated")
    assert rows.filter(metric="expected_calibration_error")["bin"].to_list() == [None]
    assert rows.filter(metric="accuracy")["bin"].to_list() == [None, 2, 9]
    of_bin = others["confidences"].filter(bin=9)
    (row,) = rows.filter(metric="accuracy", bin=9).rows(named=True)
    assert row["estimate"] == pytest.approx(of_bin["n_right"].mean())
    assert row["ci_low"] < row["estimate"] < row["ci_high"]


def test_a_cell_of_one_image_has_scores_and_no_interval(votes, others):
    one = [frame.filter(image_id="0") for frame in (votes, *others.values())]
    rows = image_intervals(ImageSums(*one), keep_in(None))
    assert rows.height == 9 + 2  # a row for each metric; accuracy and Brier score of the one bin too
    assert rows["estimate"].null_count() == 0
    assert rows.select("ci_low", "ci_high").null_count().row(0) == (11, 11)


def test_nothing_has_no_rows(votes, others):
    assert image_intervals(ImageSums(*(frame.clear() for frame in (votes, *others.values()))), keep_in(None)).is_empty()

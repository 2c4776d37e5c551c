from io import BytesIO

import numpy as np
import polars as pl
from PIL import Image

from eve_pipeline.hard_subset.calibration import Calibration
from eve_pipeline.hard_subset.charts import BLUE, GREEN, ORANGE, reliability_diagram, threshold_chart, training_curves
from eve_pipeline.hard_subset.shares import THRESHOLDS, sweep_thresholds

CURVES = pl.DataFrame(
    [(n, part, epoch, 2.0 / epoch, epoch / 4) for n in (0, 1) for part in ("training", "validation") for epoch in (1, 2, 3)]
    + [(0, "held out", 3, 0.9, 0.6), (1, "held out", 2, 1.1, 0.5)],
    ["training", "part", "epoch", "loss", "accuracy"],
    orient="row",
)


def has_colour(png: bytes, colour: str, width: range) -> bool:
    """Whether a PNG of the right width has pixels of a colour."""
    assert png.startswith(b"\x89PNG")
    pixels = np.asarray(Image.open(BytesIO(png)).convert("RGB"))
    assert pixels.shape[1] in width
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return bool((abs(pixels.astype(int) - wanted).max(2) < 12).any())


def test_training_curves_show_the_parts_that_there_are() -> None:
    png = training_curves(CURVES)
    assert all(has_colour(png, colour, range(1300, 1600)) for colour in (BLUE, GREEN, ORANGE))
    assert not has_colour(training_curves(CURVES.filter(pl.col("part") != "validation")), GREEN, range(1300, 1600))


def test_training_of_one_epoch_can_be_drawn() -> None:
    assert has_colour(training_curves(CURVES.filter(epoch=1)), BLUE, range(1100, 1600))


def test_reliability_diagram_shows_gaps() -> None:
    bins = pl.DataFrame({"bin": [5, 9], "n": [4, 12], "confidence": [0.37, 0.65], "accuracy": [0.2, 0.9]})
    assert has_colour(reliability_diagram(bins, Calibration(0.2, 0.4, 0.9)), ORANGE, range(700, 900))
    exact = bins.with_columns(accuracy=pl.col("confidence"))
    assert not has_colour(reliability_diagram(exact, Calibration(0, 0.4, 0.9)), ORANGE, range(700, 900))


def test_threshold_chart_frames_the_one_in_use() -> None:
    scores = pl.DataFrame({"label": ["awe", "fear"], "p_true": [0.5, 0.9], "predicted": ["awe", "fear"]})
    sweep = sweep_thresholds(scores)
    assert has_colour(threshold_chart(sweep, 0.8), ORANGE, range(1100, 1400))
    assert has_colour(threshold_chart(sweep_thresholds(scores, [*THRESHOLDS, 0.825]), 0.825), ORANGE, range(1100, 1400))
    assert not has_colour(threshold_chart(sweep, 0.81), ORANGE, range(1100, 1400))

"""What the order does in which a prompt lists the labels: over many orders of one prompt, and between two prompts with one order each."""

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
import polars as pl

from eve_pipeline.statistics.bootstrap import DRAWS, FEWEST_IMAGES, percentile_interval, resample
from eve_pipeline.statistics.computing import Keep, in_parallel, keep_in
from eve_pipeline.statistics.conditional_logit import Integers, effect_intervals
from eve_pipeline.statistics.position_test import position_test
from eve_pipeline.statistics.scores import Floats
from eve_pipeline.statistics.significance import mcnemar_exact

CELL: Final = ("model", "dataset", "subset", "prompt")
NUMBERS: Final = ("share", "expected_share", "effect", "ci_low", "ci_high", "p_value")
SCHEMA: Final = pl.Schema(
    dict.fromkeys(CELL, pl.String)
    | {"kind": pl.String, "compared_with": pl.String, "position": pl.Int64, "label": pl.String}
    | {"n_images": pl.Int64, "n_answers": pl.Int64}
    | dict.fromkeys(NUMBERS, pl.Float64)
    | {"reason": pl.String}
)


def label_order_effects(answers: pl.DataFrame, changes: pl.DataFrame, draws: int = DRAWS, keep: Keep | None = None) -> pl.DataFrame:
    """Return position and label effects of prompts asked in many orders, and changes of label shares between prompts of one order each.

    Columns as SCHEMA: what is undefined is null, and `reason` says why where it is the effect, or an end of its interval.

    Args:
        answers: model, dataset, subset, prompt, image_id, repeat, label_order (list of labels), label (null: not answered).
        changes: model, dataset, subset, prompt, compared_with, label, n_answers, n_chosen, n_chosen_before, n_images: how many images have
            so many answers on both sides, and so often that label under the prompt and under the one it is compared with.
        draws: number of resamples and permutations of each cell.
        keep: keeps the results of resampling and permuting, so that an unchanged cell costs nothing.
    """
    order = [*CELL, "image_id", "repeat", "label_order"]
    cells = answers.sort(order).partition_by(CELL, maintain_order=True)
    families = in_parallel(lambda cell: _family(cell, draws, keep or keep_in(None)), cells)
    pair = (*CELL, "compared_with", "label")
    pairs = [
        _change(rows, draws).with_columns(_keys(pair, key)) for key, rows in changes.sort(pl.all()).group_by(pair, maintain_order=True)
    ]
    found = pl.concat([pl.DataFrame(schema=SCHEMA), *families, *pairs], how="diagonal_relaxed")
    return found.select(SCHEMA.names()).cast(SCHEMA)


def _keys(names: tuple[str, ...], values: tuple[object, ...]) -> list[pl.Expr]:
    return [pl.lit(value).alias(name) for name, value in zip(names, values, strict=True)]


def _family(answers: pl.DataFrame, draws: int, keep: Keep) -> pl.DataFrame:
    """Return a row for each position, with its effect and the test of all positions, and a row for each label with its effect."""
    listed = answers["label_order"].unique().sort().to_list()
    labels = sorted(listed[0])
    positions = np.array([[order.index(label) for label in labels] for order in listed])
    answered = answers.drop_nulls("label")
    orders = _numbers([tuple(order) for order in answered["label_order"]], [tuple(order) for order in listed])
    chosen = _numbers(answered["label"].to_list(), labels)
    images, groups = (
        answered.select(pl.struct(unit).rank("dense") - 1).to_series().to_numpy() for unit in (["image_id"], ["image_id", "repeat"])
    )
    counts = np.zeros((answered["image_id"].n_unique(), *positions.shape))
    np.add.at(counts, (images, orders, chosen), 1)
    test = keep(position_test)(groups, orders, chosen, positions, draws)
    effects = keep(effect_intervals)(counts, positions, draws)
    rows = [
        _rows("label", effects, 0).with_columns(label=pl.Series(labels), n_chosen=counts.sum(axis=(0, 1)).astype(np.int64)),
        _rows("position", effects, 1).with_columns(
            position=pl.Series(range(1, len(labels) + 1)),
            n_chosen=test.counts,
            expected_share=test.expected / max(answered.height, 1),
            p_value=test.p_value,
        ),
    ]
    found = pl.concat(rows, how="diagonal").with_columns(n_images=pl.lit(len(counts)), n_answers=pl.lit(answered.height))
    return _described(found).with_columns(_keys(CELL, answers.select(CELL).row(0)))


def _rows(kind: str, effects: tuple[Floats, Floats, Floats], number: int) -> pl.DataFrame:
    """Return the effects of one kind, with their intervals."""
    effect, low, high = (numbers[number] for numbers in effects)
    return pl.DataFrame({"effect": effect, "ci_low": low, "ci_high": high}).with_columns(kind=pl.lit(kind))


def _numbers(values: Sequence[Hashable], known: Sequence[Hashable]) -> Integers:
    """Return the place of each value among the known ones."""
    places = {value: place for place, value in enumerate(known)}
    return np.array([places[value] for value in values], dtype=np.int64)


def _described(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with shares for counts, no p-value or expectation where there is none, and the reason of what is missing."""
    answered = pl.col("n_answers") > 0
    numbers = pl.col("effect", "ci_low", "ci_high", "p_value", "expected_share").fill_nan(None)
    shares = rows.with_columns(numbers).with_columns(
        share=pl.when(answered).then(pl.col("n_chosen") / pl.col("n_answers")),
        expected_share=pl.when(answered).then("expected_share"),
        p_value=pl.when(pl.col("n_images") >= FEWEST_IMAGES).then("p_value"),
    )
    return shares.with_columns(
        reason=pl.when(~answered).then(pl.lit("no answers"))
        .when(pl.col("effect").is_null() & (pl.col("n_chosen") == 0)).then(pl.lit("never chosen"))
        .when(pl.col("effect").is_null()).then(pl.lit("not identified"))
        .when(pl.col("n_images") < FEWEST_IMAGES).then(pl.lit("fewer than 2 images"))
        .when(pl.any_horizontal(pl.col("ci_low", "ci_high").is_null())).then(pl.lit("unbounded interval"))
    )  # fmt: skip


def _change(profiles: pl.DataFrame, draws: int) -> pl.DataFrame:
    """Return the row of one label: its share under the prompt and under the other one, and the difference; p is exact (McNemar).

    With several answers an image, McNemar's counts are of images that chose the label more often, and less often: a sign test.
    """
    n_images, *sums = (profiles[name].to_numpy() for name in ("n_images", "n_answers", "n_chosen", "n_chosen_before"))
    n_answers, n_chosen, n_before = (int(n_images @ values) for values in sums)
    change = sums[1] - sums[2]
    row: dict[str, object] = {
        "ci_low": None,
        "ci_high": None,
        "kind": "order",
        "n_images": int(n_images.sum()),
        "n_answers": n_answers,
        "n_chosen": n_chosen,
        "expected_share": n_before / n_answers,
        "effect": (n_chosen - n_before) / n_answers,
        "p_value": mcnemar_exact(int(n_images @ (change > 0)), int(n_images @ (change < 0))),
    }
    if n_images.sum() >= FEWEST_IMAGES:
        drawn = resample(n_images, np.column_stack([change, sums[0]]).astype(np.float64), draws)
        row["ci_low"], row["ci_high"] = percentile_interval(drawn[:, 0] / drawn[:, 1])
    return _described(pl.DataFrame([row], schema_overrides={"ci_low": pl.Float64, "ci_high": pl.Float64}))

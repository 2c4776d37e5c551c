"""What the items of a dataset's subsets are expected to hold: the rule of the hard subset, and its draw."""

from typing import Final

import polars as pl

from eve_pipeline.datasets.registry import HardSubset
from eve_pipeline.datasets.subsets import full_subset
from eve_pipeline.hard_subset.selection import Selection, draw, hard_images
from eve_pipeline.quality.checking import Check, Rule, checks

NO_SEED = "none"
PREPARE = "Materialize classifier_scores and benchmark_items of the dataset again (`eve datasets prepare`)."

ITEM_CHECKS: Final = {
    "items_unique": Rule("no image is in a subset twice", PREPARE),
    "items_have_images": Rule("every item is an image of the dataset", PREPARE),
    "full_subset_is_whole": Rule("the dataset's own subset has every image that can be scored", PREPARE),
    "hard_are_scored": Rule("every hard item has an out-of-fold score", PREPARE),
    "hard_rule_holds": Rule("the out-of-fold p_true of every hard item is below the threshold", PREPARE),
    "hard_n_as_wanted": Rule("the hard subset has the n that its entry asks for, or all hard images where there are fewer", PREPARE),
    "hard_stratification_holds": Rule("labels are drawn by largest remainder, or balanced, as the entry says", PREPARE),
    "hard_seed_recorded": Rule("the recorded seed is the entry's, or none where all hard images are in", PREPARE),
    "hard_draw_repeats": Rule("the same draw, made again, gives the same images", PREPARE),
}
"""The rules of the suite by name."""


def item_rows(items: pl.DataFrame, images: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """Return `benchmark_items` of a dataset with the sha256 and label of their images and their p_true, NULL where there is none.

    `seed` is selection_seed as text, `none` where there is none: expectations pass over NULL.
    """
    known, scored = images.select("image_id", "sha256", "label"), scores.select("image_id", "p_true")
    rows = items.join(known, on="image_id", how="left").join(scored, on="image_id", how="left")
    return rows.with_columns(seed=pl.col("selection_seed").cast(pl.String).fill_null(NO_SEED))


def items_suite(dataset: str, images: pl.DataFrame, scores: pl.DataFrame, wanted: HardSubset | None) -> list[Check]:
    """Return the checks of `item_rows` of one dataset; a dataset without a hard subset passes those about it."""
    import great_expectations.expectations as gx
    from great_expectations.expectations.row_conditions import Column

    whole = full_subset(images)["image_id"].to_list()
    expectations = {
        "items_unique": gx.ExpectCompoundColumnsToBeUnique(column_list=["subset", "image_id"]),
        "items_have_images": gx.ExpectColumnValuesToNotBeNull(column="sha256"),
        "full_subset_is_whole": gx.ExpectColumnDistinctValuesToEqualSet(
            column="image_id", value_set=whole, row_condition=Column("subset") == dataset
        ),
    }
    none = dict.fromkeys(name for name in ITEM_CHECKS if name.startswith("hard_"))
    return checks(expectations | (none if wanted is None else _hard(f"{dataset}-hard", wanted, images, scores)), ITEM_CHECKS)


def _hard(subset: str, wanted: HardSubset, images: pl.DataFrame, scores: pl.DataFrame) -> dict[str, object]:
    import great_expectations.expectations as gx
    from great_expectations.expectations.row_conditions import Column

    is_hard = {"row_condition": Column("subset") == subset}
    again = _draw(wanted, images, scores)
    n, quotas = len(again.image_ids), again.n_selected_by_label
    shares = {"values": list(quotas), "weights": [quota / max(n, 1) for quota in quotas.values()]}
    seed = NO_SEED if again.seed is None else str(again.seed)
    return {
        "hard_are_scored": gx.ExpectColumnValuesToNotBeNull(column="p_true", **is_hard),
        "hard_rule_holds": gx.ExpectColumnValuesToBeBetween(column="p_true", max_value=wanted.threshold, strict_max=True, **is_hard),
        "hard_n_as_wanted": gx.ExpectTableRowCountToBeBetween(min_value=n, max_value=n, **is_hard),
        "hard_stratification_holds": gx.ExpectColumnKLDivergenceToBeLessThan(
            column="label", partition_object=shares, threshold=1e-9, **is_hard
        )
        if n
        else None,
        "hard_seed_recorded": gx.ExpectColumnValuesToBeInSet(column="seed", value_set=[seed], **is_hard),
        "hard_draw_repeats": gx.ExpectColumnDistinctValuesToEqualSet(column="image_id", value_set=list(again.image_ids), **is_hard),
    }


def _draw(wanted: HardSubset, images: pl.DataFrame, scores: pl.DataFrame) -> Selection:
    labelled = images.drop_nulls("label").select("image_id", "label")
    return draw(hard_images(scores, wanted.threshold).join(labelled, on="image_id"), wanted.n, wanted.allocation, wanted.seed)

"""What the images of one dataset are expected to hold."""

from collections.abc import Collection
from typing import Final

import polars as pl

from eve_pipeline.datasets.duplicates import in_other_datasets
from eve_pipeline.datasets.image_file import MAX_BYTES, MAX_PIXELS, MIN_SIDE
from eve_pipeline.datasets.registry import Expected
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.quality.checking import N_EXAMPLES, Check, CheckResult, Rule, checks

MAX_IMBALANCE_NATS = 0.5
"""Kullback-Leibler divergence of the labels' shares from equal ones; ArtPhoto has 0.04 and Abstract 0.19 by their authors' counts."""
REREAD = "Read the dataset anew (`eve datasets prepare`); if it stays, it is a fault of the reader."

IMAGE_CHECKS: Final = {
    "enough_images": Rule("the dataset has images", "Correct the dataset's path."),
    "image_id_unique": Rule("no image_id is there twice, whatever its split", REREAD),
    "sha256_present": Rule("every image has a hash", REREAD),
    "sha256_is_hex": Rule("every hash is 64 hexadecimal digits", REREAD),
    "sha256_unique": Rule("no picture is there twice, whatever its split", REREAD),
    "width_usable": Rule(f"{MIN_SIDE} px wide or more, {MAX_PIXELS:,} or less", REREAD),
    "height_usable": Rule(f"{MIN_SIDE} px high or more, {MAX_PIXELS:,} or less", REREAD),
    "bytes_usable": Rule(f"1 to {MAX_BYTES:,} bytes", REREAD),
    "label_in_list": Rule("every label is in the dataset's list", "Correct the labels of the dataset's entry, or rename the class folder."),
    "every_label_present": Rule("each label of the list has an image", "See whether a class folder is absent or was renamed.", "warning"),
    "class_balance": Rule(
        f"the labels' shares are within {MAX_IMBALANCE_NATS} nats of equal ones", "Read macro F1 beside weighted F1.", "warning"
    ),
}
"""The rules of the suite by name."""
BESIDE: Final = {
    "expected_counts": Rule("a public dataset has the images that its authors count", "See rejected_images for what is lost.", "warning"),
    "files_usable": Rule(
        "no file is damaged or has a label outside the list",
        "Mend or remove the file, or rename the class folder; rejected_images lists all.",
        "warning",
    ),
    "not_in_other_datasets": Rule("no picture is in another dataset too", "Do not train on one and test on the other.", "warning"),
}
"""The rules that Great Expectations has no expectation for."""
EXPECTED, USABLE, ELSEWHERE = BESIDE
LEFT_OUT_BY_INTENT = ("duplicate", "conflicting duplicate", "placeholder", "nothing usable")
"""Reasons of rejected_images that say nothing bad of a file."""


def images_suite(labels: Labels, *, is_labelled: bool = True) -> list[Check]:
    """Return the checks of table `images` for one dataset; one without labels, with ratings only, need not have every label."""
    import great_expectations.expectations as gx

    even = {"values": list(labels), "weights": [1 / len(labels)] * len(labels)}
    expectations = {
        "enough_images": gx.ExpectTableRowCountToBeBetween(min_value=1),
        "image_id_unique": gx.ExpectColumnValuesToBeUnique(column="image_id"),
        "sha256_present": gx.ExpectColumnValuesToNotBeNull(column="sha256"),
        "sha256_is_hex": gx.ExpectColumnValuesToMatchRegex(column="sha256", regex="^[0-9a-f]{64}$"),
        "sha256_unique": gx.ExpectColumnValuesToBeUnique(column="sha256"),
        "width_usable": gx.ExpectColumnValuesToBeBetween(column="width", min_value=MIN_SIDE, max_value=MAX_PIXELS),
        "height_usable": gx.ExpectColumnValuesToBeBetween(column="height", min_value=MIN_SIDE, max_value=MAX_PIXELS),
        "bytes_usable": gx.ExpectColumnValuesToBeBetween(column="bytes", min_value=1, max_value=MAX_BYTES),
        "label_in_list": gx.ExpectColumnValuesToBeInSet(column="label", value_set=list(labels)),
        "every_label_present": gx.ExpectColumnDistinctValuesToContainSet(column="label", value_set=list(labels if is_labelled else ())),
        "class_balance": gx.ExpectColumnKLDivergenceToBeLessThan(
            column="label", partition_object=even, threshold=MAX_IMBALANCE_NATS, tail_weight_holdout=0.001
        )
        if is_labelled
        else None,
    }
    return checks(expectations, IMAGE_CHECKS)


def check_expected(images: pl.DataFrame, n_rejected: int, expected: Expected | None) -> CheckResult:
    """Compare with the counts that a public dataset's entry states; a rejected file may have had any label."""
    wanted = {} if expected is None else {"images": expected.images, **{label: (n, n) for label, n in expected.labels.items()}}
    found = {"images": images.height, **dict(images.drop_nulls("label")["label"].value_counts().iter_rows())}
    wrong = [
        f"{name}: {found.get(name, 0):,} usable and {n_rejected:,} rejected, {low:,} to {high:,} expected"
        for name, (low, high) in wanted.items()
        if not (found.get(name, 0) <= high and found.get(name, 0) + n_rejected >= low)
    ]
    message = "; ".join(wrong) or ("all as expected" if expected else "nothing is expected of it")
    return CheckResult(EXPECTED, not wrong, "warning", images.height, len(wrong), tuple(wrong[:N_EXAMPLES]), message)


def check_usable(images: pl.DataFrame, rejected: pl.DataFrame) -> CheckResult:
    """Warn of the files in table `rejected_images` that are damaged or have an unknown label; the examples name each reason and folder."""
    number = pl.int_range(pl.len()).over("reason", pl.col("path").str.replace(r"[^/]*$", ""))
    bad = rejected.filter(~pl.col("reason").is_in(LEFT_OUT_BY_INTENT)).sort("path").sort(number, maintain_order=True)
    kinds = bad["reason"].value_counts(name="n").sort("n", "reason", descending=[True, False]).iter_rows()
    return CheckResult(
        name=USABLE,
        passed=bad.is_empty(),
        severity="warning",
        n_checked=images.height + rejected.height,
        n_unexpected=bad.height,
        examples=tuple(
            f"{path}: {reason}, {detail}" for path, reason, detail in bad.select("path", "reason", "detail").head(N_EXAMPLES).iter_rows()
        ),
        message=", ".join(f"{n:,} {reason}" for reason, n in kinds) or "all can be used",
    )


def check_elsewhere(images: pl.DataFrame, others: pl.DataFrame, not_compared: Collection[str] = ()) -> CheckResult:
    """Warn of images that other datasets have too: a model that learns on one has seen them in the other.

    Args:
        images: path and sha256 of one dataset.
        others: dataset, path and sha256 of the others.
        not_compared: datasets whose images cannot be read.
    """
    unread = f"; not compared with {', '.join(not_compared)}, whose table cannot be read" if not_compared else ""
    shared = in_other_datasets(images, others)
    n, examples = shared["path"].n_unique(), shared.unique("path", keep="first", maintain_order=True).head(N_EXAMPLES)
    return CheckResult(
        name=ELSEWHERE,
        passed=shared.is_empty(),
        severity="warning",
        n_checked=images.height,
        n_unexpected=n,
        examples=tuple(f"{path}: {dataset}, {other_path}" for path, dataset, other_path in examples.iter_rows()),
        message=f"{n} of {images.height} images are in other datasets too{unread}",
    )

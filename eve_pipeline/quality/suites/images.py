"""What the images of one dataset are expected to hold."""

from typing import Final

import polars as pl

from eve_pipeline.datasets.duplicates import in_other_datasets
from eve_pipeline.datasets.image_file import MIN_SIDE
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.quality.checking import N_EXAMPLES, Check, CheckResult, Severity

IMAGE_CHECKS: Final[dict[str, Severity]] = {
    "enough_images": "error",
    "image_id_unique": "error",
    "sha256_present": "error",
    "sha256_is_hex": "error",
    "sha256_unique": "error",
    "width_usable": "error",
    "height_usable": "error",
    "label_in_list": "error",
    "every_label_present": "warning",
}
"""Severity of each check by name, known without importing Great Expectations."""
ELSEWHERE: Final = "not_in_other_datasets"


def images_suite(labels: Labels, *, min_images: int = 1, is_labelled: bool = True) -> list[Check]:
    """Return the checks of table `images` for one dataset; one without labels, with ratings only, need not have every label."""
    import great_expectations.expectations as gx

    expectations = {
        "enough_images": gx.ExpectTableRowCountToBeBetween(min_value=min_images),
        "image_id_unique": gx.ExpectColumnValuesToBeUnique(column="image_id"),
        "sha256_present": gx.ExpectColumnValuesToNotBeNull(column="sha256"),
        "sha256_is_hex": gx.ExpectColumnValuesToMatchRegex(column="sha256", regex="^[0-9a-f]{64}$"),
        "sha256_unique": gx.ExpectColumnValuesToBeUnique(column="sha256"),
        "width_usable": gx.ExpectColumnValuesToBeBetween(column="width", min_value=MIN_SIDE),
        "height_usable": gx.ExpectColumnValuesToBeBetween(column="height", min_value=MIN_SIDE),
        "label_in_list": gx.ExpectColumnValuesToBeInSet(column="label", value_set=list(labels)),
        "every_label_present": gx.ExpectColumnDistinctValuesToContainSet(column="label", value_set=list(labels if is_labelled else ())),
    }
    return [Check(name, expectations[name], severity) for name, severity in IMAGE_CHECKS.items()]


def check_elsewhere(images: pl.DataFrame, others: pl.DataFrame) -> CheckResult:
    """Warn of images that other datasets have too: a model that learns on one has seen them in the other.

    Args:
        images: path and sha256 of one dataset.
        others: dataset, path and sha256 of the others.
    """
    shared = in_other_datasets(images, others)
    n, examples = shared["path"].n_unique(), shared.unique("path", keep="first", maintain_order=True).head(N_EXAMPLES)
    return CheckResult(
        name=ELSEWHERE,
        passed=shared.is_empty(),
        severity="warning",
        n_checked=images.height,
        n_unexpected=n,
        examples=tuple(f"{path}: {dataset}, {other_path}" for path, dataset, other_path in examples.iter_rows()),
        message=f"{n} of {images.height} images are in other datasets too",
    )

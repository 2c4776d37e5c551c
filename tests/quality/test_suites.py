from typing import Any

import great_expectations.expectations as gx
import polars as pl
import pytest

from eve_pipeline.quality.checking import Check, CheckResult, run_suite
from eve_pipeline.quality.suites.answers import ANSWER_CHECKS, answers_suite
from eve_pipeline.quality.suites.images import IMAGE_CHECKS, check_elsewhere, images_suite

LABELS = ("awe", "fear")


def images(**changes: list[Any]) -> pl.DataFrame:
    good = {
        "image_id": ["a", "b", "c"],
        "sha256": [digit * 64 for digit in "abc"],
        "width": [16, 640, 16],
        "height": [480, 16, 16],
        "bytes": [1, 2, 3],
        "label": ["awe", "fear", None],
        "votes": [[{"label": "awe", "share": 1.0}]] * 3,
    }
    return pl.DataFrame(good | changes)


def answers(n: int = 20, **changes: list[Any]) -> pl.DataFrame:
    good = {
        "config_digest": ["d"] * n,
        "subset": ["s"] * n,
        "dataset": ["s"] * n,
        "image_id": [f"{i}" for i in range(n)],
        "repeat": [0] * n,
        "parser_version": ["1"] * n,
        "label": ["awe", "fear"] * (n // 2),
        "status": ["ok"] * n,
    }
    return pl.DataFrame(good | changes)


def failed(results: list[CheckResult]) -> set[str]:
    return {result.name for result in results if not result.passed}


def test_good_frames_pass_every_check() -> None:
    assert failed(run_suite(images(), images_suite(LABELS))) == set()
    assert failed(run_suite(answers(), answers_suite(LABELS, 20))) == set()


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"image_id": ["a", "a", "c"]}, {"image_id_unique"}),
        ({"sha256": ["a" * 64, None, "c" * 64]}, {"sha256_present"}),
        ({"sha256": ["a" * 64, "b" * 63, "G" * 64]}, {"sha256_is_hex"}),
        ({"sha256": ["a" * 64, "a" * 64, "c" * 64]}, {"sha256_unique"}),
        ({"width": [15, 640, 16]}, {"width_usable"}),
        ({"height": [480, 16, 1]}, {"height_usable"}),
        ({"label": ["awe", "fear", "joy"]}, {"label_in_list", "class_balance"}),
        ({"label": ["awe", "awe", None]}, {"every_label_present", "class_balance"}),
        ({"bytes": [0, 2, 3]}, {"bytes_usable"}),
        ({"sha256": ["a" * 64, "a" * 64, "c" * 64], "split": ["train", "test", "val"]}, {"sha256_unique"}),
    ],
)
def test_each_image_check_fails_on_what_breaks_it(changes: dict[str, list[Any]], broken: set[str]) -> None:
    assert failed(run_suite(images(**changes), images_suite(LABELS))) == broken


def test_too_few_images() -> None:
    assert "enough_images" in failed(run_suite(images().clear(), images_suite(LABELS)))
    assert failed(run_suite(images().clear(), images_suite(LABELS))) == {"enough_images", "every_label_present", "class_balance"}


def test_images_of_other_datasets_are_counted_once_and_shown() -> None:
    mine = images(path=["a.jpg", "b.jpg", "c.jpg"])
    rows = [("fi", "x.jpg", "a" * 64), ("fi", "y.jpg", "a" * 64), ("artphoto", "z.jpg", "c" * 64), ("fi", "w.jpg", "d" * 64)]
    others = pl.DataFrame(rows, schema=["dataset", "path", "sha256"], orient="row")
    found = check_elsewhere(mine, others)
    assert (found.name, found.passed, found.severity) == ("not_in_other_datasets", False, "warning")
    assert (found.n_checked, found.n_unexpected, found.message) == (3, 2, "2 of 3 images are in other datasets too")
    assert found.examples == ("a.jpg: fi, x.jpg", "c.jpg: artphoto, z.jpg")
    assert check_elsewhere(mine, others.tail(1)).passed


def test_ratings_only_dataset_needs_no_labels() -> None:
    ratings = images(label=[None] * 3).cast({"label": pl.String})
    assert failed(run_suite(ratings, images_suite(LABELS, is_labelled=False))) == set()


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"status": ["ok"] * 19 + ["lost"]}, {"status_known"}),
        ({"image_id": ["0", "0", *(f"{i}" for i in range(2, 20))]}, {"one_row_per_request"}),
        ({"label": [None, *["awe", "fear"] * 9, "awe"]}, {"ok_has_label"}),
        ({"label": ["joy", *["awe", "fear"] * 9, "awe"]}, {"ok_label_in_list"}),
        ({"status": ["ok"] * 17 + ["refusal", "unparseable", "unparseable"]}, {"parse_rate"}),
        ({"status": ["ok"] * 19 + ["missing"]}, {"none_missing"}),
        ({"status": ["ok"] * 19 + ["error"]}, {"none_missing"}),
        ({"label": ["awe"] * 20}, {"labels_vary"}),
    ],
)
def test_each_answer_check_fails_on_what_breaks_it(changes: dict[str, list[Any]], broken: set[str]) -> None:
    assert failed(run_suite(answers(**changes), answers_suite(LABELS, 20))) == broken


def test_parse_rate_counts_received_replies_only() -> None:
    """Of ten received replies nine can be parsed: 0.9 passes."""
    statuses = ["content_filter"] * 10 + ["ok"] * 8 + ["out_of_vocabulary", "unparseable"]
    results = {result.name: result for result in run_suite(answers(status=statuses), answers_suite(LABELS, 20))}
    assert results["parse_rate"].passed
    assert (results["parse_rate"].n_checked, results["parse_rate"].n_unexpected) == (10, 1)


def test_one_label_is_no_wonder_among_few_answers() -> None:
    assert failed(run_suite(answers(2, label=["awe", "awe"]), answers_suite(LABELS, 2))) == set()


def test_results_count_and_show_what_is_wrong() -> None:
    wrong = images(
        image_id=[f"{i}" for i in range(9)],
        **{name: [None] * 9 for name in ("sha256", "height", "votes", "bytes")},
        width=[8] * 9,
        label=["awe"] * 9,
    )
    results = {
        result.name: result
        for result in run_suite(wrong, [check for check in images_suite(LABELS) if check.name in {"width_usable", "every_label_present"}])
    }
    width = results["width_usable"]
    assert (width.n_checked, width.n_unexpected, width.message) == (9, 9, "9 of 9 rows are not as expected")
    assert width.examples == tuple(f"width=8, image_id={i}" for i in range(5))
    assert (results["every_label_present"].n_unexpected, results["every_label_present"].examples) == (1, ("absent: fear",))


def test_severities_are_known_by_name() -> None:
    for suite, rules in ((images_suite(LABELS), IMAGE_CHECKS), (answers_suite(LABELS, 1), ANSWER_CHECKS)):
        assert {check.name: check.severity for check in suite} == {name: rule.severity for name, rule in rules.items()}


def test_an_expectation_that_raises_is_an_error_not_bad_data() -> None:
    absent = Check("absent_column", gx.ExpectColumnValuesToNotBeNull(column="nowhere"))
    with pytest.raises(RuntimeError, match=r"'absent_column' could not be evaluated.*nowhere"):
        run_suite(images(), [absent])

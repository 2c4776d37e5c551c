import polars as pl
import pytest

from eve_pipeline.datasets.duplicates import PLACEHOLDER_COPIES, in_other_datasets, without_duplicates

VOTES = pl.List(pl.Struct({"label": pl.String, "share": pl.Float64}))
SCHEMA = {"path": pl.String, "sha256": pl.String, "label": pl.String, "votes": VOTES, "valence": pl.Float64, "arousal": pl.Float64}


def listed(*rows: tuple[str, str, str | None], **columns: list[object]) -> pl.DataFrame:
    """Path, content and label of each image."""
    frame = pl.DataFrame([{"path": path, "sha256": content, "label": label} for path, content, label in rows], schema=SCHEMA)
    return frame.with_columns(pl.Series(name, values, SCHEMA[name]) for name, values in columns.items())


def test_of_one_label_the_first_by_path_stays():
    images, rejected = without_duplicates(listed(("a", "1", "fear"), ("b", "1", "fear"), ("c", "2", "fear"), ("d", "1", "fear")))
    assert images["path"].to_list() == ["a", "c"]
    assert rejected.rows() == [(path, "duplicate", "same bytes and label as a") for path in ("b", "d")]
    assert images.columns == list(SCHEMA)


@pytest.mark.parametrize("other", ["awe", None])
def test_of_several_labels_none_stays(other: str | None):
    rows = listed(("a", "1", "fear"), ("b", "1", "fear"), ("c", "1", other), ("d", "2", "fear"), valence=[4, 4, 4, 4])
    images, rejected = without_duplicates(rows)
    assert images["path"].to_list() == ["d"]
    assert rejected.rows() == [
        (path, "conflicting duplicate", f"same bytes as {contrary}, another label")
        for path, contrary in (("a", "c"), ("b", "c"), ("c", "a"))
    ]


def votes(**shares: float) -> list[dict[str, object]]:
    return [{"label": label, "share": share} for label, share in shares.items()]


@pytest.mark.parametrize(
    "truths",
    [
        {"valence": [2.0, 6.0]},
        {"valence": [2.0, 2.0], "arousal": [3.0, None]},
        {"votes": [votes(awe=0.5, fear=0.5), votes(awe=0.5, anger=0.5)]},
        {"votes": [votes(awe=0.5, fear=0.5), None], "valence": [2.0, 2.0]},
    ],
)
def test_without_labels_votes_and_ratings_must_agree(truths: dict[str, list[object]]):
    images, rejected = without_duplicates(listed(("a", "1", None), ("b", "1", None), **truths))
    assert images.is_empty()
    assert rejected.rows() == [
        ("a", "conflicting duplicate", "same bytes as b, other votes or ratings"),
        ("b", "conflicting duplicate", "same bytes as a, other votes or ratings"),
    ]


def test_without_labels_the_first_of_equal_votes_and_ratings_stays():
    truths = {"votes": [votes(awe=0.5, fear=0.5)] * 2, "valence": [2.0, 2.0]}
    assert without_duplicates(listed(("a", "1", None), ("b", "1", None), **truths)).images["path"].to_list() == ["a"]


def test_under_one_label_ratings_may_differ():
    images, rejected = without_duplicates(listed(("a", "1", "awe"), ("b", "1", "awe"), valence=[2, 6]))
    assert (images["path"].to_list(), rejected["reason"].to_list()) == (["a"], ["duplicate"])


@pytest.mark.parametrize("labels", [["fear"] * PLACEHOLDER_COPIES, ["fear", "awe"] * PLACEHOLDER_COPIES])
def test_all_copies_of_a_placeholder_are_rejected(labels: list[str]):
    rows = [(f"{number:02}", "1", label) for number, label in enumerate(labels)]
    images, rejected = without_duplicates(listed(*rows, ("99", "2", "fear")))
    assert images["path"].to_list() == ["99"]
    assert rejected["reason"].unique().to_list() == ["placeholder"]
    assert rejected["detail"].unique().to_list() == [f"one of {len(labels)} files with the same bytes, the first of them 00"]


def test_one_copy_less_is_no_placeholder():
    images, rejected = without_duplicates(listed(*[(f"{n}", "1", "fear") for n in range(PLACEHOLDER_COPIES - 1)]))
    assert (images["path"].to_list(), rejected["reason"].unique().to_list()) == (["0"], ["duplicate"])


def test_one_file_that_is_listed_often_is_no_placeholder():
    images, _ = without_duplicates(listed(*[("a", "1", "fear")] * 9))
    assert images["path"].to_list() == ["a"]


def test_known_placeholders_need_no_copies():
    images, rejected = without_duplicates(listed(("a", "1", "fear"), ("b", "2", "fear")), placeholders=["1"])
    assert images["path"].to_list() == ["b"]
    assert rejected.rows() == [("a", "placeholder", "known to stand for a removed picture")]


def test_images_that_other_datasets_have_too():
    others = pl.DataFrame(
        [("z", "9", "1"), ("y", "8", "1"), ("y", "7", "3"), ("y", "6", "1")], schema=["dataset", "path", "sha256"], orient="row"
    )
    found = in_other_datasets(listed(("b", "3", "fear"), ("a", "1", "fear"), ("c", "2", "fear")), others)
    assert found.columns == ["path", "other_dataset", "other_path"]
    assert found.rows() == [("a", "y", "6"), ("a", "y", "8"), ("a", "z", "9"), ("b", "y", "7")]
    assert in_other_datasets(listed(("c", "2", "fear")), others).is_empty()

import json
from pathlib import Path

import polars as pl
import pytest

from eve_pipeline.datasets.readers.manifest import read
from eve_pipeline.errors import EveError

LABELS = ("awe", "fear")
TABLE = pl.DataFrame(
    {
        "image": ["001", "b.jpg", "c.jpg", "d.jpg"],
        "label": ["FEAR", None, None, "boredom"],
        "Awe": [9, 3, 7, 7],
        "fear": [5, 11, 7, 7],
        "valence": [1.5, 4.0, 7.0, 2.0],
        "arousal": [2, 3, None, 2],
        "split": ["train", "val", "test", None],
        "photographer": ["Ada", None, "Zoë", "Ada"],
    }
)


@pytest.fixture(params=["csv", "parquet"])
def manifest(request: pytest.FixtureRequest, tmp_path: Path):
    """Return a function that writes a frame as CSV or Parquet."""

    def write(frame: pl.DataFrame) -> Path:
        path = tmp_path / f"manifest.{request.param}"
        frame.write_csv(path) if request.param == "csv" else frame.write_parquet(path)
        return path

    return write


def test_all_columns(manifest, entry):
    images, rejected = read(manifest(TABLE), entry(rating_scale=(1, 7)), LABELS)
    assert images["path"].to_list() == ["001", "b.jpg", "c.jpg"]
    assert images["label"].to_list() == ["fear", "fear", None], "a given label goes before the votes"
    assert images["label_status"].to_list() == ["single", "single", "tie"]
    assert images["votes"].to_list()[0] == [{"label": "awe", "share": 9 / 14}, {"label": "fear", "share": 5 / 14}]
    assert images["n_votes"].to_list() == [14, 14, 14]
    assert images.select("valence", "arousal", "rating_min", "rating_max").rows()[1:] == [(4.0, 3.0, 1.0, 7.0), (7.0, None, 1.0, 7.0)]
    assert images["split"].to_list() == ["train", "val", "test"]
    assert [json.loads(text) for text in images["attributes"]] == [{"photographer": name} for name in ("Ada", None, "Zoë")]
    assert rejected.rows() == [("d.jpg", "unknown label", "'boredom' is none of the labels awe, fear")]


def test_votes_as_json(manifest, entry):
    table = pl.DataFrame({"image": ["a", "b", "c"], "votes": ['{"Fear": 0.75, "awe": 0.25}', None, '{"awe": 1, "fear": 1}']})
    images = read(manifest(table), entry(), LABELS).images
    assert images["label"].to_list() == ["fear", None, None]
    assert images["label_status"].to_list() == ["single", "none", "tie"]
    assert "attributes" not in images.columns


def test_votes_as_struct(tmp_path: Path, entry):
    pl.DataFrame({"image": ["a"], "votes": [{"awe": 2, "fear": 5}]}).write_parquet(tmp_path / "m.parquet")
    assert read(tmp_path / "m.parquet", entry(), LABELS).images.select("label", "n_votes").row(0) == ("fear", 7)


@pytest.mark.parametrize("votes", ["fear", '["fear"]', '{"boredom": 3}', '{"fear": "many"}', "3"])
def test_votes_that_cannot_be_read(manifest, entry, votes: str):
    table = pl.DataFrame({"image": ["a", "b"], "votes": ['{"fear": 3}', votes]})
    with pytest.raises(EveError, match=r"The votes of 'b' cannot be read"):
        read(manifest(table), entry(), LABELS)


def test_images_alone_have_no_label(manifest, entry):
    images = read(manifest(pl.DataFrame({"image": ["a"]})), entry(), LABELS).images
    assert images.select("label", "label_status", "votes", "n_votes").row(0) == (None, "none", None, None)


def test_columns_named_as_the_pipeline_s_own_are_attributes(manifest, entry):
    others = {"path": "p", "votes_total": 3, "label_status": "s", "n_votes": 1, "attributes": "a"}
    images = read(
        manifest(pl.DataFrame({"image": ["a"], "label": ["fear"]} | {name: [value] for name, value in others.items()})), entry(), LABELS
    ).images
    assert images.select("path", "label_status", "n_votes").row(0) == ("a", "single", None)
    assert json.loads(images["attributes"][0]) == others


def test_known_columns_are_found_whatever_their_case_and_spaces(manifest, entry):
    table = pl.DataFrame(
        {"Image ": ["001"], " Label": ["fear"], "VALENCE": [2], "Arousal": [3], "Split": ["1"], " AWE": [5], "Mood": ["x"]}
    )
    images = read(manifest(table), entry(rating_scale=(1, 7)), LABELS).images
    assert images.select("path", "label", "valence", "arousal", "split", "n_votes").row(0) == ("001", "fear", 2.0, 3.0, "1", 5)
    assert images["attributes"].to_list() == ['{"Mood":"x"}']
    assert read(manifest(pl.DataFrame({"image": ["a"], "Votes": ['{"awe": 3}']})), entry(), LABELS).images["label"].to_list() == ["awe"]


def test_two_columns_of_one_name(manifest, entry):
    with pytest.raises(EveError, match=r"cannot be read: .*image"):
        read(manifest(pl.DataFrame({"image": ["a"], "Image": ["b"]})), entry(), LABELS)


def test_no_label_is_not_an_unknown_label(manifest, entry):
    table = pl.DataFrame({"image": list("abcdef"), "label": ["fear", "", " ", "NA", "nan", None]})
    images, rejected = read(manifest(table), entry(), LABELS)
    assert images["label"].to_list() == ["fear", *[None] * 5]
    assert images["label_status"].to_list() == ["single", *["none"] * 5]
    assert rejected.is_empty()


def test_ratings_need_a_scale_and_keep_to_it(manifest, entry):
    path = manifest(TABLE.drop("label"))
    with pytest.raises(EveError, match=r"(?s)valence, arousal\) but no rating_scale.*--rating-scale 1 7"):
        read(path, entry(), LABELS)
    with pytest.raises(EveError, match=r"valence of 'c\.jpg' is 7\.0, outside 1 to 5"):
        read(path, entry(rating_scale=(1, 5)), LABELS)


def test_a_rating_that_is_no_number(manifest, entry):
    table = pl.DataFrame({"image": ["a"], "valence": ["high"]})
    with pytest.raises(EveError, match=r"cannot be read: .*valence.*high"):
        read(manifest(table), entry(rating_scale=(1, 7)), LABELS)


def test_a_label_column_that_is_no_number(manifest, entry):
    with pytest.raises(EveError, match=r"cannot be read: .*fear.*many"):
        read(manifest(pl.DataFrame({"image": ["a"], "fear": ["many"]})), entry(), LABELS)


def test_no_image_column(manifest, entry):
    with pytest.raises(EveError, match=r"Expected a column 'image' in .*; found file, label"):
        read(manifest(pl.DataFrame({"file": ["a"], "label": ["fear"]})), entry(), LABELS)


def test_a_row_without_image(manifest, entry):
    with pytest.raises(EveError, match=r"Row 1 of .* has no image"):
        read(manifest(pl.DataFrame({"image": ["a", None], "label": ["fear", "awe"]})), entry(), LABELS)


def test_a_missing_file_and_a_folder(tmp_path: Path, entry):
    (tmp_path / "ratings.csv").touch()
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(EveError, match=r"Expected a CSV or Parquet table of images at .*; found .* with ratings\.csv"):
            read(path, entry(), LABELS)


@pytest.mark.parametrize(("name", "content"), [("m.csv", b""), ("m.parquet", b"no parquet"), ("m.csv", b"image\n\xff\xfe\n")])
def test_damaged_files(tmp_path: Path, entry, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EveError, match="cannot be read"):
        read(tmp_path / name, entry(), LABELS)

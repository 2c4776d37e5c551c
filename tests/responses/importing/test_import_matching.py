"""Which image a name means: by hand, and for any way of writing a path."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_pipeline.responses.importing.matching import match_images

IMAGES = pl.DataFrame(
    {
        "image_id": ["awe/0.jpg", "awe/1.jpg", "fear/0.jpg", "deep/er/2.png", "7"],
        "path": ["awe/0.jpg", "awe/1.jpg", "fear/0.jpg", "deep/er/2.png", "numbered/x7.jpg"],
    }
)
REJECTED = pl.DataFrame({"path": ["awe/twin.jpg"], "reason": ["duplicate"]})


def match(*names: str | None, wanted: pl.DataFrame = IMAGES) -> list[tuple[str | None, str | None]]:
    rows = pl.DataFrame({"image": names, "problem": [None] * len(names)}, schema={"image": pl.String, "problem": pl.String})
    return match_images(rows, IMAGES, wanted.select("image_id"), REJECTED).select("image_id", "problem").rows()


@pytest.mark.parametrize(
    ("name", "image_id"),
    [
        ("7", "7"),
        ("awe/0.jpg", "awe/0.jpg"),
        ("./awe/0.jpg", "awe/0.jpg"),
        ("/data/photos/fear/0.jpg", "fear/0.jpg"),
        ("C:\\photos\\fear\\0.jpg", "fear/0.jpg"),
        ("1.jpg", "awe/1.jpg"),
        ("awe/0", "awe/0.jpg"),
        ("awe/0.png", "awe/0.jpg"),
        ("2", "deep/er/2.png"),
        ("elsewhere/x7.jpg", "7"),
    ],
)
def test_a_name_finds_its_image(name: str, image_id: str):
    assert match(name) == [(image_id, None)]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("0.jpg", "means 2 images"),
        ("0", "means 2 images"),
        ("absent.jpg", "no image of that name"),
        ("fear/1.jpg", "no image of that name"),  # the dataset has a folder fear, without this picture
        ("awe/twin.jpg", "the dataset rejected it: duplicate"),
        (None, "names no image"),
    ],
)
def test_a_name_that_finds_none_says_why(name: str | None, problem: str):
    ((image_id, told),) = match(name)
    assert image_id is None
    assert (told or "").startswith(problem)


def test_an_image_outside_the_subset_is_told_from_an_unknown_one():
    assert match("awe/1.jpg", "fear/0.jpg", wanted=IMAGES.head(2)) == [("awe/1.jpg", None), (None, "not in the subset")]


def test_two_files_of_one_name_are_not_both_the_same_image():
    assert match("one/x7.jpg", "two/x7.jpg", "one/x7.jpg") == [(None, "2 names agree with numbered/x7.jpg by the file's name alone")] * 3


def test_a_damaged_row_keeps_its_own_problem_and_rows_keep_their_order():
    rows = pl.DataFrame({"number": [1, 2, 3], "image": ["fear/0.jpg", None, "7"], "problem": [None, "damaged", None]})
    matched = match_images(rows, IMAGES, IMAGES, REJECTED)
    assert matched.select("number", "image_id", "problem").rows() == [(1, "fear/0.jpg", None), (2, None, "damaged"), (3, "7", None)]


parts = st.text("abc01.", min_size=1, max_size=4).filter(lambda part: part.strip(".") != "")


@given(st.lists(st.lists(parts, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8, unique=True), st.data())
def test_a_path_finds_itself_and_below_another_folder_itself_or_nothing(paths: list[str], data: st.DataObject):
    images = pl.DataFrame({"image_id": [f"#{n}" for n in range(len(paths))], "path": paths})
    number = data.draw(st.integers(0, len(paths) - 1))
    rows = pl.DataFrame({"image": [paths[number]], "problem": [None]}, schema={"image": pl.String, "problem": pl.String})
    assert match_images(rows, images, images, REJECTED.clear())["image_id"].to_list() == [f"#{number}"]
    absolute = rows.with_columns(image=pl.concat_str(pl.lit("/root/of/all/"), "image"))
    found = match_images(absolute, images, images, REJECTED.clear())
    assert found["image_id"].to_list() == [f"#{number}"] or found["problem"][0] is not None

"""The drawn dataset: its layout, its votes, and that a drawing is whole, repeatable and never drawn twice."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eve_pipeline.datasets.drawing import EMOTIONS, STYLES, VOTES, draw_dataset, draw_picture
from eve_pipeline.errors import EveError

HEADER = "'','Amusement','Anger','Awe','Content','Disgust','Excitement','Fear','Sad'"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def votes(folder: Path) -> list[list[int]]:
    with (folder / "ABSTRACT_groundTruth.csv").open(newline="") as file:
        return [[int(count) for count in row[1:]] for row in list(csv.reader(file, quotechar="'"))[1:]]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets") / "sample"
    draw_dataset(folder, seed=7, per_emotion=2)
    return folder


def test_layout_is_that_of_the_abstract_dataset(drawn):
    lines = (drawn / "ABSTRACT_groundTruth.csv").read_text().splitlines()
    assert lines[0] == HEADER
    assert [line.split(",")[0] for line in lines[1:]] == [f"'abstract_{number:04}.jpg'" for number in range(1, 17)]
    with Image.open(drawn / "abstract_0016.jpg") as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (256, 256))


def test_every_picture_has_all_its_votes(drawn):
    assert [sum(counts) for counts in votes(drawn)] == [VOTES] * 16


def test_same_seed_same_bytes_and_another_seed_other_pictures(drawn, tmp_path):
    draw_dataset(tmp_path / "again", seed=7, per_emotion=2)
    draw_dataset(tmp_path / "other", seed=8, per_emotion=2)
    assert contents(tmp_path / "again") == contents(drawn)
    assert not set(contents(tmp_path / "other").values()) & set(contents(drawn).values())


def test_drawing_again_changes_nothing(drawn):
    before = {path.name: path.stat().st_mtime_ns for path in drawn.iterdir()}
    draw_dataset(drawn, seed=7, per_emotion=2)
    assert {path.name: path.stat().st_mtime_ns for path in drawn.iterdir()} == before


def test_other_parameters_replace_the_drawing(tmp_path):
    draw_dataset(tmp_path / "sample", seed=7, per_emotion=2)
    draw_dataset(tmp_path / "sample", seed=7, per_emotion=1)
    assert len(votes(tmp_path / "sample")) == len(list((tmp_path / "sample").glob("*.jpg"))) == 8


def test_what_a_killed_draw_left_is_cleared_away(drawn, tmp_path):
    left = tmp_path / ".sample.partial"
    left.mkdir()
    (left / "abstract_9999.jpg").write_bytes(b"half a picture")
    draw_dataset(tmp_path / "sample", seed=7, per_emotion=2)
    assert contents(tmp_path / "sample") == contents(drawn)
    assert not left.exists()


def test_a_failing_draw_leaves_no_folder(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        draw_dataset(tmp_path / "sample", seed=7, per_emotion=1)
    assert not (tmp_path / "sample").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(EveError, match="not a drawn dataset"):
        draw_dataset(tmp_path, seed=7, per_emotion=1)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_sample_dataset_has_sixty_or_more_pictures_of_each_emotion_and_a_few_ties(tmp_path, monkeypatch):
    """The votes do not depend on the painting, so it is left out here."""
    monkeypatch.setattr("eve_pipeline.datasets.drawing._paint", lambda *_: Image.new("RGB", (1, 1)))
    draw_dataset(tmp_path / "sample", seed=7, per_emotion=64)
    rows = votes(tmp_path / "sample")
    winners = Counter(EMOTIONS[counts.index(max(counts))] for counts in rows if counts.count(max(counts)) == 1)
    assert winners == {
        "amusement": 61, "anger": 61, "awe": 60, "contentment": 66, "disgust": 64, "excitement": 60, "fear": 63, "sadness": 62,
    }  # fmt: skip
    assert len(rows) - winners.total() == 15


def test_vote_shares_follow_the_mix():
    shares = draw_picture("anger", "fear", 0.25, np.random.default_rng(0)).vote_shares
    assert dict(zip(EMOTIONS, shares.round(4).tolist(), strict=True)) == {
        "amusement": 0.0125, "anger": 0.6875, "awe": 0.0125, "contentment": 0.0125,
        "disgust": 0.0125, "excitement": 0.0125, "fear": 0.2375, "sadness": 0.0125,
    }  # fmt: skip


def test_emotions_are_painted_in_their_own_colours():
    """Mean colours: anger red, disgust green before blue, contentment light, fear dark, sadness blue."""
    red, green, blue, light = {}, {}, {}, {}
    for emotion in EMOTIONS:
        pictures = [draw_picture(emotion, STYLES[emotion].neighbours[0], 0.0, np.random.default_rng(seed)).image for seed in range(8)]
        red[emotion], green[emotion], blue[emotion] = np.mean([np.asarray(picture) for picture in pictures], axis=(0, 1, 2))
        light[emotion] = (red[emotion] + green[emotion] + blue[emotion]) / 3
    assert red["anger"] > 2 * max(green["anger"], blue["anger"])
    assert green["disgust"] > 1.3 * blue["disgust"]
    assert blue["sadness"] > red["sadness"]
    assert min(light, key=light.__getitem__) == "fear"
    assert light["contentment"] > 2 * light["fear"]

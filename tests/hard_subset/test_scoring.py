import hashlib
import io
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from rich.progress import Progress

from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.classifiers import Classifier
from eve_pipeline.hard_subset.folds import split_folds
from eve_pipeline.hard_subset.pictures import decode_pictures
from eve_pipeline.hard_subset.scoring import out_of_fold_scores
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.contract import contracts

COLOURS = {"anger": (200, 30, 30), "sadness": (30, 30, 200)}
TINY = Classifier(
    key="tiny",
    model="vit_tiny_patch16_224",
    model_args={"img_size": 16, "patch_size": 8, "depth": 1, "embed_dim": 16, "num_heads": 1},
    image_size=16,
    optimizer="adamw",
    learning_rate=0.01,
    epochs=6,
    batch_size=8,
    folds=3,
    augment=True,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("colours")


@pytest.fixture(scope="module")
def images(root: Path) -> pl.DataFrame:
    """Twelve red pictures of anger, twelve blue ones of sadness, one without a label; two red files hold the same picture."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(25):
        label = [*COLOURS][n % 2] if n < 24 else None
        noise = rng.normal(COLOURS.get(label or "", (90, 90, 90)), 25, (20, 30, 3)).clip(0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, "PNG")
        data = (root / "00.png").read_bytes() if n == 2 else buffer.getvalue()
        (root / f"{n:02d}.png").write_bytes(data)
        rows.append(
            {"dataset": "d", "image_id": f"{n:02d}", "path": f"{n:02d}.png", "sha256": hashlib.sha256(data).hexdigest(), "label": label}
        )
    return pl.DataFrame(rows)


def score(images: pl.DataFrame, root: Path, home: Path, **changes: object) -> pl.DataFrame:
    """Score with a tiny classifier, anew each time."""
    scores, _ = out_of_fold_scores(images, root, TINY.model_copy(update=changes), Settings(home=home, device="cpu"))
    shutil.rmtree(home / "cache" / "trainings")
    return scores


def test_learns_and_keeps_the_contract(images: pl.DataFrame, root: Path, tmp_path: Path) -> None:
    scores = score(images, root, tmp_path)
    conformed = contracts()["classifier_scores"].conform(scores)
    assert conformed["image_id"].to_list() == [f"{n:02d}" for n in range(24)]
    assert conformed["classifier"].unique().to_list() == [TINY.identity]
    assert conformed["p_true"].min() > 0.5
    assert conformed["predicted"].to_list() == ["anger", "sadness"] * 12
    assert (conformed["p_predicted"] == conformed["p_true"]).all()
    shares = conformed["probabilities"].list.eval(pl.element().struct.field("probability")).list.sum()
    assert shares.to_list() == pytest.approx([1] * 24)
    assert conformed["probabilities"].list.first().struct.field("label").unique().to_list() == ["anger"]
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_the_same_scores_whatever_the_order_of_rows_and_others_for_another_seed(images: pl.DataFrame, root: Path, tmp_path: Path) -> None:
    state = torch.random.get_rng_state()
    scores = score(images, root, tmp_path)
    assert scores.equals(score(images.reverse(), root, tmp_path))
    assert not scores.equals(score(images, root, tmp_path, seed=1))
    assert torch.equal(state, torch.random.get_rng_state())


def test_progress_reaches_its_end(images: pl.DataFrame, root: Path, tmp_path: Path) -> None:
    with Progress(disable=True) as progress:
        out_of_fold_scores(images, root, TINY, Settings(home=tmp_path), progress)
    assert progress.finished


def test_each_image_is_held_out_once_and_duplicates_together(images: pl.DataFrame) -> None:
    labelled = images.filter(pl.col("label").is_not_null())
    folds = split_folds(labelled, TINY)
    assert len(folds) == 3
    assert sorted(np.concatenate([fold.held_out for fold in folds])) == [*range(24)]
    for fold in folds:
        assert not set(labelled["sha256"][fold.train]) & set(labelled["sha256"][fold.held_out])
        assert 3 <= labelled["label"][fold.held_out].to_list().count("anger") <= 5


def test_single_split_scores_a_fifth(images: pl.DataFrame) -> None:
    labelled = images.filter(pl.col("label").is_not_null())
    [fold] = split_folds(labelled, TINY.model_copy(update={"split": "single_80_20", "folds": 5}))
    assert 4 <= len(fold.held_out) <= 6
    assert sorted([*fold.train, *fold.held_out]) == [*range(24)]


def test_a_label_with_fewer_images_than_folds_is_scored(images: pl.DataFrame) -> None:
    """Abstract has three pictures of anger for five folds."""
    rare = images.filter((pl.col("label") == "sadness") | pl.col("image_id").is_in(["04", "06"]))
    folds = split_folds(rare, TINY.model_copy(update={"folds": 5}))
    assert len(folds) == 5
    assert all("anger" in rare["label"][fold.train].to_list() for fold in folds)


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        ([], "at least two labels; there are 0"),
        (["00", "04"], "there are 1"),
        (["01", "03", "00"], "'anger' has too few"),
        (["01", "03", "00", "02"], "'anger' has too few"),
    ],
)
def test_too_few_images(images: pl.DataFrame, ids: list[str], complaint: str) -> None:
    with pytest.raises(EveError, match=complaint):
        split_folds(images.filter(pl.col("image_id").is_in(ids)), TINY)


def test_two_of_each_are_enough(images: pl.DataFrame) -> None:
    folds = split_folds(images.filter(pl.col("image_id").is_in(["01", "03", "04", "06"])), TINY)
    assert sorted(np.concatenate([fold.held_out for fold in folds])) == [0, 1, 2, 3]


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "CMYK", "RGBA", "I;16"])
def test_colour_modes_decode(tmp_path: Path, mode: str) -> None:
    image = Image.new("L", (40, 20), 255) if mode == "I;16" else Image.new("RGB", (40, 20), "white")
    image.convert("I;16" if mode == "I;16" else mode).save(tmp_path / "white.tif")
    pictures = decode_pictures([tmp_path / "white.tif"], 8)
    assert pictures.shape == (1, 3, 8, 8)
    assert pictures.dtype == np.uint8


def test_jpegs_are_squeezed_to_a_square(tmp_path: Path) -> None:
    halves = Image.new("RGB", (400, 100), "red")
    halves.paste("blue", (200, 0, 400, 100))
    halves.save(tmp_path / "halves.jpg", quality=95)
    [picture] = decode_pictures([tmp_path / "halves.jpg"], 16)
    assert picture[0, :, 2].min() > 240
    assert picture[2, :, 13].min() > 240


def test_unreadable_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(EveError, match=r"broken\.jpg cannot be read"):
        decode_pictures([tmp_path / "broken.jpg"], 8)


def test_too_little_disk_is_told_before_decoding(tmp_path: Path) -> None:
    with pytest.raises(EveError, match=r"need 201,326\.6 GB in .*GB are free\n.*EVE_HOME"):
        decode_pictures([tmp_path / "absent.jpg"] * 1_000_000, 8192, scratch=tmp_path)


def test_validation_part_is_taken_from_the_training_images(images: pl.DataFrame) -> None:
    labelled = images.filter(pl.col("label").is_not_null())
    plain = split_folds(labelled, TINY)
    for before, fold in zip(plain, split_folds(labelled, TINY.model_copy(update={"patience": 2, "validation_share": 0.25})), strict=True):
        assert np.array_equal(before.held_out, fold.held_out)
        assert sorted([*fold.train, *fold.validation]) == sorted(before.train)
        assert 3 <= len(fold.validation) <= 5
        assert not set(labelled["sha256"][fold.train]) & set(labelled["sha256"][fold.validation])
        assert set(labelled["label"][fold.validation]) == set(COLOURS)


def test_a_label_keeps_its_only_training_picture(images: pl.DataFrame) -> None:
    rare = images.filter((pl.col("label") == "sadness") | pl.col("image_id").is_in(["04", "06"]))
    for seed in range(5):
        for fold in split_folds(rare, TINY.model_copy(update={"patience": 1, "validation_share": 0.5, "seed": seed})):
            assert "anger" in rare["label"][fold.train].to_list()


def test_one_picture_a_label_cannot_be_validated(images: pl.DataFrame) -> None:
    few = images.filter(pl.col("image_id").is_in(["01", "03", "04", "06"]))
    with pytest.raises(EveError, match="early stopping needs"):
        split_folds(few, TINY.model_copy(update={"patience": 1}))


def test_kept_weights_of_folds_are_trained_once_more_on_all(images: pl.DataFrame) -> None:
    labelled = images.filter(pl.col("label").is_not_null())
    *folds, last = split_folds(labelled, TINY.model_copy(update={"keep_weights": True}))
    assert len(folds) == 3
    assert (len(last.train), len(last.held_out)) == (24, 0)
    single = TINY.model_copy(update={"keep_weights": True, "split": "single_80_20", "folds": 5})
    assert len(split_folds(labelled, single)) == 1


def test_divergence_is_told(images: pl.DataFrame, root: Path, tmp_path: Path) -> None:
    with pytest.raises(EveError, match=r"'tiny' diverged in epoch \d\nLower learning_rate"):
        score(images, root, tmp_path, optimizer="sgd", learning_rate=1e20, batch_size=4)

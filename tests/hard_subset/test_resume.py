"""A scoring that was killed goes on, and ends as if nothing had happened."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from PIL import Image
from rich.progress import Progress, TaskID

from eve_pipeline.errors import EveError
from eve_pipeline.hard_subset.checkpoints import Checkpoints
from eve_pipeline.hard_subset.classifiers import Classifier
from eve_pipeline.hard_subset.networks import build_network
from eve_pipeline.hard_subset.scoring import OutOfFold, out_of_fold_scores
from eve_pipeline.settings import Settings

EPOCHS, FOLDS = 4, 3
N_BATCHES = 2 * EPOCHS * FOLDS
TINY = Classifier(
    key="tiny",
    model="vit_tiny_patch16_224",
    model_args={"img_size": 16, "patch_size": 8, "depth": 1, "embed_dim": 16, "num_heads": 1},
    image_size=16,
    dropout=0.3,
    optimizer="adamw",
    learning_rate=0.01,
    epochs=EPOCHS,
    batch_size=8,
    folds=FOLDS,
    augment=True,
)
CHILD = """
import sys
from pathlib import Path
import polars as pl, torch
torch.set_num_threads(1)
from eve_pipeline.hard_subset.checkpoints import Checkpoints
from eve_pipeline.hard_subset.classifiers import Classifier
from eve_pipeline.hard_subset.scoring import out_of_fold_scores
from eve_pipeline.settings import Settings
home, root = Path(sys.argv[1]), Path(sys.argv[2])
classifier = Classifier.model_validate_json((root / "classifier.json").read_text())
images = pl.read_parquet(root / "images.parquet")
out_of_fold_scores(images, root, classifier, Settings(home=home, device="cpu", workers=1))
"""


class StoppedError(Exception):
    """The end of a process, as far as files are concerned."""


class Stopping(Progress):
    """A progress bar that stops the work after so many batches."""

    def __init__(self, n_batches: int) -> None:
        super().__init__(disable=True)
        self.left = n_batches

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self.left -= 1
        if self.left == 0:
            raise StoppedError


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def images(root: Path) -> pl.DataFrame:
    random = np.random.default_rng(0)
    for n in range(24):
        Image.fromarray(random.integers(0, 255, (20, 20, 3), np.uint8)).save(root / f"{n:02}.png")
    rows = [{"dataset": "d", "image_id": f"{n:02}", "path": f"{n:02}.png", "sha256": f"{n:064}", "label": "af"[n % 2]} for n in range(24)]
    return pl.DataFrame(rows)


def score(images: pl.DataFrame, root: Path, home: Path, classifier: Classifier = TINY, progress: Progress | None = None) -> OutOfFold:
    return out_of_fold_scores(images, root, classifier, Settings(home=home, device="cpu", workers=1), progress)


def same(one: OutOfFold, other: OutOfFold) -> bool:
    """Whether scores and curves are equal to the last bit."""
    return one.scores.equals(other.scores) and one.curves.equals(other.curves)


@pytest.mark.parametrize(
    "options", [{}, {"optimizer": "sgd", "momentum": 0.9, "patience": 1, "class_weights": "balanced", "keep_weights": True}]
)
@budget(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stops=st.lists(st.integers(1, N_BATCHES), min_size=1, max_size=3))
def test_resumes_after_any_batch(
    images: pl.DataFrame, root: Path, tmp_path_factory: pytest.TempPathFactory, options: dict[str, object], stops: list[int]
) -> None:
    classifier = Classifier.model_validate(TINY.model_dump(exclude_unset=True) | options)
    whole = score(images, root, tmp_path_factory.mktemp("whole"), classifier)
    home = tmp_path_factory.mktemp("stopped")
    for n_batches in stops:
        with contextlib.suppress(StoppedError):
            score(images, root, home, classifier, Stopping(n_batches))
        torch.manual_seed(n_batches)
    assert same(score(images, root, home, classifier), whole)


def test_each_epoch_and_each_training_is_kept(images: pl.DataFrame, root: Path, tmp_path: Path) -> None:
    """Two batches an epoch: stopped in the first of the third epoch of the second fold, two epochs of that fold are kept."""
    with pytest.raises(StoppedError):
        score(images, root, tmp_path, progress=Stopping(2 * EPOCHS + 1 + 5))
    [folder] = tmp_path.glob("cache/trainings/d/*")
    first, second = (Checkpoints(folder).load(f"training-{fold}") for fold in (0, 1))
    assert first is not None
    assert second is not None
    assert len(first["done"]["trained"]) == EPOCHS
    assert len(second["trained"]) == 2


def test_resumes_after_kill(images: pl.DataFrame, root: Path, tmp_path: Path) -> None:
    """SIGKILL once in each fold, as soon as it has finished an epoch, at whatever instruction that finds."""
    slow = TINY.model_copy(update={"epochs": 40})
    (root / "classifier.json").write_text(slow.model_dump_json())
    images.write_parquet(root / "images.parquet")
    for fold in range(FOLDS):
        command = [sys.executable, "-c", CHILD, str(tmp_path / "killed"), str(root)]
        child = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        while not list((tmp_path / "killed").glob(f"cache/trainings/d/*/training-{fold}.pt")):
            assert child.poll() is None, "the child ended before it could be killed"
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert same(score(images, root, tmp_path / "killed", slow), score(images, root, tmp_path / "whole", slow))


def written(home: Path) -> dict[Path, int]:
    """When each state was written."""
    return {file: file.stat().st_mtime_ns for file in home.glob("cache/trainings/d/*/*")}


def test_only_the_same_scoring_goes_on(images: pl.DataFrame, root: Path, tmp_path: Path) -> None:
    score(images, root, tmp_path)
    before = written(tmp_path)
    assert len(before) == FOLDS
    score(images.reverse(), root, tmp_path)
    assert written(tmp_path) == before
    is_first = pl.when(pl.col("image_id") == "00")
    others = {
        "another classifier": (images, TINY.model_copy(update={"dropout": 0.2})),
        "another picture": (images.with_columns(sha256=is_first.then(pl.lit("f" * 64)).otherwise("sha256")), TINY),
        "another label": (images.with_columns(label=is_first.then(pl.lit("f")).otherwise("label")), TINY),
    }
    for what, (rows, classifier) in others.items():
        score(rows, root, tmp_path, classifier)
        now = written(tmp_path)
        assert len(now) == FOLDS, what  # those of what was scored before are gone
        assert not now.keys() & before.keys(), what
        before = now


def test_what_is_done_needs_no_picture(images: pl.DataFrame, root: Path, tmp_path: Path) -> None:
    frozen = TINY.model_copy(update={"trainable": "last_layer", "augment": False})
    done = score(images, root, tmp_path, frozen)
    assert {file.name for file in written(tmp_path)} == {f"training-{fold}.pt" for fold in range(FOLDS)}
    assert same(score(images, tmp_path / "nowhere", tmp_path, frozen), done)


def test_another_version_starts_anew(images: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Settings(home=tmp_path)
    before = Checkpoints.of(["tiny@1"], images, "cpu", home)
    assert before == Checkpoints.of(["tiny@1"], images, "cpu", home)
    assert before != Checkpoints.of(["tiny@1"], images, "cuda", home)
    assert before != Checkpoints.of(["tiny@1", "other weights"], images, "cpu", home)
    monkeypatch.setattr("eve_pipeline.hard_subset.checkpoints.LIBRARIES", ("torch",))
    assert before != Checkpoints.of(["tiny@1"], images, "cpu", home)


def cut(file: bytes) -> bytes:
    return file[:100]


def with_one_bit_changed(file: bytes) -> bytes:
    place = len(file) // 2
    return file[:place] + bytes([file[place] ^ 1]) + file[place + 1 :]


@pytest.mark.parametrize("damage", [cut, with_one_bit_changed])
def test_damaged_checkpoint_is_named(images: pl.DataFrame, root: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    score(images, root, tmp_path)
    [file] = tmp_path.glob("cache/trainings/d/*/training-1.pt")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(EveError, match=r"training-1\.pt is damaged: .*\nDelete it"):
        score(images, root, tmp_path)


def test_early_stopping_takes_the_best_epoch(images: pl.DataFrame, root: Path, tmp_path: Path) -> None:
    """Labels that cannot be learnt: the loss of the validation part soon rises while that of the training part falls."""
    patient = TINY.model_copy(update={"patience": 2, "epochs": 60, "augment": False, "dropout": 0.0, "validation_share": 0.25})
    curves = score(images, root, tmp_path, patient).curves
    for fold in range(FOLDS):
        losses = curves.filter(training=fold, part="validation")["loss"].to_list()
        best = losses.index(min(losses)) + 1
        assert len(losses) == best + 2 < 60
        assert curves.filter(training=fold, part="held out")["epoch"].to_list() == [best]
        assert curves.filter(training=fold, part="training").height == len(losses)


def test_other_first_weights_under_the_same_name_start_anew(images: pl.DataFrame, root: Path, tmp_path: Path) -> None:
    file = tmp_path / "first.pth"
    overlay = {"file": str(file), "num_classes": 0}
    pretrained = TINY.model_copy(update={"pretrained": True, "model_args": TINY.model_args | {"pretrained_cfg_overlay": overlay}})
    found = []
    for seed in (0, 1, 1):
        torch.manual_seed(seed)
        torch.save(build_network(TINY, ("a", "f"))[2].state_dict(), file)
        found.append(score(images, root, tmp_path, pretrained))
    assert not found[0].scores.equals(found[1].scores)
    assert same(found[1], found[2])

"""What a scoring has done, so that a killed one goes on and a finished one is not done again.

One file a training in EVE_HOME/cache/trainings/<dataset>/<run>.
"""

import hashlib
import json
import pickle
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse

State = dict[str, Any]  # tensors, numbers and text, in lists and dictionaries: what torch.load reads without running code
VERSION = "1"
"""Raised with every change of what a training computes or of what its state holds; states of other versions are not read."""

LIBRARIES = ("numpy", "pillow", "scikit-learn", "timm", "torch", "torchvision")


class Checkpoints(NamedTuple):
    """The states of one scoring by name; whatever can change what they hold has another folder."""

    folder: Path

    @classmethod
    def of(cls, trained: Sequence[str], labelled: pl.DataFrame, device: str, settings: Settings) -> "Checkpoints":
        """Return those of what is trained (its settings, first weights and folds) on some images (dataset, image_id, sha256, label)."""
        rows = labelled.select("image_id", "sha256", "label").sort("image_id").write_csv()
        run = [VERSION, *trained, device, rows, [version(library) for library in LIBRARIES]]
        digest = hashlib.sha256(json.dumps(run).encode()).hexdigest()[:16]
        return cls(Warehouse.of(settings).trainings(labelled["dataset"][0]) / digest)

    def save(self, name: str, state: State) -> None:
        """Replace a state, whole or not at all."""
        import torch

        with replacing(self.folder / f"{name}.pt") as temporary:
            torch.save(state, temporary)

    def load(self, name: str) -> State | None:
        """Return a state, None where it was never saved; `EveError` names a damaged file."""
        import torch

        file = self.folder / f"{name}.pt"
        if not file.exists():
            return None
        try:
            with zipfile.ZipFile(file) as archive:  # whose checksums torch.load does not look at
                for record in archive.namelist():
                    archive.read(record)
            state: State = torch.load(file, map_location="cpu", weights_only=True)
        except (EOFError, LookupError, OSError, RuntimeError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile, zlib.error) as error:
            raise EveError(f"{file} is damaged: {error}", "Delete it; the training that it is of starts again.") from error
        return state

    def remove_others(self, *names: str) -> None:
        """Remove all states but those of some names, also the dataset's other scorings, which nobody goes on with."""
        for file in set(self.folder.iterdir()) - {self.folder / f"{name}.pt" for name in names}:
            file.unlink()
        for other in self.folder.parent.glob("*/"):
            if other != self.folder:
                shutil.rmtree(other, ignore_errors=True)

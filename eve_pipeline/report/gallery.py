"""Contact sheets of the images that are worth looking at, as files."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import polars as pl

from eve_pipeline.datasets.contact_sheet import Tile, captioned_sheet
from eve_pipeline.datasets.registry import dataset_entries
from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing
from eve_pipeline.pictures import image_file
from eve_pipeline.report.image_picks import CELL, FLIPS, HARDEST
from eve_pipeline.settings import Settings
from eve_pipeline.warehouse.paths import Warehouse
from eve_pipeline.warehouse.query import run_query

Form = Literal["JPEG", "PNG"]
SUFFIXES: dict[Form, str] = {"JPEG": "jpg", "PNG": "png"}
LONGEST_LABEL, LONGEST_NAME = 60, 200
CELLS = """
    select truth, predicted, n from marts.confusion
    where model = $model and subset = $subset and prompt = $prompt and ($with_right or truth <> predicted) order by n desc, truth, predicted
"""
KINDS = {
    "only_first": "only the first is right",
    "only_second": "only the second is right",
    "different_wrong": "both wrong, differently",
}


class Side(NamedTuple):
    """One side of a comparison."""

    model: str
    prompt: str


class Sheet(NamedTuple):
    """A contact sheet in the making: its file's name without suffix, its title, and the rows of a query of `image_picks`."""

    name: str
    title: str
    images: pl.DataFrame


def hardest(subset: str, prompt: str, n: int, settings: Settings) -> Iterator[Sheet]:
    """Yield one sheet of the labelled images that every model got wrong; none where there are no such images."""
    images = _ask(HARDEST, settings, subset=subset, prompt=prompt, limit=n)
    yield Sheet(f"hardest-{subset}-{prompt}", f"All models wrong: {subset}, prompt {prompt}", images)


def confusion(side: Side, subset: str, n: int, settings: Settings, *, with_right: bool = False) -> Iterator[Sheet]:
    """Yield a sheet for each cell of a model's confusion matrix, the largest first; the diagonal where it is asked for."""
    asked = {"model": side.model, "prompt": side.prompt, "subset": subset}
    cells = run_query(Warehouse.of(settings).database, CELLS, asked | {"with_right": with_right})
    for number, (truth, predicted, total) in enumerate(cells.iter_rows(), 1):
        said = "no answer" if predicted == "__none__" else predicted
        name = f"confusion-{side.model}-{subset}-{side.prompt}/{number:02}-{_plain(truth)}--{_plain(said)}"
        images = _ask(CELL, settings, **asked, truth=truth, predicted=predicted, limit=n)
        count = f"{total} answers about {images['n'][0] if images.height else 0} images"
        yield Sheet(name, f"{truth} answered {said}: {count}, {side.model}, {subset}, prompt {side.prompt}", images)


def flips(first: Side, second: Side, subset: str, n: int, settings: Settings) -> Iterator[Sheet]:
    """Yield a sheet for each way in which two sides differ on the same images."""
    sides = {"model": first.model, "prompt": first.prompt, "other_model": second.model, "other_prompt": second.prompt}
    for kind, words in KINDS.items():
        name = f"{_short(f'flips-{subset}-{first.model}-{first.prompt}-and-{second.model}-{second.prompt}')}/{kind}"
        title = f"{words}: {first.model}, {first.prompt} and {second.model}, {second.prompt} on {subset}"
        yield Sheet(name, title, _ask(FLIPS, settings, **sides, subset=subset, kind=kind, limit=n))


def write_sheets(sheets: Iterator[Sheet], folder: Path, settings: Settings, form: Form = "JPEG") -> list[Path]:
    """Write the sheets that have images to a folder, and return their files; `EveError` where none has any."""
    written = []
    for sheet in sheets:
        if sheet.images.is_empty():
            continue
        file = folder / f"{sheet.name}.{SUFFIXES[form]}"
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary:
            temporary.write_bytes(draw(sheet.images, sheet.title, settings, form))
        written.append(file)
    if not written:
        raise EveError(
            "There is no such image",
            "See `eve sql --named leaderboard` for what was asked; other models, prompts or subsets may have some.",
        )
    return written


def draw(images: pl.DataFrame, title: str, settings: Settings, form: Form = "JPEG") -> bytes:
    """Return a contact sheet of the rows of a query of `image_picks`, each with its truth, what was said, and its name."""
    entries = dataset_entries(settings)
    roots = {key: entry.root(settings) for key in images["dataset"].unique() if (entry := entries.get(key))}
    tiles = [
        Tile(
            image_file(roots.get(image["dataset"]), image["path"]),
            (f"truth: {image['label'] or 'no label'}", f"said: {', '.join(image['said'] or [])}", image["image_id"]),
        )
        for image in images.iter_rows(named=True)
    ]
    return captioned_sheet(tiles, title, form=form)


def _ask(sql: str, settings: Settings, **parameters: object) -> pl.DataFrame:
    return run_query(Warehouse.of(settings).database, sql, parameters | {"offset": 0})


def _plain(label: str) -> str:
    """Return a label as it may stand in a file's name; several may come to the same."""
    return re.sub(r"[^\w-]+", "_", label).encode(errors="replace")[:LONGEST_LABEL].decode(errors="ignore") or "_"


def _short(name: str) -> str:
    """Return a name that file systems take, whatever keys stand in it."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"

"""Emotion6 (Peng et al., CVPR 2015): images/<keyword>/<n>.jpg, and ground_truth.txt with ratings and a share of raters an emotion.

The folder is the word that was searched for and not the label. With the label list `ekman`, `neutral` is left out and the label is the
emotion with most votes of the other six.
"""

import re
from pathlib import Path

import polars as pl

from eve_pipeline.datasets.reading import Reading, image_files, match_files, require_file, with_rating_scale
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.datasets.votes import tally
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.errors import EveError

DEFAULT_LABELS = "emotion6"
GROUND_TRUTH = "ground_truth.txt"
EMOTIONS = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
_NUMBERS = ("valence", "arousal", *EMOTIONS)


def read(location: Path, entry: DatasetEntry, labels: Labels) -> Reading:
    """Read a folder with ground_truth.txt; the keyword goes to `attributes`, images that are not listed are rejected.

    Raises:
        EveError: there is no ground truth or no image, its header is another one, a row is not a name and nine numbers, a share or rating
            is not possible, the entry has no rating_scale, or a label is none of the seven emotions.
    """
    if unknown := [label for label in labels if label.casefold() not in EMOTIONS]:
        raise EveError(f"Emotion6 has no votes for {', '.join(unknown)}", "Use --labels emotion6, or --labels ekman for six classes.")
    table = _read_table(require_file(location / GROUND_TRUTH, "Emotion6's ratings and votes"))
    matched = match_files(table, image_files(location, "images/<keyword>/<n>.jpg"), GROUND_TRUTH)
    keyword = pl.col("path").str.split("/").list.get(-2, null_on_oob=True)
    rated = with_rating_scale(matched.images.select("path", "valence", "arousal"), entry)
    voted = tally(matched.images.select("path", *(pl.col(label.casefold()).alias(label) for label in labels)))
    attributes = matched.images.select(attributes=pl.struct(keyword=keyword).struct.json_encode())
    return Reading(pl.concat([rated, voted.drop("path"), attributes], how="horizontal"), matched.rejected)


def _read_table(file: Path) -> pl.DataFrame:
    """Return path (below the dataset's folder), valence, arousal and a share for each of the seven emotions."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise EveError(f"{file} is not text: {error}", "Get the file again.") from error
    names = _parse_header(lines[0] if lines else "", file)
    rows = [_parse_row(line, number, names, file) for number, line in enumerate(lines[1:], start=2) if line.strip()]
    if not rows:
        raise EveError(f"{file} lists no image", "Get the file again.")
    table = pl.DataFrame(rows, schema={"path": pl.String} | dict.fromkeys(_NUMBERS, pl.Float64), orient="row")
    path = pl.col("path").str.replace_all("\\", "/", literal=True).str.replace(r"^(\./)?(images/)?", "images/")
    return table.with_columns(path=path)


def _parse_header(line: str, file: Path) -> list[str]:
    """Return the names of the columns after the first: bracketed or separated by tabs, 'prob. anger' as 'anger'."""
    cells = re.findall(r"\[([^\]]*)\]", line) or line.split("\t")
    names = [re.sub(r"^prob\.?\s*", "", cell.strip().casefold()) for cell in cells]
    if sorted(names[1:]) != sorted(_NUMBERS):
        raise EveError(
            f"Expected the columns image_filename, valence, arousal, prob. {', prob. '.join(EMOTIONS)} in {file}; found {line.strip()!r}",
            "Get the file again, or correct the dataset's path.",
        )
    return names[1:]


def _parse_row(line: str, number: int, names: list[str], file: Path) -> tuple[str | float, ...]:
    cells = line.strip().split("\t") if "\t" in line.strip() else line.split()
    try:
        numbers = dict(zip(names, map(float, cells[1:]), strict=True))
    except ValueError as error:
        raise EveError(
            f"Line {number} of {file} is not a name and {len(names)} numbers: {line.strip()!r}", "Get the file again."
        ) from error
    return cells[0].strip(), *(numbers[name] for name in _NUMBERS)

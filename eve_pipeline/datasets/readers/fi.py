"""FI, Flickr and Instagram (You et al., AAAI 2016), in the three layouts that are passed on.

`agg/<emotion>_*.csv` without a header, rows `_, url, disagree, agree`, beside images anywhere below the folder; else folders named by
the emotion, at any depth; else files named `<emotion>_<id>.jpg`.
"""

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import polars as pl

from eve_pipeline.datasets.reading import Reading, image_files, rejections, spell_labels, spellings
from eve_pipeline.datasets.registry import DatasetEntry
from eve_pipeline.emotions.label_sets import Labels
from eve_pipeline.errors import EveError

DEFAULT_LABELS = "mikels"
SYNONYMS = {"sad": "sadness"}
_LAYOUT = "agg/<emotion>_*.csv, folders named by the emotion, or images named <emotion>_<id>.jpg"
_COLUMNS = {"_": pl.String, "url": pl.String, "disagree": pl.Int64, "agree": pl.Int64}
_NAME = pl.col("path").str.split("/").list.last()


def read(location: Path, _entry: DatasetEntry, labels: Labels) -> Reading:
    """Read whichever layout there is.

    Of the CSV files an image is kept where more agreed than disagreed. Rejected are those where not, those that several emotions were
    agreed on for, rows without a file and files without a row; `attributes` holds url, agree and disagree by emotion.

    Raises:
        EveError: there is no image, the CSV file of an emotion is missing, or a row is not as described above.
    """
    files = image_files(location, _LAYOUT)
    images, rejected = _judged(location, files.images, labels) if (location / "agg").is_dir() else _named(files.images, labels)
    return Reading(images, pl.concat([files.rejected, rejected]))


def _named(files: pl.DataFrame, labels: Labels) -> Reading:
    """Take the label from the folder or the file's name; where both name one they must agree."""
    spelling = spellings(labels, SYNONYMS)
    folder, prefix = pl.col("path").str.split("/").list.get(-2, null_on_oob=True), _NAME.str.extract(r"^([A-Za-z]+)_")
    named = {"folder": folder, "prefix": prefix}
    found = files.with_columns(
        text.str.to_lowercase().replace_strict(spelling, default=None, return_dtype=pl.String).alias(name) for name, text in named.items()
    )
    is_contradictory = (pl.col("folder") != pl.col("prefix")).fill_null(value=False)
    detail = pl.format("in the folder {}, but named {}", "folder", "prefix")
    contradictory = rejections(found.filter(is_contradictory), "contradictory label", detail)
    labelled = found.filter(~is_contradictory).select("path", label=pl.coalesce("folder", "prefix", folder, "path"))
    images, unknown = spell_labels(labelled, labels)
    return Reading(images, pl.concat([contradictory, unknown]))


def _judged(location: Path, files: pl.DataFrame, labels: Labels) -> Reading:
    judgements, no_emotion = _read_judgements(location, labels)
    images = _by_image(judgements).join(files.select(name=_NAME.str.to_lowercase(), file="path"), on="name", how="left")
    twice = images.filter(~pl.col("name").is_first_distinct())
    images = images.filter(pl.col("name").is_first_distinct())
    agreed = pl.col("agreed").list
    what = {
        "not agreed": (agreed.len() == 0, pl.format("agree and disagree: {}", "counts")),
        "contradictory label": (agreed.len() > 1, pl.format("agreed on for {}; agree and disagree: {}", agreed.join(", "), "counts")),
        "missing": ((agreed.len() == 1) & pl.col("file").is_null(), pl.format("no file {} of {} below the folder", "name", "url")),
    }
    path = pl.coalesce("file", "name").alias("path")
    bad = [rejections(images.filter(is_bad).with_columns(path), reason, detail) for reason, (is_bad, detail) in what.items()]
    kept = images.filter((agreed.len() == 1) & pl.col("file").is_not_null())
    kept = kept.select(pl.col("file").alias("path"), "attributes", label=agreed.first(), label_status=pl.lit("single"))
    same = rejections(twice.rename({"file": "path"}), "duplicate", pl.lit("another file has the same name"))
    unlisted = files.join(images, left_on="path", right_on="file", how="anti").join(same, on="path", how="anti")
    no_row = rejections(unlisted, "nothing usable", pl.lit("no row of agg/*.csv names it"))
    return Reading(kept, pl.concat([no_emotion, *bad, same, no_row]))


def _by_image(judgements: pl.DataFrame) -> pl.DataFrame:
    """Return name, url, agreed (emotions), counts (text) and attributes of every image; several rows of an emotion add up."""
    summed = judgements.group_by("name", "emotion", maintain_order=True).agg(pl.col("url").first(), pl.sum("agree", "disagree"))
    is_agreed = pl.col("agree") > pl.col("disagree")
    count = pl.format("{} {} to {}", "emotion", "agree", "disagree")
    return (
        summed.with_columns(judgements=pl.struct("emotion", "agree", "disagree"), count=count)
        .group_by("name", maintain_order=True)
        .agg(pl.col("url").first(), "judgements", agreed=pl.col("emotion").filter(is_agreed), counts=pl.col("count").str.join(", "))
        .with_columns(attributes=pl.struct("url", "judgements").struct.json_encode())
    )


def _read_judgements(location: Path, labels: Labels) -> Reading:
    """Return name, url, emotion, disagree and agree of every row; CSV files that name no emotion are rejected."""
    folder = location / "agg"
    tables = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".csv" and not file.name.startswith("."))
    paths = pl.DataFrame({"path": [f"agg/{file.name}" for file in tables]}, schema={"path": pl.String})
    prefix = _NAME.str.strip_suffix(".csv").str.split("_").list.first()
    named, rejected = spell_labels(paths.with_columns(label=prefix), labels, SYNONYMS)
    if absent := [label for label in labels if label not in named["label"]]:
        raise EveError(f"Expected {absent[0]}_*.csv in {folder}; found {len(tables)} CSV files", "Get the folder agg again.")
    rows = [_read_csv(location / path).with_columns(emotion=pl.lit(label)) for path, label in named.select("path", "label").iter_rows()]
    return Reading(pl.concat(rows).unique(maintain_order=True), rejected)


def _read_csv(file: Path) -> pl.DataFrame:
    try:
        table = pl.read_csv(file, has_header=False, infer_schema=False)
        if table.width != len(_COLUMNS):
            raise EveError(f"Expected the columns _, url, disagree, agree in {file}; found {table.width} columns", "Get the file again.")
        table = table.rename(dict(zip(table.columns, _COLUMNS, strict=True)))
        cells = table.with_columns(pl.all().str.strip_chars()).with_row_index()
        typed = cells.with_columns(pl.col(name).cast(dtype, strict=False) for name, dtype in _COLUMNS.items())
        typed = typed.with_columns(name=pl.col("url").map_elements(_file_name, return_dtype=pl.String))
    except pl.exceptions.PolarsError as error:
        raise EveError(f"{file} is not a table of judgements: {error}", "Get the file again.") from error
    wrong = typed.filter(pl.any_horizontal(pl.col("disagree", "agree", "name").is_null()))
    for index in wrong["index"]:
        raise EveError(
            f"Row {index} of {file} (from 0) is not _, url, disagree, agree: {', '.join(map(str, table.row(index)))}",
            "The file has no header, and its last two columns are numbers; get it again.",
        )
    return typed.select("name", "url", "disagree", "agree")


def _file_name(url: str) -> str | None:
    """Return the name of the file that a link leads to, or None for what is no link."""
    try:
        return PurePosixPath(unquote(urlsplit(url).path)).name.casefold() if "/" in url else None
    except ValueError:
        return None

"""Evaluation logs of inspect_ai: `.eval`, a ZIP file with a JSON file a sample, and `.json`, all in one."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from eve_pipeline.errors import EveError
from eve_pipeline.responses.importing.rows import IMAGE_NAMES, Columns, Row, as_name, as_text, field

ZSTANDARD = 93
LOCAL_HEADER_BYTES = 30
FINISHED = {"max_tokens": "length"}
"""Names of stop reasons where they are not the ones of table `responses`."""


def is_log(content: object) -> bool:
    """Return whether a JSON document is a log with its samples."""
    return isinstance(content, Mapping) and "eval" in content and isinstance(content.get("samples"), list)


def read_eval(file: Path, columns: Columns) -> Iterator[Row]:
    """Yield a row a sample and epoch of an `.eval` log.

    Raises:
        EveError: the file is damaged, or no log.
    """
    yield from _rows(_members(file), columns)


def read_json(file: Path, columns: Columns) -> Iterator[Row]:
    """Yield a row a sample and epoch of a `.json` log."""
    yield from _rows(json.loads(file.read_text(encoding="utf-8-sig"))["samples"], columns)


def _rows(samples: Iterable[Mapping[str, Any]], columns: Columns) -> Iterator[Row]:
    for number, sample in enumerate(samples, 1):
        yield _row(number, sample, columns)


def _row(number: int, sample: Mapping[str, Any], columns: Columns) -> Row:
    output = sample.get("output") or {}
    choice: Mapping[str, Any] = next(iter(output.get("choices") or ()), {})
    usage, seconds, reason = output.get("usage") or {}, output.get("time"), str(choice.get("stop_reason") or "") or None
    error = field(sample, "error.message") or (None if choice else "the log has no reply to this sample")
    said = field(sample, columns.response) if columns.response else output.get("completion")
    label = as_text(field(sample, columns.label)) if columns.label else None
    return Row(
        number=number,
        image=_image(sample, columns.image),
        text=None if error or label else as_text(said) or "",
        label=None if error else label,
        delivery="error" if error else "content_filter" if reason == "content_filter" else "received",
        error=as_text(error),
        finish_reason=FINISHED.get(reason or "", reason),
        served_model=output.get("model"),
        prompt_tokens=usage.get("input_tokens"),
        completion_tokens=usage.get("output_tokens"),
        latency_ms=None if seconds is None else seconds * 1000,
    )


def _image(sample: Mapping[str, Any], column: str | None) -> str | None:
    """Return the image's name: of the named field, else of the metadata's field with a usual name, else the sample's id.

    An id that is a number was counted out by inspect_ai and names nothing.
    """
    if column:
        return as_name(field(sample, column))
    metadata = sample.get("metadata") or {}
    usual = next((metadata[name] for name in IMAGE_NAMES if metadata.get(name) is not None), None)
    name = sample.get("id") if usual is None else usual
    return None if usual is None and isinstance(name, int) else as_name(name)


def _members(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with zipfile.ZipFile(file) as archive, file.open("rb") as raw:
            samples = [member for member in archive.infolist() if member.filename.startswith("samples/")]
            if not samples:
                raise EveError(f"{file} holds no samples", "Give a log that inspect_ai wrote with log_samples on.")
            for member in samples:
                yield json.loads(_zstandard(raw, member) if member.compress_type == ZSTANDARD else archive.read(member))
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise EveError(
            f"{file} is no readable .eval log: {error}", "Convert it with `inspect log convert`, or give its .json form."
        ) from error


def _zstandard(raw: io.BufferedReader, member: zipfile.ZipInfo) -> bytes:
    """Return a member's content; zipfile itself reads Zstandard from Python 3.14 on."""
    import pyarrow as pa

    raw.seek(member.header_offset)
    header = raw.read(LOCAL_HEADER_BYTES)
    raw.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), io.SEEK_CUR)
    content: bytes = pa.CompressedInputStream(io.BytesIO(raw.read(member.compress_size)), "zstd").read()
    return content

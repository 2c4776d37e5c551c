"""Sample logs of lmms-eval (`--log_samples`): one record a document, with the replies to it; as lmms-eval 0.7 and earlier write them."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from eve_pipeline.responses.importing.rows import IMAGE_NAMES, Columns, Row, field, unknown
from eve_pipeline.responses.importing.table import LOOKED_AT, paths, records

NUMBER, MEDIA = "doc_id", "input_media"


def is_log(record: object) -> bool:
    """Return whether a record is one of a sample log."""
    return isinstance(record, Mapping) and NUMBER in record and bool(record.keys() & {"resps", "filtered_resps"})


def read(file: Path, columns: Columns) -> Iterator[Row]:
    """Yield a row a reply, as it came (`resps`, left out of the log where nothing was filtered), else as filtered (`filtered_resps`).

    The image is named by a field of the document with a usual name, else by the first of `input_media`; doc_id is a mere place in a list.

    Raises:
        EveError: there is no such field; those found are listed.
    """
    first = [record for _, record in islice(records(file), LOOKED_AT) if isinstance(record, Mapping)]
    seen = {name for record in first for name in paths(record)}
    usual = next((name for name in (*(f"doc.{name}" for name in IMAGE_NAMES), MEDIA) if name in seen), None)
    if columns.image is None and usual is None:
        raise unknown("image or image_id", "--image-column", sorted(seen), str(file))
    for number, record in records(file):
        if isinstance(record, str):
            yield Row(number, problem=record)
            continue
        image = next(_flat(field(record, str(columns.image or usual))), None)
        named = columns.response or columns.label
        replies = [field(record, named)] if named else list(_replies(record)) or [None]
        for place, reply in enumerate(replies):
            row = Row.of(number, image, **{"label" if columns.label else "text": reply})
            yield row._replace(**_tokens(record, place))


def _replies(record: Mapping[str, Any]) -> Iterator[object]:
    """Yield what the model said: a reply, or a list of requests of lists of replies."""
    for name in ("resps", "filtered_resps"):
        if replies := list(_flat(record.get(name))):
            yield from replies
            return


def _tokens(record: Mapping[str, Any], place: int) -> dict[str, Any]:
    counts = next(islice(record.get("token_counts") or (), place, None), None) or {}
    return {"prompt_tokens": counts.get("input_tokens"), "completion_tokens": counts.get("output_tokens")}


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for part in value:
            yield from _flat(part)
    elif value is not None:
        yield value

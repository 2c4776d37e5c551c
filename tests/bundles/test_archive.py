"""A bundle's zip file: what is wrong with it is told as such, and nothing else is."""

import errno
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eve_pipeline.bundles.archive import described, open_bundle, write_bundle
from eve_pipeline.bundles.manifest import VERSION, Manifest
from eve_pipeline.errors import EveError

CONTENTS = {"tables/images.parquet": b"stored as it is" * 100, "tables/answers.csv": b"deflated " * 100}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of two files."""
    manifest = {
        "bundle_version": VERSION,
        "created_at": datetime.now(UTC),
        "published": "x",
        "selection": {},
        "format": "parquet",
        "program": {"version": "1", "commit": None, "python": "3", "libraries": {}},
        "files": {name: described(content, 1) for name, content in CONTENTS.items()},
    } | {name: {} for name in ("contracts", "models", "prompts", "selection_seeds", "resampling")}  # fmt: skip
    path = tmp_path / "r.zip"
    write_bundle(path, CONTENTS, Manifest.model_validate(manifest | {"parser_versions": []}))
    return path


def test_what_was_written_is_read(bundle: Path):
    with open_bundle(bundle) as opened:
        assert opened.problems() == []
        assert {name: opened.read(name) for name in CONTENTS} == CONTENTS


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), FileNotFoundError("dbt.log"), RuntimeError("dbt")])
def test_what_fails_while_it_is_open_is_not_said_of_it(bundle: Path, error: Exception):
    with pytest.raises(type(error)) as caught, open_bundle(bundle):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("name", CONTENTS)
def test_a_damaged_file_is_told(bundle: Path, name: str):
    content = bytearray(bundle.read_bytes())
    start = content.index(name.encode()) + len(name)
    content[start + 3] ^= 0xFF
    bundle.write_bytes(content)
    with open_bundle(bundle) as opened:
        with pytest.raises(EveError, match=r"r\.zip is cut off or damaged"):
            opened.problems()
        with pytest.raises(EveError, match=r"r\.zip is cut off or damaged"):
            opened.read(name)

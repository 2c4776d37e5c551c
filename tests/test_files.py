import os
from pathlib import Path

import pytest

from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing, sha256_of_file


def test_a_file_is_replaced_whole(tmp_path: Path):
    file = tmp_path / "folder" / "file.txt"
    for content in ("first", "second"):
        with replacing(file) as temporary:
            temporary.write_text(content)
    assert file.read_text() == "second"
    assert [path.name for path in file.parent.iterdir()] == ["file.txt"]


def test_or_not_at_all(tmp_path: Path):
    file = tmp_path / "file.txt"
    file.write_text("first")
    with pytest.raises(UnicodeEncodeError), replacing(file) as temporary, temporary.open("w", encoding="ascii", buffering=1) as half:
        half.writelines(["half\n", "über\n"])
    assert file.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_disk_that_cannot_be_written_is_told_though_nothing_can_be_removed_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(30, os.strerror(30), str(self))

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with (
        pytest.raises(EveError, match=r"file\.txt cannot be written.*Read-only file system"),
        replacing(tmp_path / "file.txt") as temporary,
    ):
        temporary.write_text("x")


@pytest.mark.parametrize("error", [OSError(28, os.strerror(28)), ValueError("underlying IO error: No space left on device (os error 28)")])
def test_a_full_disk_is_told_by_the_file_that_was_to_be_written(tmp_path: Path, error: Exception):
    file = tmp_path / "file.txt"
    with pytest.raises(EveError, match=r"file\.txt cannot be written.*No space left"), replacing(file):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_the_digest_is_sha256(tmp_path: Path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

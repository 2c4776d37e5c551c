"""The zip file of a bundle: written whole or not at all; read without trusting anything in it.

No member is unpacked by its name: those that the manifest lists are read, each no further than its listed size.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from eve_pipeline.bundles.manifest import NAME, VERSION, File, Manifest
from eve_pipeline.errors import EveError
from eve_pipeline.files import replacing
from eve_pipeline.warehouse.contract import contracts

LARGEST_MANIFEST: Final = 50_000_000  # bytes
EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # equal contents make equal files
ASK_AGAIN: Final = "Ask for the bundle again, or export it anew."


def write_bundle(path: Path, contents: Mapping[str, bytes], manifest: Manifest) -> None:
    """Write a bundle of the manifest's files."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in {NAME: manifest.model_dump_json(indent=2).encode(), **contents}.items():
            method = zipfile.ZIP_STORED if name.endswith(".parquet") else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, method)


class Bundle:
    """An open bundle whose manifest has been read."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.archive, self.path = archive, path
        self.sizes = {member.filename: member.file_size for member in archive.infolist()}
        self.manifest = self._manifest()

    def _manifest(self) -> Manifest:
        if NAME not in self.sizes:
            raise EveError(f"{self.path} holds no {NAME}: it is no bundle of eve export", "Name a file that eve export wrote.")
        try:
            content = self.archive.open(NAME).read(LARGEST_MANIFEST)
            manifest = Manifest.model_validate_json(content)
        except ValidationError as error:
            _refuse_newer(self.path, content)
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
            raise EveError(f"The manifest of {self.path} is not valid: {wrong}", ASK_AGAIN) from error
        _refuse_newer(self.path, content)
        for table, version in manifest.contracts.items():
            known = contracts()[table].version if table in contracts() else 0
            if version > known:
                raise EveError(
                    f"{self.path}: table {table!r} has version {version}; this program reads up to {known}", "Upgrade eve_pipeline."
                )
        return manifest

    def problems(self) -> list[str]:
        """Return in what the files are not those that the manifest lists.

        Raises:
            EveError: one cannot be read at all.
        """
        listed = self.manifest.files
        found = [f"{name} is missing" for name in listed if name not in self.sizes]
        found += [f"{name!r} is not in the manifest" for name in self.sizes if name not in listed and name != NAME]
        if len(self.archive.infolist()) != len(self.sizes):
            found.append("a name comes twice")
        changed = (name for name in listed if name in self.sizes and not self._is_whole(name))
        return found + [f"{name} was changed: its SHA-256 is not the manifest's" for name in changed]

    def _is_whole(self, name: str) -> bool:
        file, digest = self.manifest.files[name], hashlib.sha256()
        if self.sizes[name] != file.n_bytes:
            return False
        with _saying_what_is_wrong(self.path), self.archive.open(name) as stream:
            left = file.n_bytes
            while left and (piece := stream.read(min(left, 1 << 20))):
                digest.update(piece)
                left -= len(piece)
        return digest.hexdigest() == file.sha256

    def read(self, name: str) -> bytes:
        """Return the content of a file that was found to be whole."""
        with _saying_what_is_wrong(self.path), self.archive.open(name) as stream:
            return stream.read(self.manifest.files[name].n_bytes)


def _refuse_newer(path: Path, content: bytes) -> None:
    version = _version(content)
    if version > VERSION:
        raise EveError(f"{path} is a bundle of version {version}; this program reads up to {VERSION}", "Upgrade eve_pipeline.")


def _version(content: bytes) -> int:
    try:
        found = json.loads(content)
    except ValueError:
        return 0
    version = found.get("bundle_version") if isinstance(found, dict) else None
    return version if isinstance(version, int) else 0


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open a bundle.

    Raises:
        EveError: there is no such file, it is cut off or damaged, or it is newer than this program.
    """
    with ExitStack() as opened:  # what the caller's block raises is not the bundle's
        with _saying_what_is_wrong(path):
            bundle = Bundle(opened.enter_context(zipfile.ZipFile(path)), path)
        yield bundle


@contextmanager
def _saying_what_is_wrong(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise EveError(f"There is no file {path}", "Name a file that eve export wrote.") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
    ) as error:  # the last two: methods, passwords
        raise EveError(f"{path} is cut off or damaged: {error}", ASK_AGAIN) from error


def described(content: bytes, n_rows: int) -> File:
    """Return what the manifest says of a file."""
    return File(sha256=hashlib.sha256(content).hexdigest(), n_bytes=len(content), n_rows=n_rows)

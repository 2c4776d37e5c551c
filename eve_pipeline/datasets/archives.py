"""Unpack a dataset's archive (.zip, .tar, .tar.gz, .tgz): whole or not at all, and nothing outside its folder.

The standard library reads the formats; `shutil.unpack_archive` is not used because it neither refuses bombs nor undoes what it began.
"""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from filelock import FileLock

from eve_pipeline.errors import EveError
from eve_pipeline.files import sha256_of_file
from eve_pipeline.progress import track

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
OTHER_SUFFIXES = (".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError, LookupError)


class Limits(NamedTuple):
    """What an archive may hold; pictures hardly compress, so an honest archive is far below."""

    members: int = 2_000_000
    ratio: float = 100
    n_bytes: int = 500 * 2**30


class Member(NamedTuple):
    """One entry of an archive: its name, its size unpacked, and what forbids it."""

    name: str
    n_bytes: int
    is_link: bool = False
    is_encrypted: bool = False
    is_folder: bool = False


def is_archive(path: Path) -> bool:
    """Whether a path names a file that `unpack` can open; `EveError` for an archive that it cannot."""
    if path.is_file() and path.name.lower().endswith(OTHER_SUFFIXES) and not path.name.lower().endswith(SUFFIXES):
        raise EveError(f"{path} is no archive of the kinds {', '.join(SUFFIXES)}", "Unpack it yourself, and give the folder.")
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def is_whole(file: Path, name: str) -> bool:
    """Whether a file that was to become the archive `name` has the beginning of a tar, or the beginning and end of a zip."""
    return zipfile.is_zipfile(file) if name.lower().endswith(".zip") else tarfile.is_tarfile(file)


def unpacked(archive: Path, folder: Path) -> Path:
    """Return the folder below `folder` to which `unpack` brings an archive."""
    return folder / sha256_of_file(archive)[:16]


def unpack(archive: Path, folder: Path, limits: Limits = Limits()) -> Path:  # noqa: B008 - a constant
    """Return the folder below `folder`, named by the archive's digest, with its files; the same archive is unpacked once.

    Raises:
        EveError: the archive is damaged or encrypted, has a file twice, a member would leave the folder or is a link, or it holds more than
            `limits`, or than the disk has room for; nothing of it stays.
    """
    target = unpacked(archive, folder)
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if target.is_dir():  # unpacked by another process meanwhile
            return target
        partial = folder / ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            _extract(archive, partial, limits)
            partial.rename(target)
        except _BROKEN as error:
            raise EveError(f"{archive} cannot be unpacked: {error or type(error).__name__}", "Get the archive again.") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _extract(archive: Path, folder: Path, limits: Limits) -> None:
    room = min(limits.n_bytes, shutil.disk_usage(folder.parent).free)
    allowed = limits._replace(n_bytes=min(room, int(limits.ratio * archive.stat().st_size)))
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as source:
            infos = source.infolist()
            for info in infos:
                info.filename = info.filename.replace("\\", "/")
            _require_harmless(archive, map(_of_zip, infos), allowed)
            folder.mkdir()
            for info in track(infos, total=len(infos), description="Unpacking"):
                source.extract(info, folder)
    else:
        with tarfile.open(archive) as source:
            _require_harmless(archive, map(_of_tar, source), allowed)
            members = source.getmembers()
            folder.mkdir()
            for member in track(members, total=len(members), description="Unpacking"):
                source.extract(member, folder, filter="data")


def _of_zip(info: zipfile.ZipInfo) -> Member:
    return Member(
        info.filename, info.file_size, stat.S_ISLNK(info.external_attr >> 16), bool(info.flag_bits & 1), info.filename.endswith("/")
    )


def _of_tar(info: tarfile.TarInfo) -> Member:
    return Member(info.name, info.size, not (info.isreg() or info.isdir()), is_folder=info.isdir())


def _require_harmless(archive: Path, members: Iterator[Member], allowed: Limits) -> None:
    """Look at every name and size before anything is written; both formats never yield more than the size they state."""
    n_bytes, names = 0, set[str]()
    for number, member in enumerate(members, start=1):
        n_bytes += member.n_bytes
        path = PurePosixPath(member.name)
        wrong = {
            f"{member.name!r} leads out of the folder": path.is_absolute() or ".." in path.parts or path.parts[:1] == ("~",),
            f"{member.name!r} is a link or device": member.is_link,
            f"{member.name!r} is encrypted": member.is_encrypted,
            f"it has several files {member.name!r}, of which only the last would stay": not member.is_folder and str(path) in names,
            f"it has more than {allowed.members} files": number > allowed.members,
            f"its files need more than {allowed.n_bytes} bytes, more than the disk has or an honest archive of its size": n_bytes
            > allowed.n_bytes,
        }
        for problem, is_so in wrong.items():
            if is_so:
                raise EveError(f"{archive} is not unpacked: {problem}", "Unpack it yourself if you trust it, and give the folder.")
        names.add(str(path))

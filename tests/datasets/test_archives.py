import contextlib
import io
import stat
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eve_pipeline.datasets.archives import Limits, is_archive, unpack
from eve_pipeline.errors import EveError


def zip_of(file: Path, members: dict[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def tar_of(file: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file


def tar_info(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name != ".lock")


@pytest.mark.parametrize("suffix", [".zip", ".tgz", ".tar.gz"])
def test_all_files_are_there_below_a_folder_named_by_the_digest(tmp_path: Path, suffix: str):
    members = {"top/a.jpg": b"1", "top/deep/é 2.jpg": b"22"}
    archive = tmp_path / f"data{suffix}"
    if suffix == ".zip":
        zip_of(archive, members)
    else:
        tar_of(archive, *((tar_info(name), content) for name, content in members.items()))
    folder = unpack(archive, tmp_path / "files")
    assert folder.parent == tmp_path / "files"
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == members


def test_the_same_archive_is_unpacked_once_and_another_beside_it(tmp_path: Path):
    first = unpack(zip_of(tmp_path / "a.zip", {"1.jpg": b"1"}), tmp_path / "files")
    (first / "1.jpg").write_bytes(b"kept")
    (tmp_path / "a.zip").rename(tmp_path / "renamed.zip")
    assert unpack(tmp_path / "renamed.zip", tmp_path / "files") == first
    assert (first / "1.jpg").read_bytes() == b"kept"
    assert unpack(zip_of(tmp_path / "a.zip", {"1.jpg": b"2"}), tmp_path / "files") != first


def test_several_may_unpack_the_same_archive_at_once(tmp_path: Path):
    archive = zip_of(tmp_path / "a.zip", {f"{number}.jpg": b"1" for number in range(500)})
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: unpack(archive, tmp_path / "files"), range(8)))
    assert len(left(folders.pop())) == 500
    assert not folders


def test_what_a_killed_unpacking_left_is_cleared_away(tmp_path: Path):
    (tmp_path / "files" / ".partial" / "half").mkdir(parents=True)
    folder = unpack(zip_of(tmp_path / "a.zip", {"1.jpg": b"1"}), tmp_path / "files")
    assert left(tmp_path / "files") == [folder.name, f"{folder.name}/1.jpg"]


def test_backslashes_of_windows_separate_folders(tmp_path: Path):
    folder = unpack(zip_of(tmp_path / "a.zip", {"top\\fear\\1.jpg": b"1"}), tmp_path / "files")
    assert (folder / "top" / "fear" / "1.jpg").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["../out.jpg", "a/../../out.jpg", "/etc/out.jpg", "..\\out.jpg", "\\out.jpg"])
def test_a_zip_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str):
    archive = zip_of(tmp_path / "a.zip", {"fine.jpg": b"1", name: b"2"})
    with pytest.raises(EveError, match=r"a\.zip is not unpacked: .*out\.jpg' leads out of the folder"):
        unpack(archive, tmp_path / "files")
    assert left(tmp_path / "files") == []


@pytest.mark.parametrize("name", ["../out.jpg", "/etc/out.jpg"])
def test_a_tar_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str):
    with pytest.raises(EveError, match="leads out of the folder"):
        unpack(tar_of(tmp_path / "a.tgz", (tar_info(name), b"1")), tmp_path / "files")
    assert left(tmp_path / "files") == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes):
    archive = tar_of(tmp_path / "a.tgz", (tar_info("link.jpg", type=kind, linkname="/etc/passwd"), b""))
    with pytest.raises(EveError, match=r"'link\.jpg' is a link or device"):
        unpack(archive, tmp_path / "files")


def test_links_in_a_zip_are_refused(tmp_path: Path):
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(EveError, match=r"'link\.jpg' is a link or device"):
        unpack(tmp_path / "a.zip", tmp_path / "files")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["top/1.jpg", "top//1.jpg", "top/./1.jpg"])
@pytest.mark.parametrize("suffix", [".zip", ".tgz"])
def test_a_file_that_would_replace_another_is_refused(tmp_path: Path, suffix: str, second: str):
    archive, names = tmp_path / f"a{suffix}", ["top/1.jpg", second]
    if suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for name in names:
                file.writestr(name, name)
    else:
        tar_of(archive, *((tar_info(name), b"1") for name in names))
    with pytest.raises(EveError, match=r"it has several files 'top/.*1\.jpg', of which only the last would stay"):
        unpack(archive, tmp_path / "files")
    assert left(tmp_path / "files") == []


def test_a_folder_that_is_named_twice_is_no_harm(tmp_path: Path):
    folder = {"type": tarfile.DIRTYPE, "mode": 0o755}
    archive = tar_of(tmp_path / "a.tgz", *((tar_info(name, **folder), b"") for name in ("top", "top/")), (tar_info("top/1.jpg"), b"1"))
    assert left(unpack(archive, tmp_path / "files")) == ["top", "top/1.jpg"]


@pytest.mark.parametrize("suffix", [".zip", ".tgz"])
def test_bombs_are_refused_before_anything_is_written(tmp_path: Path, suffix: str):
    zeros = bytes(8_000_000)
    archive = tmp_path / f"a{suffix}"
    archive = zip_of(archive, {"0.jpg": zeros}) if suffix == ".zip" else tar_of(archive, (tar_info("0.jpg"), zeros))
    with pytest.raises(EveError, match=r"its files need more than \d+ bytes, more than the disk has or an honest archive"):
        unpack(archive, tmp_path / "files")
    assert left(tmp_path / "files") == []
    assert unpack(archive, tmp_path / "files", Limits(ratio=10_000)).is_dir()


@pytest.mark.parametrize(("limits", "problem"), [(Limits(members=2), "more than 2 files"), (Limits(n_bytes=29), "need more than 29 bytes")])
def test_counts_and_sizes_are_limited(tmp_path: Path, limits: Limits, problem: str):
    archive = zip_of(tmp_path / "a.zip", {f"{number}.jpg": bytes(range(10)) for number in range(3)})
    with pytest.raises(EveError, match=problem):
        unpack(archive, tmp_path / "files", limits)
    assert unpack(archive, tmp_path / "files", Limits(members=3, n_bytes=30)).is_dir()


def test_an_encrypted_archive_is_refused(tmp_path: Path):
    content = bytearray(zip_of(tmp_path / "a.zip", {"1.jpg": b"1"}).read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(EveError, match=r"'1\.jpg' is encrypted"):
        unpack(tmp_path / "a.zip", tmp_path / "files")


@pytest.mark.parametrize("cut", [10, 60, -30])
@pytest.mark.parametrize("suffix", [".zip", ".tgz"])
def test_a_damaged_archive_leaves_nothing(tmp_path: Path, suffix: str, cut: int):
    members = {f"{number}.jpg": bytes(range(200)) for number in range(3)}
    archive = tmp_path / f"a{suffix}"
    archive = zip_of(archive, members) if suffix == ".zip" else tar_of(archive, *((tar_info(n), c) for n, c in members.items()))
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(EveError, match=rf"a{suffix} cannot be unpacked"):
        unpack(archive, tmp_path / "files")
    assert left(tmp_path / "files") == []


def test_a_member_whose_bytes_are_damaged_undoes_the_others(tmp_path: Path):
    archive = zip_of(tmp_path / "a.zip", {"1.jpg": b"first", "2.jpg": b"second"}, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(b"second", b"SECOND"))
    with pytest.raises(EveError, match=r"cannot be unpacked: Bad CRC-32"):
        unpack(archive, tmp_path / "files")
    assert left(tmp_path / "files") == []


def test_an_archive_is_known_by_its_suffix(tmp_path: Path):
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "ratings.csv").touch()
    (tmp_path / "A.ZIP").touch()
    (tmp_path / "a.rar").touch()
    with pytest.raises(EveError, match=r"(?s)a\.rar is no archive of the kinds \.zip.*Unpack it yourself"):
        is_archive(tmp_path / "a.rar")
    assert [is_archive(tmp_path / name) for name in ("folder.zip", "ratings.csv", "A.ZIP", "absent.zip")] == [False, False, True, False]


PARTS = st.sampled_from(["..", ".", "", "a", "b", "~", "C:", "..\\", "a\\..", "é", " "])


@given(st.lists(st.lists(PARTS, min_size=1, max_size=5).map("/".join).filter(bool), min_size=1, max_size=3, unique=True))
@settings(max_examples=100)
def test_whatever_the_names_nothing_is_written_outside(tmp_path_factory: pytest.TempPathFactory, names: list[str]):
    root = tmp_path_factory.mktemp("any")
    archive = zip_of(root / "a.zip", dict.fromkeys(names, b"1"))
    with contextlib.suppress(EveError):
        unpack(archive, root / "deep" / "files")
    written = {path.relative_to(root).parts[:2] for path in root.rglob("*") if path.is_file()}
    assert written <= {("a.zip",), ("deep", "files")}

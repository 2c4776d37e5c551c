import hashlib
import os
import socket
import stat
import struct
import tempfile
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from eve_pipeline.datasets.earlier_checks import to_frame
from eve_pipeline.datasets.image_file import FORMATS, MAX_BYTES, MAX_PIXELS, ImageFolder

NOBODY = 65534


def noise(size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def test_a_whole_image_is_measured(tmp_path: Path, paint):
    file = paint(tmp_path / "a b.jpg", size=(31, 17))
    assert ImageFolder(tmp_path).check("a b.jpg") == (
        "a b.jpg",
        file.stat().st_size,
        file.stat().st_mtime_ns,
        hashlib.sha256(file.read_bytes()).hexdigest(),
        31,
        17,
        False,
        None,
        None,
    )


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_that_after_exif_orientation(tmp_path: Path, paint, orientation: int, suffix: str):
    exif = Image.Exif()
    exif[0x0112] = orientation
    paint(tmp_path / f"a.{suffix}", size=(31, 17), exif=exif)
    check = ImageFolder(tmp_path).check(f"a.{suffix}")
    assert (check.width, check.height) == ((31, 17) if orientation <= 4 else (17, 31))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I;16", "I"])
def test_colour_modes_are_usable(tmp_path: Path, mode: str):
    if mode == "PA":
        Image.new("PA", (24, 16)).convert("RGBA").quantize().save(tmp_path / "a.png", transparency=b"\x00\x80")
    else:
        Image.new(mode, (24, 16)).save(tmp_path / "a.tif")
    check = ImageFolder(tmp_path).check("a.png" if mode == "PA" else "a.tif")
    assert (check.width, check.height, check.reason) == (24, 16, None)


def sixteen_bit_rgb_png(size: int) -> bytes:
    """A white PNG of 48 bits a pixel, which Pillow reads and does not write."""
    rows = (b"\0" + b"\xff" * 6 * size) * size
    return png(size, size, bits=16, data=zlib.compress(rows))


def png(width: int, height: int, *, bits: int = 8, data: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_pngs_of_48_bits_a_pixel_are_usable(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(sixteen_bit_rgb_png(20))
    assert ImageFolder(tmp_path).check("a.png")[4:8] == (20, 20, False, None)


@pytest.mark.parametrize("pixels", [np.ones((20, 20), np.float32), np.full((20, 20), 70_000, np.int32), np.full((20, 20), -1, np.int32)])
def test_numbers_that_are_no_tones(tmp_path: Path, pixels: np.ndarray):
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    check = ImageFolder(tmp_path).check("a.tif")
    assert (check.reason, check.width) == ("unknown tones", None)
    assert check.sha256


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_of_several_frames_the_first_is_decoded(tmp_path: Path, suffix: str):
    frames = [Image.new("RGB", (24, 16), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    check = ImageFolder(tmp_path).check(f"a.{suffix}")
    assert (check.width, check.height, check.has_frames, check.reason) == (24, 16, True, None)


def test_damage_after_the_first_frame_is_no_damage(tmp_path: Path):
    frames = [noise(), noise((64, 48)).rotate(90)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    whole = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(whole[:-1000])
    assert ImageFolder(tmp_path).check("a.gif").reason is None


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_an_image_too_small_to_show_anything(tmp_path: Path, paint, size: tuple[int, int]):
    paint(tmp_path / "a.png", size=size)
    assert ImageFolder(tmp_path).check("a.png")[-2:] == ("too small", f"{size[0]} x {size[1]} px, less than 16 on a side")


def saved(kind: str, where: Path) -> bytes:
    noise().save(where / f"whole.{kind}")
    return (where / f"whole.{kind}").read_bytes()


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("suffix", "damage", "reason", "detail"),
    [
        ("jpg", half, "truncated", "image file is truncated"),
        ("jpg", lambda content: content[:-2], "truncated", "image file is truncated"),
        ("jpg", lambda content: content[:300], "truncated", "Truncated File Read"),
        ("jpg", lambda content: content[:20], "unreadable", "begins as JPEG, but its header is cut or damaged"),
        ("png", half, "truncated", "image file is truncated"),
        ("png", lambda content: content[:20], "truncated", "Truncated File Read"),
        ("png", lambda content: content[:9], "unreadable", "begins as PNG, but its header is cut or damaged"),
        ("png", lambda content: content.replace(b"IDAT", b"IDOT", 1), "unreadable", ""),
        ("gif", half, "truncated", "image file is truncated"),
        ("tif", half, "truncated", "image file is truncated"),
        ("webp", half, "unreadable", "could not create decoder object"),
        ("jpg", lambda content: b"", "unreadable", "an empty file"),
        ("jpg", lambda content: b"\0" * len(content), "unreadable", r"begins with b'\x00\x00"),
        ("jpg", lambda content: b"\n<!DOCTYPE html><html>Not found</html>", "unreadable", "a web page, not an image"),
        ("png", lambda content: b"<HTML>Not found</HTML>", "unreadable", "a web page, not an image"),
        ("jpg", lambda content: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "unreadable", "begins with b'%!PS-Adobe-3'"),
        ("jpg", lambda content: b"path,label\n", "unreadable", f"none of {', '.join(FORMATS)}: begins with b'path,label"),
    ],
)
def test_damaged_files(tmp_path: Path, suffix: str, damage: Callable[[bytes], bytes], reason: str, detail: str):
    content = damage(saved(suffix, tmp_path))
    (tmp_path / f"a.{suffix}").write_bytes(content)
    check = ImageFolder(tmp_path).check(f"a.{suffix}")
    assert (check.reason, check.width) == (reason, None)
    assert detail in check.detail
    assert "0x7" not in check.detail, "an address in memory would differ from run to run"
    assert check.sha256 == hashlib.sha256(content).hexdigest(), "what was read is told by its bytes, so that it need not be read again"


def test_truncated_files_are_not_let_through():
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_wrong_suffix_does_not_matter(tmp_path: Path, paint):
    paint(tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert ImageFolder(tmp_path).check("a.jpg").reason is None


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [50_000, 10_000])
def test_a_decompression_bomb_is_not_decoded(tmp_path: Path, side: int):
    (tmp_path / "a.png").write_bytes(png(side, side, data=zlib.compress(bytes(10_000_000))))
    assert (tmp_path / "a.png").stat().st_size < 20_000
    check = ImageFolder(tmp_path).check("a.png")
    assert check.reason == "too many pixels", "with its data too short, it would be truncated if anything had been decoded"
    assert str(side**2) in check.detail or f"{side} x {side} px, more than {MAX_PIXELS} in all" == check.detail


def test_a_file_too_large_to_read_is_not_read(tmp_path: Path):
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert ImageFolder(tmp_path).check("a.jpg")[-2:] == ("too large", f"{MAX_BYTES + 1} bytes, more than {MAX_BYTES}")


def test_a_missing_file_and_a_link_to_none(tmp_path: Path, paint):
    paint(tmp_path / "a.jpg")
    (tmp_path / "broken.jpg").symlink_to("gone.jpg")
    for path, file in (("no.jpg", "no.jpg"), ("broken.jpg", "gone.jpg"), ("a.jpg/b.jpg", "a.jpg/b.jpg")):
        check = ImageFolder(tmp_path).check(path)
        assert (check.reason, check.detail) == ("missing", f"no file {tmp_path / file}")


def test_what_is_no_file_is_not_opened(tmp_path: Path):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "linked.jpg").symlink_to(tmp_path / "folder.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.jpg"))
        for name, kind in (("folder", "folder"), ("linked", "folder"), ("pipe", "pipe"), ("socket", "socket")):
            check = ImageFolder(tmp_path).check(f"{name}.jpg")
            assert check.reason == "not a file"
            assert check.detail.endswith(f"is a {kind}")
    device = ImageFolder(Path("/dev")).check("zero")
    assert device[-2:] == ("not a file", "/dev/zero is a device")


def test_links_in_a_loop(tmp_path: Path):
    (tmp_path / "a.jpg").symlink_to("b.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    check = ImageFolder(tmp_path).check("a.jpg")
    assert check.reason == "unreadable"
    assert "symbolic links" in check.detail


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be nobody for a while where the tests run as root, whom no permission stops."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_file_that_may_not_be_read(paint):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        paint(Path(folder) / "a.jpg").chmod(0)
        with without_privileges():
            check = ImageFolder(Path(folder)).check("a.jpg")
        assert check.reason == "unreadable"
        assert "Permission denied" in check.detail
        assert check.sha256 is None


NAMES = [
    "with spaces .jpg",
    "-rf.jpg",
    "new\nline.jpg",
    "quotes'\".jpg",
    "back\\slash.jpg",
    "per%20cent#?&.jpg",
    "*.jpg",
    "x" * 251 + ".jpg",
    "no suffix",
    unicodedata.normalize("NFC", "é.jpg"),
    unicodedata.normalize("NFD", "é.jpg"),
    "写真🙂.jpg",
    "upper.jpg",
    "UPPER.JPG",
]


def test_odd_names_are_names(tmp_path: Path, paint):
    files = {name: paint(tmp_path / "folder é" / name, format="JPEG") for name in NAMES}
    checks = {name: ImageFolder(tmp_path).check(f"folder é/{name}") for name in NAMES}
    assert {name: check.sha256 for name, check in checks.items()} == {
        name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()
    }
    assert len({check.sha256 for check in checks.values()}) == len(NAMES), "none is taken for another"


@pytest.mark.parametrize("name", ["x" * 300, "a\0b.jpg"])
def test_names_that_no_file_can_have(tmp_path: Path, name: str):
    assert ImageFolder(tmp_path).check(name).reason == "unreadable"


def test_paths_and_links_may_not_leave_the_folder(tmp_path: Path, paint):
    root, outside = tmp_path / "root", paint(tmp_path / "outside" / "a.jpg")
    paint(tmp_path / "root-like" / "a.jpg")
    inside = paint(root / "inside.jpg")
    (root / "link.jpg").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    (root / "inward.png").symlink_to(inside)
    (root / "turned").symlink_to(root)
    folder = ImageFolder(root)
    for path in ("../outside/a.jpg", str(outside), "link.jpg", "folder/a.jpg", "../root-like/a.jpg", "..", ".", "turned/link.jpg"):
        assert folder.check(path).reason == "outside the folder"
    for path in ("inward.png", "../root/inside.jpg", str(inside), "turned/inside.jpg", "./inside.jpg"):
        assert folder.check(path).reason is None


def test_the_folder_may_itself_be_a_link(tmp_path: Path, paint):
    paint(tmp_path / "real" / "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert ImageFolder(tmp_path / "link").check("a.jpg").reason is None


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(parts=st.lists(st.sampled_from(["..", ".", "a", "root", "secret.jpg", "/", "~", "\0", "x" * 300]) | st.text(max_size=5), max_size=6))
def test_no_path_reads_a_file_outside(tmp_path: Path, parts: list[str]):
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True, exist_ok=True)
    if not (tmp_path / "secret.jpg").exists():
        Image.new("RGB", (40, 40)).save(tmp_path / "secret.jpg")
    path = "/".join(parts)
    check = ImageFolder(root).check(path)
    assert check.sha256 is None, "there is no image inside, so none can be read"
    if "\0" not in path and not os.path.realpath(root / path).startswith(os.path.realpath(root)):
        assert check.reason in {"outside the folder", "unreadable"}


def test_an_earlier_check_stands_while_size_and_time_are_the_same(tmp_path: Path, paint):
    file = paint(tmp_path / "a.bmp")
    folder, time = ImageFolder(tmp_path), file.stat().st_mtime_ns
    first = folder.check("a.bmp")
    paint(file)
    assert file.stat().st_size == first.bytes
    os.utime(file, ns=(time, time))
    assert folder.check("a.bmp", first) is first, "as git and make do, bytes replaced under the same time go unnoticed"
    os.utime(file, ns=(time, time + 1))
    assert folder.check("a.bmp", first).sha256 == hashlib.sha256(file.read_bytes()).hexdigest() != first.sha256
    file.write_bytes(b"")
    os.utime(file, ns=(time, time))
    assert folder.check("a.bmp", first).detail == "an empty file"
    file.unlink()
    assert folder.check("a.bmp", first).reason == "missing"


def test_a_link_to_a_name_that_is_not_utf_8_is_told_in_text(tmp_path: Path):
    (tmp_path / "out.jpg").symlink_to(os.fsdecode(b"/absent/\xff.jpg"))
    (tmp_path / "in.jpg").symlink_to(os.fsdecode(b"\xff.jpg"))
    found = to_frame(ImageFolder(tmp_path).check(name) for name in ("out.jpg", "in.jpg"))
    assert found["reason"].to_list() == ["outside the folder", "missing"]
    assert found["detail"].str.ends_with("\\xff.jpg").all()


def test_an_earlier_check_does_not_let_a_link_out(tmp_path: Path, paint):
    outside, root = paint(tmp_path / "outside.jpg"), tmp_path / "root"
    file = root / "a.jpg"
    file.parent.mkdir()
    file.write_bytes(outside.read_bytes())
    os.utime(file, ns=(outside.stat().st_mtime_ns,) * 2)
    first = ImageFolder(root).check("a.jpg")
    file.unlink()
    file.symlink_to(outside)
    assert stat.S_ISLNK(file.lstat().st_mode)
    assert ImageFolder(root).check("a.jpg", first).reason == "outside the folder"

"""The bytes that a provider gets."""

import base64
import io
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from eve_pipeline.settings import Settings
from eve_pipeline.vlms.registry import ImagePreparation
from eve_pipeline.vlms.sent_images import SentImage, SentImages
from tests.vlms.asking import request_about


def gradient(width: int, height: int) -> Image.Image:
    """Red from left to right, green from top to bottom."""
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([red, green, np.full_like(red, 40)], axis=-1).astype(np.uint8))


def saved(folder: Path, image: Image.Image, suffix: str, **options: object) -> Path:
    file = folder / f"picture.{suffix}"
    image.save(file, **options)
    return file


def sent(file: Path, settings: Settings, **preparation: object) -> SentImage:
    return SentImages(ImagePreparation.model_validate(preparation), settings).of(request_about(file))


def opened(image: SentImage) -> Image.Image:
    return Image.open(io.BytesIO(image.content))


def kept(settings: Settings) -> list[Path]:
    return [file for file in (settings.home / "cache").rglob("*") if file.is_file()]


@pytest.mark.parametrize(("suffix", "media_type"), [("jpg", "jpeg"), ("png", "png"), ("webp", "webp"), ("gif", "gif"), ("mpo", "jpeg")])
def test_bytes_go_as_they_are_under_a_media_type_that_providers_know(tmp_path: Path, settings: Settings, suffix: str, media_type: str):
    frames = {"save_all": True, "append_images": [gradient(20, 20)]} if suffix == "mpo" else {}
    file = saved(tmp_path, gradient(16, 16), suffix, **frames)
    image = sent(file, settings)
    assert image == (file.read_bytes(), f"image/{media_type}")
    prefix, _, data = image.data_url.partition(",")
    assert prefix == f"data:image/{media_type};base64"
    assert base64.b64decode(data) == file.read_bytes()
    assert not kept(settings)


@pytest.mark.parametrize("suffix", ["tif", "bmp", "ppm"])
def test_a_format_that_providers_refuse_goes_as_a_lossless_png(tmp_path: Path, settings: Settings, suffix: str):
    picture = gradient(17, 9)
    image = sent(saved(tmp_path, picture, suffix), settings)
    assert image.media_type == "image/png"
    assert opened(image).format == "PNG"
    assert np.array_equal(np.asarray(opened(image)), np.asarray(picture))


def test_an_avif_goes_as_the_png_that_a_viewer_shows(tmp_path: Path, settings: Settings):
    file = saved(tmp_path, gradient(32, 32), "avif")
    image = sent(file, settings)
    assert image.media_type == "image/png"
    assert np.array_equal(np.asarray(opened(image)), np.asarray(Image.open(file).convert("RGB")))


def test_of_an_animation_goes_the_first_frame(tmp_path: Path, settings: Settings):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    image = sent(saved(tmp_path, frames[0], "gif", save_all=True, append_images=frames[1:]), settings)
    assert image.media_type == "image/png"
    assert opened(image).getpixel((0, 0)) == (255, 0, 0)


def test_only_a_larger_image_is_scaled_down(tmp_path: Path, settings: Settings):
    large, small = saved(tmp_path, gradient(400, 200), "png"), saved(tmp_path, gradient(100, 60), "jpg")
    image = sent(large, settings, max_side=100)
    assert (opened(image).size, opened(image).format, image.media_type) == ((100, 50), "JPEG", "image/jpeg")
    assert sent(small, settings, max_side=100).content == small.read_bytes()
    expected = np.asarray(gradient(400, 200).resize((100, 50), Image.Resampling.LANCZOS), dtype=int)
    assert np.abs(np.asarray(opened(image), dtype=int) - expected).mean() < 2


def test_a_photograph_taken_upright_is_sent_upright(tmp_path: Path, settings: Settings):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    file = saved(tmp_path, gradient(400, 200), "jpg", exif=exif)
    image = opened(sent(file, settings, max_side=100))
    assert image.size == (50, 100)
    assert image.getexif().get(0x0112, 1) == 1
    red, green, _ = image.getpixel((49, 0))  # type: ignore[misc]
    assert (red < 20, green < 20) == (True, True)


def test_a_quality_is_that_of_every_image(tmp_path: Path, settings: Settings):
    file = saved(tmp_path, gradient(64, 64), "png")
    low, high = (sent(file, settings, jpeg_quality=quality) for quality in (20, 95))
    expected = io.BytesIO()
    gradient(64, 64).save(expected, "JPEG", quality=20)
    assert low.content == expected.getvalue()
    assert len(high.content) > len(low.content)
    assert {file.parent.name for file in kept(settings)} == {
        f"side-own_quality-{quality}_v1_pillow-{PIL.__version__}" for quality in (20, 95)
    }


def test_what_was_encoded_once_is_not_encoded_again(tmp_path: Path, settings: Settings):
    file = saved(tmp_path, gradient(400, 200), "png")
    images = SentImages(ImagePreparation(max_side=100), settings)
    requests = [request_about(file, prompt) for prompt in ("one", "another")]
    first = images.of(requests[0])
    [cached] = kept(settings)
    before = cached.stat().st_mtime_ns
    file.unlink()
    assert images.of(requests[1]) == first
    assert cached.stat().st_mtime_ns == before
    assert Image.open(cached).size == (100, 50)


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_what_was_damaged_is_encoded_again(tmp_path: Path, settings: Settings, damage: str):
    file = saved(tmp_path, gradient(400, 200), "png")
    first = sent(file, settings, max_side=100)
    [cached] = kept(settings)
    content = cached.read_bytes()
    cached.write_bytes({"cut": content[:-7], "changed": bytes([content[0] ^ 1]) + content[1:], "empty": b""}[damage])
    assert sent(file, settings, max_side=100) == first
    assert cached.read_bytes() == content


def test_a_profile_stays_with_its_colours(tmp_path: Path, settings: Settings):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = saved(tmp_path, gradient(40, 20), "png", icc_profile=profile)
    assert opened(sent(file, settings, max_side=16)).info["icc_profile"] == profile

import numpy as np
from PIL import Image

from eve_pipeline.pictures import to_rgb


def test_sixteen_bit_greys_keep_their_tones():
    pixels = np.array([[0, 257 * 100], [257 * 200, 65535]], np.uint16)
    assert np.asarray(to_rgb(Image.fromarray(pixels)))[..., 0].tolist() == [[0, 100], [200, 255]]


def test_a_turned_photograph_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: 90 degrees clockwise are due
    picture = Image.new("RGB", (30, 20), "white")
    picture.paste("black", (0, 0, 10, 20))
    picture.save(tmp_path / "turned.png", exif=exif)
    upright = to_rgb(Image.open(tmp_path / "turned.png"))
    assert upright.size == (20, 30)
    assert upright.getpixel((10, 2)) == (0, 0, 0)


def test_transparency_and_palettes_become_colours():
    assert to_rgb(Image.new("RGBA", (2, 2), "red")).getpixel((0, 0)) == (255, 0, 0)
    assert to_rgb(Image.new("P", (2, 2))).mode == "RGB"

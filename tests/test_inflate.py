"""PNG without its compression: the same pixels, and nothing hidden about what is damaged."""

import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from workbench.data.reading import read_labels, read_picture
from workbench.data.reading.inflate import with_stored_pixels
from workbench.errors import UserError


def png_of(mode="L", size=(40, 30), **options):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    pixels[5:20, 3:30] = 7
    data = BytesIO()
    Image.fromarray(pixels).convert(mode).save(data, "PNG", **options)
    return data.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_the_pixels_are_the_same_and_no_longer_compressed(mode):
    png = png_of(mode)
    stored = with_stored_pixels(png)
    assert stored != png
    assert len(stored) > Image.open(BytesIO(png)).width * 30 // 8
    assert np.array_equal(np.array(Image.open(BytesIO(stored))), np.array(Image.open(BytesIO(png))))


@pytest.mark.parametrize("cut", [30, 60, 200, -20])
def test_a_cut_file_is_left_alone(cut):
    png = png_of("RGB")[:cut]
    assert with_stored_pixels(png) == png


def test_a_flipped_bit_is_left_to_the_decoder(tmp_path):
    png = bytearray(png_of("RGB"))
    png[len(png) // 2] ^= 16
    assert with_stored_pixels(bytes(png)) == bytes(png)
    (tmp_path / "a.png").write_bytes(png)
    with pytest.raises(UserError):
        read_picture(tmp_path / "a.png")


def test_what_is_read_is_what_was_saved(tmp_path):
    for mode in ("L", "P", "RGB"):
        (tmp_path / "a.png").write_bytes(png_of(mode))
        assert np.array_equal(read_labels(tmp_path / "a.png"), np.array(Image.open(tmp_path / "a.png")))


def test_more_pixels_than_the_header_says_are_left_to_the_decoder():
    png = png_of("L", size=(40, 30))
    wrong = bytearray(png[:16] + (20).to_bytes(4) + png[20:29])
    wrong += zlib.crc32(wrong[12:29]).to_bytes(4) + png[33:]
    assert with_stored_pixels(bytes(wrong)) == bytes(wrong)

"""Reading: formats against independent decoders, masks as stored, limits, sentences instead of tracebacks."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pictures
import pytest
from PIL import Image, ImageOps

from workbench.data.reading import (
    PICTURE_SUFFIXES,
    Facts,
    Limits,
    is_picture,
    open_regions,
    read_facts,
    read_labels,
    read_picture,
    read_region,
    to_display,
)
from workbench.errors import UserError

ODD = Path(__file__).parent / "data" / "odd"


@pytest.fixture
def put(tmp_path):
    """A function that writes bytes, or a file of `pictures.FILES`, and returns the path."""

    def write(name: str, data: bytes | None = None) -> Path:
        path = tmp_path / name
        path.write_bytes(pictures.FILES[name]() if data is None else data)
        return path

    return write


def refusal(function, *arguments, **options) -> str:
    """The sentence that it raises: one line that names the file."""
    with pytest.raises(UserError) as caught:
        function(*arguments, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(arguments[0]) in sentence
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize("name", pictures.FILES)
def test_facts_tell_the_array_before_it_is_decoded(put, name):
    path = put(name)
    assert is_picture(path)
    array, facts = read_picture(path)
    assert read_facts(path) == facts
    assert array.shape == (facts.height, facts.width, facts.channels)
    assert array.dtype in (np.uint8, np.uint16, np.float32)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    part = read_region(path, 2, 1, 3, 4)
    assert np.array_equal(part, array[2:5, 1:5])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rgb.png", pictures.colours()),
        ("rgba.png", pictures.colours(4)[:, :, :3]),
        ("grey_alpha.png", pictures.colours(2)[:, :, :1]),
        ("rgb16.png", pictures.colours(3, np.uint16)),
        ("grey16.png", pictures.colours(1, np.uint16)),
        ("animated.png", pictures.colours()),
        ("rgb.webp", pictures.colours()),
        ("rgb.bmp", pictures.colours()),
        ("grey.pgm", pictures.colours(1)),
        ("rgb16.ppm", pictures.colours(3, np.uint16)),
        ("plain.ppm", pictures.colours()),
        ("strips.tif", pictures.colours()),
        ("tiles.tif", pictures.colours()),
        ("lzw.tif", pictures.colours(1, np.uint16)),
        ("packbits.tif", pictures.colours(1)),
        ("planes.tif", pictures.colours(5, np.uint16)),
        ("big.tif", pictures.colours(1)),
        ("rgb.dcm", pictures.colours()),
        ("one_bit.png", (pictures.colours(1) > 99) * np.uint8(255)),
        ("fax.tif", (pictures.colours(1) > 99) * np.uint8(255)),
        ("bits.pbm", (pictures.colours(1) <= 99) * np.uint8(255)),
    ],
)
def test_lossless_formats_give_every_value(put, name, expected):
    array = read_picture(put(name)).array
    assert array.dtype == expected.dtype
    assert np.array_equal(array, expected)


@pytest.mark.parametrize("name", ["rgb.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "lossy.webp", "animated.gif"])
def test_other_formats_agree_with_pillow(put, name):
    path = put(name)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("L" if name == "grey.jpg" else "RGB"), np.int16)
    array = read_picture(path).array.squeeze()
    assert np.abs(array.astype(np.int16) - expected).max() <= 1


def test_runs_of_a_bmp_come_bottom_up(put):
    array = read_picture(put("runs.bmp")).array[:, :, 0]
    assert np.array_equal(array, np.repeat(3 * np.arange(39, -1, -1, dtype=np.uint8)[:, None], 56, axis=1))


def test_interlaced_png(put):
    """The seven passes by hand would be a decoder of their own: Pillow's test file holds an 8-bit one, and 16-bit
    colour, which no decoder here reads interlaced, is refused."""
    data = bytearray(pictures.FILES["rgb16.png"]())
    data[28] = 1
    data[29:33] = __import__("zlib").crc32(bytes(data[12:29])).to_bytes(4, "big")
    assert "interlac" in refusal(read_facts, put("interlaced.png", bytes(data)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_to_pictures_and_masks(put, name, orientation):
    options = {"quality": 95} if name == "JPEG" else {"lossless": True} if name == "WEBP" else {}
    data = pictures.by_pillow(pictures.colours(), name, exif=pictures.exif(orientation), **options)
    path = put("turned", data)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image), np.int16)
    array, facts = read_picture(path)
    assert np.abs(array - expected).max() <= 1
    assert facts.oriented == (orientation > 1)
    assert any("upright" in note for note in facts.notes) == facts.oriented
    assert np.abs(read_labels(path) - expected).max() <= 1
    if name == "TIFF":
        for top, left, height, width in ((0, 0, 5, 7), (11, 3, 20, 30), (facts.height - 4, facts.width - 6, 4, 6)):
            part = read_region(path, top, left, height, width)
            assert np.array_equal(part, array[top : top + height, left : left + width])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("palette.png", pictures.grey() // 100),
        ("palette.gif", pictures.grey() // 100),
        ("palette.tif", pictures.grey() // 100),
        ("one_bit.png", pictures.grey() > 99),
        ("fax.tif", pictures.grey() > 99),
        ("grey16.png", pictures.grey(np.uint16)),
        ("lzw.tif", pictures.grey(np.uint16)),
        ("rgb.png", pictures.colours()),
        ("rgb16.png", None),
        ("zstd.tif", None),
        ("planes.tif", None),
    ],
)
def test_masks_come_as_stored(put, name, expected):
    path = put(name)
    if expected is None:
        refusal(read_labels, path)
        return
    mask = read_labels(path)
    assert mask.dtype.kind == "u"
    assert np.array_equal(mask, expected)


def test_palettes_are_expanded_for_pictures(put):
    for name in ("palette.png", "palette.gif", "palette.tif"):
        array, facts = read_picture(put(name))
        assert np.array_equal(array, np.eye(3, dtype=np.uint8)[pictures.grey() // 100] * 255)
        assert facts.notes == ("palette expanded to RGB",)


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_widened_for_pictures_and_kept_for_masks(put, bits):
    import zlib

    stored = (np.arange(16 * 16) % 2**bits).reshape(16, 16).astype(np.uint8)
    packed = stored.reshape(16, -1, 8 // bits)
    rows = sum(packed[:, :, place].astype(int) << (8 - bits * (place + 1)) for place in range(8 // bits))
    scanlines = b"".join(b"\0" + bytes(row.tolist()) for row in rows)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    header = (16).to_bytes(4) * 2 + bytes((bits, 0, 0, 0, 0))
    data = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(scanlines)) + chunk(b"IEND", b"")
    )
    path = put("few.png", data)
    assert np.array_equal(read_labels(path), stored)
    array, facts = read_picture(path)
    assert np.array_equal(array[:, :, 0], stored * (255 // (2**bits - 1)))
    assert facts.bits == bits
    assert facts.notes == (f"{bits} bits widened to 0..255",)


def test_small_largest_value_of_a_greymap(put):
    path = put("few.pgm", b"P2\n# ids\n3 1\n3\n0 1 3\n")
    assert read_labels(path).tolist() == [[0, 1, 3]]
    assert read_picture(path).array.ravel().tolist() == [0, 85, 255]


def test_alpha_of_a_mask(put):
    colour, alpha = pictures.colours(), (pictures.grey() > 99) * np.uint8(255)

    def labels(*channels: np.ndarray) -> np.ndarray:
        return read_labels(put("mask.png", pictures.by_pillow(np.dstack(channels), "PNG")))

    assert np.array_equal(labels(colour, np.full_like(alpha, 128)), colour), "constant alpha says nothing"
    assert np.array_equal(labels(np.zeros_like(colour), alpha), alpha), "over one colour, alpha is the mask"
    assert np.array_equal(labels(colour, alpha), np.where(alpha[:, :, None] == 0, 0, colour))
    assert np.array_equal(labels(np.zeros_like(alpha), alpha), alpha)


def test_sixteen_bit_colour_masks_that_are_eight_bit(put):
    import imagecodecs

    colours = (pictures.colours() // 64).astype(np.uint16)
    assert np.array_equal(read_labels(put("mask.png", imagecodecs.png_encode(colours * 257))), colours)
    assert "8 bits" in refusal(read_labels, put("other.png", imagecodecs.png_encode(colours * 256 + 1)))


def test_fractions_and_nan_in_a_mask(put):
    values = np.zeros((4, 5), np.float32)
    assert read_labels(put("whole.tif", pictures.by_tifffile(values + 7))).dtype == np.uint8
    assert read_labels(put("minus.tif", pictures.by_tifffile(values - 1))).tolist() == [[-1] * 5] * 4
    values[2, 3] = 0.25
    assert "0.25" in refusal(read_labels, put("soft.tif", pictures.by_tifffile(values)))
    values[2, 3] = np.nan
    assert "nan" in refusal(read_labels, put("nan.tif", pictures.by_tifffile(values)))


@pytest.mark.parametrize("wanted", [(256, 256), (100, 100), (60, 200), (385, 100), (2000, 2000)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_jpeg_shrinks_but_stays_at_least_as_large_as_asked(put, wanted, orientation):
    large = np.asarray(Image.fromarray(pictures.colours()).resize((1024, 768)))
    path = put("large.jpg", pictures.by_pillow(large, "JPEG", exif=pictures.exif(orientation)))
    full, facts = read_picture(path)
    array, shrunk_facts = read_picture(path, at_least=wanted)
    assert shrunk_facts == facts
    assert all(size >= min(least, whole) for size, least, whole in zip(array.shape, wanted, full.shape, strict=False))
    factor = round(full.shape[0] / array.shape[0])
    assert array.shape[:2] == tuple(-(-size // factor) for size in full.shape[:2])
    next_smaller = [size // (2 * factor) for size in full.shape[:2]]
    assert factor == 8 or any(size < least for size, least in zip(next_smaller, wanted, strict=True))
    rows, columns = full.shape[0] // factor, full.shape[1] // factor
    averaged = full[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3).mean((1, 3))
    assert np.abs(array[:rows, :columns] - averaged).mean() < 4


def test_a_file_is_what_it_holds_whatever_its_name(put):
    assert read_facts(put("really.jpg", pictures.FILES["rgb.png"]())).format == "PNG"
    assert read_facts(put("nothing", pictures.FILES["ct.dcm"]())).format == "DICOM"
    with_tiff_preamble = b"II*\0" + bytes(124) + pictures.FILES["ct.dcm"]()[128:]
    assert read_facts(put("dual.tif", with_tiff_preamble)).format == "DICOM"


def test_suffixes_serve_to_list_folders():
    assert "Scan.NII.GZ".lower().endswith(PICTURE_SUFFIXES)
    assert not "notes.txt".endswith(PICTURE_SUFFIXES)
    assert all(name.endswith(PICTURE_SUFFIXES) for name in pictures.FILES)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"%PDF-1.4", "a PDF document"),
        (b"%!PS-Adobe", "a PostScript document"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\0\0\0\x1cftypavif", "an AVIF or HEIC picture"),
        (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
        (b"<?xml version='1.0'?><svg>", "an SVG drawing"),
        (b"PK\3\4", "a ZIP archive"),
        (b"\x1f\x8b not gzip", "is not a PNG"),
        (b"hello", "is not a PNG"),
    ],
)
def test_other_files_are_named(put, data, words):
    path = put("file.png", data)
    assert not is_picture(path)
    for read in (read_facts, read_picture, read_labels):
        assert words in refusal(read, path)


def test_what_is_no_file(tmp_path):
    assert "does not exist" in refusal(read_picture, tmp_path / "none.png")
    assert "is not a file" in refusal(read_picture, tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    assert "is not a file" in refusal(read_picture, tmp_path / "pipe.png")
    assert not is_picture(tmp_path / "none.png")
    assert not is_picture(tmp_path / "pipe.png")
    refusal(read_picture, tmp_path / ("long" * 200))


def test_limits_are_checked_before_decoding(put, monkeypatch):
    path = put("rgb.png")
    pixels, size = 40 * 56, path.stat().st_size
    assert read_picture(path, limits=Limits(pixels=pixels, bytes=size)).array.size
    assert "million" in refusal(read_facts, path, limits=Limits(pixels=pixels - 1))
    assert "over the limit" in refusal(read_facts, path, limits=Limits(bytes=size - 1))
    assert "memory" in refusal(read_picture, path, limits=Limits(memory=pixels * 3))
    assert Limits.upload().pixels == 40_000_000
    huge = bytearray(path.read_bytes())
    huge[16:24] = (100_000).to_bytes(4) * 2
    huge[29:33] = __import__("zlib").crc32(bytes(huge[12:29])).to_bytes(4)
    assert "100000x100000" in refusal(read_picture, put("huge.png", bytes(huge)))


@pytest.mark.parametrize("name", pictures.FILES)
def test_a_slice_that_is_not_there(put, name):
    path = put(name)
    slices = read_facts(path).slices
    assert read_picture(path, index=slices - 1).facts.slices == slices
    assert f"{slices} slice" in refusal(read_picture, path, index=slices)
    assert f"{slices} slice" in refusal(read_labels, path, index=-1)


def test_regions_outside_of_the_picture(put):
    for name in ("rgb.png", "tiles.tif"):
        with open_regions(put(name)) as regions:
            for region in ((-1, 0, 2, 2), (0, 0, 41, 1), (39, 55, 1, 2), (0, 0, 0, 1)):
                with pytest.raises(UserError, match="does not lie inside"):
                    regions.read(*region)


@pytest.mark.parametrize("name", pictures.FILES)
def test_a_truncated_file_gives_a_sentence(put, name):
    data = pictures.FILES[name]()
    path = put("cut", data[: len(data) // 3])
    if name == "fax.tif":
        return  # its directory lies behind the pixels, so a cut one is no TIFF that any reader would know
    refusal(read_picture, path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken_data_stream.png", "cannot be decoded as PNG"),
        ("decompression_bomb.gif", "cannot be decoded as GIF"),
        ("zero_width.gif", "cannot be decoded as GIF"),
        ("reallybig.bmp", "3000000x2000000 pixels"),
        ("crash-0c7e0e8e11ce787078f00b5b0ca409a167f070e0.tif", "cannot be decoded as TIFF"),
        ("crash-63b1dffefc8c075ddc606c0a2f5fdc15ece78863.tif", "unusual colours"),
    ],
)
def test_hostile_files(name, words):
    assert words in refusal(read_picture, ODD / name)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "notes"),
    [
        ("12bit.cropped.tif", (100, 100, 1), np.uint16, ""),
        ("g4_orientation_6.tif", (88, 590, 1), np.uint8, "1 bit widened, inverted, upright"),
        ("hopper_gray_4bpp.tif", (128, 128, 1), np.uint8, "4 bits widened"),
        ("hopper_orientation_6.jpg", (128, 128, 3), np.uint8, "upright"),
        ("hopper_orientation_8.webp", (128, 128, 3), np.uint8, "upright"),
        ("multipage_multiple_frame_loop.tiff", (10, 10, 3), np.uint8, "palette expanded"),
        ("pal4rle.bmp", (64, 127, 3), np.uint8, "palette expanded"),
        ("pil_sample_cmyk.jpg", (100, 100, 3), np.uint8, "CMYK converted"),
        ("tiff_strip_planar_16bit_RGBa.tiff", (40, 100, 3), np.uint16, "alpha dropped"),
    ],
)
def test_odd_files(name, shape, dtype, notes):
    array, facts = read_picture(ODD / name)
    assert array.shape == shape
    assert array.dtype == dtype
    assert all(any(note in said for said in facts.notes) for note in notes.split(", ") if note)
    with Image.open(ODD / name) as image:
        if dtype == np.uint8:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("L" if shape[2] == 1 else "RGB"), np.int16)
            assert np.abs(array.squeeze() - expected).max() <= 1


def test_decoders_print_and_warn_nothing():
    program = (
        "import sys, warnings; warnings.simplefilter('always')\n"
        "from workbench.data.reading import read_picture\n"
        "from workbench.errors import UserError\n"
        "for path in sys.argv[1:]:\n"
        "    try: read_picture(path)\n"
        "    except UserError: pass\n"
    )
    files = [str(path) for path in sorted(ODD.iterdir())]
    done = subprocess.run([sys.executable, "-c", program, *files], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_reading_is_light_to_import():
    program = (
        "import sys, workbench.data.reading as reading; assert reading.read_picture\n"
        "print([name for name in ('torch', 'pydicom', 'nibabel', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


def test_display():
    eight = pictures.colours()
    assert np.array_equal(to_display(eight), eight)
    assert np.array_equal(to_display(pictures.grey()), np.repeat(eight[:, :, :1], 3, axis=2))
    two = to_display(pictures.colours(2))
    assert np.array_equal(two[:, :, :2], pictures.colours(2))
    assert not two[:, :, 2].any()
    five = to_display(pictures.colours(5, np.uint16))
    assert five.shape == (40, 56, 3)
    assert five.dtype == np.uint8
    assert (five.min(), five.max()) == (0, 255)
    floats = np.linspace(-1000, 1000, 101, dtype=np.float32).reshape(101, 1)
    shown = to_display(floats, Facts(1, 101, 1, 16, "DICOM", window=(0.0, 200.0)))[:, 0, 0]
    assert shown[45] == 0
    assert 120 < shown[50] < 135
    assert shown[55] == 255
    broken = np.array([[np.nan, np.inf], [0, 1]], np.float32)
    assert to_display(broken).shape == (2, 2, 3)
    assert not to_display(np.full((3, 3), 7.0, np.float32)).any()
    sparse = np.zeros((50, 50), np.uint16)
    sparse[3, 4] = 9
    assert to_display(sparse)[3, 4, 0] == 255

"""TIFF by regions: equal to the whole, only what is touched is decoded, no limit of size, hostile directories."""

from __future__ import annotations

import struct

import numpy as np
import pictures
import pytest
import tifffile

from workbench.data.reading import open_regions, read_facts, read_labels, read_picture, read_region
from workbench.errors import UserError

LARGE = np.random.default_rng(0).integers(0, 65536, (150, 210, 3)).astype(np.uint16)


@pytest.fixture
def put(tmp_path):
    """A function that writes an array by tifffile, or bytes, and returns the path."""

    def write(array, name: str = "file.tif", **options):
        path = tmp_path / name
        path.write_bytes(array if isinstance(array, bytes) else pictures.by_tifffile(array, **options))
        return path

    return write


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd", "packbits", "lzma"])
@pytest.mark.parametrize("layout", [{"tile": (32, 48)}, {"rowsperstrip": 11}, {"rowsperstrip": 150}])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_regions_equal_the_whole(put, compression, layout, planes, byteorder):
    predictor = {"predictor": True} if compression in ("zlib", "lzw", "zstd") else {}
    stored = LARGE if planes == "contig" else np.moveaxis(LARGE, 2, 0)
    path = put(
        stored,
        photometric="rgb",
        planarconfig=planes,
        byteorder=byteorder,
        compression=compression,
        **layout,
        **predictor,
    )
    array, facts = read_picture(path)
    assert np.array_equal(array, LARGE)
    random = np.random.default_rng(1)
    with open_regions(path) as regions:
        assert regions.facts == facts
        for _ in range(12):
            (top, bottom), (left, right) = (np.sort(random.choice(size + 1, 2, replace=False)) for size in (150, 210))
            part = regions.read(int(top), int(left), int(bottom - top), int(right - left))
            assert np.array_equal(part, LARGE[top:bottom, left:right])


@pytest.mark.parametrize("layout", [{"tile": (32, 48)}, {"rowsperstrip": 8}])
def test_only_touched_tiles_are_decoded(put, layout):
    """Every tile but the touched ones is destroyed, and the region still reads."""
    path = put(LARGE, compression="zlib", photometric="rgb", **layout)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        across = 5 if "tile" in layout else 1
        rows = 32 if "tile" in layout else 8
    needed = {(row // rows) * across + column // 48 * (across > 1) for row in (64, 69) for column in (100, 139)}
    data = bytearray(path.read_bytes())
    for number, (offset, size) in enumerate(segments):
        if number not in needed:
            data[offset : offset + size] = b"\xff" * size
    path.write_bytes(bytes(data))
    assert np.array_equal(read_region(path, 64, 100, 6, 40), LARGE[64:70, 100:140])
    with pytest.raises(UserError, match="cannot be decoded"):
        read_picture(path)


def test_regions_have_no_limit_of_pixels(tmp_path):
    """A sparse file of 10 gigapixels with one tile."""
    path = tmp_path / "slide.tif"
    side, tile = 100_096, 256
    count = (side // tile) ** 2
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
    tags += [(322, 4, 1, tile), (323, 4, 1, tile), (324, 4, count, 1000), (325, 4, count, 1000 + 4 * count)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    offsets, sizes = np.zeros(count, "<u4"), np.zeros(count, "<u4")
    number = 3 * (side // tile) + 2
    offsets[number], sizes[number] = 1000 + 8 * count, tile * tile
    pixels = np.arange(tile * tile, dtype=np.uint32).reshape(tile, tile).astype(np.uint8)
    head = (struct.pack("<2sHI", b"II", 42, 8) + directory).ljust(1000, b"\0")
    path.write_bytes(head + offsets.tobytes() + sizes.tobytes() + pixels.tobytes())
    with pytest.raises(UserError, match="10019 million"):
        read_picture(path)
    with open_regions(path) as regions:
        assert regions.facts.width == side
        assert np.array_equal(regions.read(768, 512, 256, 256)[:, :, 0], pixels)
        assert not regions.read(side - 300, side - 300, 300, 300).any(), "tiles that are left out are black"
        with pytest.raises(UserError, match="smaller regions"):
            regions.read(0, 0, side, side)


def test_large_uncompressed_strips_are_read_by_rows(tmp_path):
    """One strip of 3 GB that is not there but as a hole in the file."""
    path = tmp_path / "raw.tif"
    tifffile.memmap(path, shape=(60_000, 50_000), dtype=np.uint8)[59_999, 49_990:] = 7
    assert read_region(path, 59_998, 49_988, 2, 12)[:, :, 0].tolist() == [[0] * 12, [0, 0] + [7] * 10]


@pytest.mark.parametrize("name", ["tiles.tif", "rgb.png"])
def test_what_goes_wrong_between_regions_is_not_blamed_on_the_file(put, name):
    def stumble(path) -> None:
        with open_regions(path) as regions:
            regions.read(0, 0, 2, 2)
            raise RuntimeError("of the caller")

    with pytest.raises(RuntimeError, match="of the caller"):
        stumble(put(pictures.FILES[name]()))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4, 7])
def test_many_channels(put, dtype, channels):
    array = pictures.colours(channels, dtype)
    path = put(array, photometric="minisblack", planarconfig="contig", tile=(16, 16))
    assert np.array_equal(read_picture(path).array, array)
    assert np.array_equal(read_region(path, 3, 4, 20, 30), array[3:23, 4:34])


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint32, np.int32, np.float16, np.float64])
def test_other_numbers_become_float32_and_masks_stay(put, dtype):
    values = np.arange(-20 if np.dtype(dtype).kind != "u" else 0, 44).reshape(-1, 4).astype(dtype)
    path = put(values)
    array, facts = read_picture(path)
    assert array.dtype == np.float32
    assert np.array_equal(array[:, :, 0], values)
    assert facts.notes == (f"{np.dtype(dtype)} read as float32",)
    assert np.array_equal(read_labels(path), values)


def test_complex_numbers_are_refused(put):
    with pytest.raises(UserError, match="unusual colours or numbers"):
        read_picture(put(np.ones((4, 5), np.complex64)))


def test_white_stored_as_zero_is_inverted(put):
    path = put(pictures.grey(), photometric="miniswhite")
    array, facts = read_picture(path)
    assert np.array_equal(array[:, :, 0], 255 - pictures.grey())
    assert any("inverted" in note for note in facts.notes)
    assert np.array_equal(read_labels(path), 255 - pictures.grey())


def test_alpha(put):
    rgba = pictures.colours(4)
    array, facts = read_picture(put(rgba, photometric="rgb", extrasamples=["unassalpha"]))
    assert np.array_equal(array, rgba[:, :, :3])
    assert facts.notes == ("alpha dropped",)
    assert read_picture(put(rgba, photometric="rgb", extrasamples=["unspecified"])).array.shape[2] == 4


def test_pages_are_slices(put):
    stack = np.stack([pictures.grey() + step for step in range(5)])
    path = put(stack, photometric="minisblack", metadata=None)
    assert read_facts(path).slices == 5
    assert np.array_equal(read_picture(path, index=3).array[:, :, 0], stack[3])
    assert np.array_equal(read_labels(path, index=4), stack[4])
    assert np.array_equal(read_region(path, 1, 2, 3, 4, index=2)[:, :, 0], stack[2, 1:4, 2:6])


def test_pages_of_different_sizes(tmp_path):
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as writer:
        for size in (10, 20, 30):
            writer.write(np.full((size, size + 1), size, np.uint8), metadata=None)
    assert [read_facts(path, index=index).height for index in range(3)] == [10, 20, 30]


@pytest.mark.parametrize(("kind", "axes"), [("imagej", "TZCYX"), ("ome", "TZCYX"), ("ome", "CTZYX"), ("ome", "ZCTYX")])
def test_channels_in_pages_of_their_own_are_gathered(put, kind, axes):
    sizes = {"T": 2, "Z": 3, "C": 4, "Y": 8, "X": 9}
    count = int(np.prod(list(sizes.values())))
    stack = np.arange(count, dtype=np.uint16).reshape([sizes[axis] for axis in axes])
    path = put(stack, name="stack.ome.tif", **{kind: True}, metadata={"axes": axes}, photometric="minisblack")
    others = [axis for axis in axes if axis not in "CYX"]
    expected = np.transpose(stack, [axes.index(axis) for axis in (*others, "Y", "X", "C")]).reshape(6, 8, 9, 4)
    assert read_facts(path).slices == 6
    for index in range(6):
        assert np.array_equal(read_picture(path, index=index).array, expected[index])


def test_spacing(put):
    fiji = put(pictures.grey(), imagej=True, resolution=(4, 2), metadata={"unit": "micron"})
    assert read_facts(fiji).spacing == pytest.approx((0.0005, 0.00025))
    assert read_facts(put(pictures.grey(), resolution=(100, 50), resolutionunit="CENTIMETER")).spacing == (0.2, 0.1)
    assert read_facts(put(pictures.grey(), resolution=(300, 300), resolutionunit="INCH")).spacing is None


def directory(tags: list[tuple[int, int, int, int]], following: int = 0, at: int = 8) -> bytes:
    """A TIFF of one directory."""
    body = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return struct.pack("<2sHI", b"II", 42, at) + struct.pack("<H", len(tags)) + body + struct.pack("<I", following)


GOOD = [
    (256, 4, 1, 16),
    (257, 4, 1, 16),
    (258, 3, 1, 8),
    (259, 3, 1, 1),
    (262, 3, 1, 1),
    (273, 4, 1, 200),
    (279, 4, 1, 256),
]


def changed(**tags: int) -> list[tuple[int, int, int, int]]:
    """The good directory with other values, by tag number."""
    numbers = {int(name[1:]): value for name, value in tags.items()}
    kept = [tag for tag in GOOD if tag[0] not in numbers]
    return kept + [(number, 4, 1, value) for number, value in numbers.items()]


@pytest.mark.parametrize(
    "tags",
    [
        changed(t256=2**32 - 1, t257=2**32 - 1),
        changed(t256=0),
        changed(t257=0),
        changed(t258=0),
        changed(t277=60_000),
        changed(t259=34892),
        changed(t279=2**32 - 1, t273=2**32 - 2),
        changed(t322=2**31, t323=2**31, t324=200, t325=256),
        changed(t322=0, t323=0, t324=200, t325=256),
        changed(t278=0, t259=8),
        changed(t256=15_000, t257=15_000, t322=1, t323=1, t324=200, t325=256, t259=8),
        changed(t32997=2**31),
        [(number, kind, 2**31, value) for number, kind, _, value in GOOD],
    ],
)
def test_hostile_directories(put, tags):
    path = put(directory(tags).ljust(600, b"\1"))
    for read in (read_picture, read_labels):
        with pytest.raises(UserError):
            read(path)
    with pytest.raises(UserError), open_regions(path) as regions:
        regions.read(0, 0, regions.facts.height, regions.facts.width)


def test_directories_that_go_in_a_circle(put):
    path = put(directory(GOOD, following=8).ljust(600, b"\1"))
    assert read_facts(path).slices == 1
    assert read_picture(path).array.shape == (16, 16, 1)
    with pytest.raises(UserError, match="index 1 is not there"):
        read_picture(path, index=1)


def test_a_jpeg_larger_than_its_tile(put):
    whole = pictures.by_pillow(np.zeros((600, 600, 3), np.uint8), "JPEG")
    tags = [tag for tag in changed(t259=7, t262=6, t279=len(whole), t277=3) if tag[0] != 258]
    path = put(directory([*tags, (258, 3, 1, 8)]).ljust(200, b"\0") + whole)
    with pytest.raises(UserError, match="cannot be decoded"):
        read_picture(path)

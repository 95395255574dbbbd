"""TIFF by its tiles and strips: of a picture of any size, only what a region touches is decoded."""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tifffile import TiffFile, TiffPage

from workbench.data.reading.facts import FILE_LIMITS, Facts, Opened, size_of
from workbench.data.reading.guard import check_index, check_region, mending
from workbench.data.reading.jpeg import jpeg_size
from workbench.data.reading.orientation import TURNS, UPRIGHT
from workbench.data.reading.tiff_pages import page_count, pages_of_pictures, spacing_of
from workbench.data.reading.tiff_pixels import JPEG, Pixels
from workbench.errors import UserError

logging.getLogger("tifffile").addHandler(logging.NullHandler())

COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34925, 50000}
"""None, three of fax, LZW, JPEG, deflate, PackBits, old deflate, LZMA, Zstandard: those whose output is bounded."""

ORIENTATION = 274
SLIVER, MOST_SLIVERS = 64, 100_000
"""Pixels of a tile that is too small where there are so many of them."""
KEPT = 64 << 20
"""Bytes of decoded tiles that are kept for the next region."""


def open_tiff(file: BinaryIO, path: Path, index: int, axis: int | None) -> Opened:
    """The whole of one picture."""
    regions = TiffRegions(file, path, index)
    facts = regions.facts
    return Opened(
        facts,
        regions.memory(facts.height, facts.width),
        lambda _at_least: regions.read(0, 0, facts.height, facts.width),
        regions.labels,
    )


class TiffRegions:
    """One picture of a TIFF: one page, or several where each holds a channel. Not for several threads at once."""

    def __init__(self, file: BinaryIO, path: Path, index: int, most_memory: int = FILE_LIMITS.memory) -> None:
        self._file, self._path, self._most_memory = file, path, most_memory
        self._tiff = TiffFile(file, _multifile=False, is_lsm=False, is_ndpi=False, is_scanimage=False)
        first = self._page(0)
        pictures = pages_of_pictures(first, page_count(file), path)
        check_index(path, index, len(pictures))
        self._pages = [self._page(number) for number in pictures[index]]
        page = self._pages[0]
        if any((other.shaped, other.dtype) != (page.shaped, page.dtype) for other in self._pages):
            raise UserError(f"{path} has channels of different sizes or depths; save each as a file of its own.")
        self._pixels = Pixels(page, len(self._pages), path)
        self._turn = TURNS.get(page.tags.valueof(ORIENTATION, 1), UPRIGHT)
        self._kept: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._kept_bytes = 0
        self.facts = self._facts(page, len(pictures))

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Pixels [height, width, channels] as `read_picture` gives them."""
        with mending(self._path, "TIFF"):
            return self._pixels.shown(self._stored(top, left, height, width))

    def labels(self) -> np.ndarray:
        """Stored values of the whole picture [h, w, channels]."""
        return self._pixels.stored(self._stored(0, 0, self.facts.height, self.facts.width))

    def memory(self, height: int, width: int) -> int:
        """Bytes at the peak of reading a region of that size."""
        page = self._pages[0]
        samples = len(self._pages) * page.shaped[0] * page.shaped[4]
        a_pixel = samples * _dtype(page).itemsize * 2 + self._pixels.bytes_a_pixel
        return height * width * a_pixel + 3 * _tile_bytes(page)

    def _facts(self, page: TiffPage, pictures: int) -> Facts:
        height, width, spacing = page.imagelength, page.imagewidth, spacing_of(page)
        if self._turn.transpose:
            height, width = width, height
            spacing = spacing and spacing[::-1]
        oriented = self._turn != UPRIGHT
        return Facts(
            width,
            height,
            self._pixels.channels,
            self._pixels.bits,
            "TIFF",
            slices=pictures,
            oriented=oriented,
            spacing=spacing,
            notes=(*self._pixels.notes, "turned upright as the file says") if oriented else self._pixels.notes,
        )

    def _page(self, number: int) -> TiffPage:
        page = self._tiff.pages[number]
        assert isinstance(page, TiffPage)
        if page.compression not in COMPRESSIONS:
            raise UserError(
                f"{self._path} is a TIFF compressed in an unusual way (number {int(page.compression)}); save it with "
                "deflate, LZW or no compression."
            )
        if page.dtype is None or page.imagedepth != 1 or 0 in page.shaped:
            raise UserError(f"{self._path} is a TIFF of an unusual depth or size; save it as 8 or 16 bits a channel.")
        return page

    def _stored(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        facts = self.facts
        check_region(self._path, facts, top, left, height, width)
        if self.memory(height, width) > self._most_memory:
            raise UserError(
                f"{self._path} needs over {self._most_memory / 1e9:.1f} GB of memory for a region of {width}x{height} "
                "pixels; read smaller regions, or save it with smaller tiles or strips."
            )
        region = self._turn.stored_region((top, left, height, width), facts.height, facts.width)
        planes = [self._region_of(page, *region) for page in self._pages]
        stored = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
        return np.ascontiguousarray(self._turn.apply(stored))

    def _region_of(self, page: TiffPage, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Stored samples [height, width, samples] of one page."""
        separate, _, _, _, together = page.shaped
        if page.is_memmappable:
            whole = np.memmap(
                self._file, _dtype(page).newbyteorder(self._tiff.byteorder), "r", page.dataoffsets[0], page.shaped
            )
            block = whole[:, 0, top : top + height, left : left + width]
        else:
            block = np.zeros((separate, height, width, together), _dtype(page))
            for plane, y, x, tile in self._tiles(page, top, left, height, width):
                _paste(block[plane], tile, y - top, x - left)
        block = block[0] if separate == 1 else block[..., 0].transpose(1, 2, 0)
        return block.astype(_dtype(page), copy=page.is_memmappable)

    def _tiles(
        self, page: TiffPage, top: int, left: int, height: int, width: int
    ) -> Iterator[tuple[int, int, int, np.ndarray]]:
        """Every tile or strip that the region touches: its plane, row and column of its corner, and [h, w, samples]."""
        tall, wide = _tile_size(page)
        down, across = math.ceil(page.imagelength / tall), math.ceil(page.imagewidth / wide)
        count = page.shaped[0] * down * across
        if count > len(page.dataoffsets) or (count > MOST_SLIVERS and tall * wide < SLIVER):
            raise ValueError("fewer tiles than the picture needs, or far too many")
        numbers = [
            (plane * down + row) * across + column
            for plane in range(page.shaped[0])
            for row in range(top // tall, (top + height - 1) // tall + 1)
            for column in range(left // wide, (left + width - 1) // wide + 1)
        ]
        if sum(page.databytecounts[number] for number in numbers) > 4 * size_of(self._file):
            raise ValueError("tiles that together are larger than the file")
        for number in numbers:
            plane, row = divmod(number // across, down)
            tile = self._tile(page, number)
            if tile is not None:
                yield plane, row * tall, number % across * wide, tile

    def _tile(self, page: TiffPage, number: int) -> np.ndarray | None:
        """A decoded tile [h, w, samples]; None where the file leaves it out."""
        key = (page.index, number)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        self._file.seek(page.dataoffsets[number])
        data = self._file.read(page.databytecounts[number])
        if not data:
            if page.databytecounts[number]:
                raise EOFError
            return None
        tables = {}
        if page.compression == JPEG:
            tables["jpegtables"] = page.jpegtables
            if any(mine > told for mine, told in zip(jpeg_size(data) or (), _tile_size(page), strict=False)):
                raise ValueError("a JPEG larger than its tile")
        decoded = page.decode(data, number, **tables)[0]
        assert decoded is not None
        tile = decoded[0]
        self._kept[key] = tile
        self._kept_bytes += tile.nbytes
        while len(self._kept) > 1 and self._kept_bytes > KEPT:
            self._kept_bytes -= self._kept.popitem(last=False)[1].nbytes
        return tile


def _dtype(page: TiffPage) -> np.dtype:
    assert page.dtype is not None, "pages without one are refused"
    return page.dtype


def _tile_size(page: TiffPage) -> tuple[int, int]:
    return (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)


def _tile_bytes(page: TiffPage) -> int:
    """What decoding one tile or strip needs."""
    if page.is_memmappable:
        return 0
    tall, wide = _tile_size(page)
    return tall * wide * page.shaped[4] * _dtype(page).itemsize


def _paste(block: np.ndarray, tile: np.ndarray, y: int, x: int) -> None:
    """Copies what of a tile lies inside of the block; (y, x) is its corner there, perhaps negative."""
    rows, columns = slice(max(y, 0), max(y + tile.shape[0], 0)), slice(max(x, 0), max(x + tile.shape[1], 0))
    target = block[rows, columns]
    down, right = max(-y, 0), max(-x, 0)
    target[:] = tile[down : down + target.shape[0], right : right + target.shape[1]]

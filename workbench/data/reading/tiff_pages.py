"""Which pages of a TIFF make one picture, how many there are, and how large a pixel is."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

from tifffile import TiffPage

from workbench.errors import UserError

MOST_PAGES = 100_000

CENTIMETRE = 3
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296

MILLIMETRES = {
    "micron": 1e-3,
    "um": 1e-3,
    "µm": 1e-3,
    "\\u00b5m": 1e-3,
    "mm": 1.0,
    "cm": 10.0,
    "inch": 25.4,
    "nm": 1e-6,
}
"""ImageJ's names of units."""


def page_count(file: BinaryIO) -> int:
    """Length of the chain of pages; ends where it bites its own tail or leaves the file."""
    file.seek(0)
    header = file.read(16)
    order = "<" if header[:2] == b"II" else ">"
    big = header[2:4] in (b"+\0", b"\0+")
    offset_code, count_code, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    (offset,) = struct.unpack_from(order + offset_code, header, 8 if big else 4)
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) < MOST_PAGES:
        file.seek(offset)
        head = file.read(struct.calcsize(count_code))
        if len(head) < struct.calcsize(count_code):
            break
        seen.add(offset)
        (entries,) = struct.unpack(order + count_code, head)
        if entries > 4096:
            break
        file.seek(entries * entry, 1)
        tail = file.read(struct.calcsize(offset_code))
        offset = struct.unpack(order + offset_code, tail)[0] if len(tail) == struct.calcsize(offset_code) else 0
    return len(seen)


def pages_of_pictures(first: TiffPage, count: int, path: Path) -> list[range]:
    """For every picture its pages: one, or one a channel where ImageJ or OME says that channels are pages."""
    told = re.search(r"^images=(\d{1,9})", first.description, re.MULTILINE) if first.is_imagej else None
    if told and int(told[1]) != count:
        raise UserError(
            f"{path} is an ImageJ stack of {told[1]} images, of which the file lists {count}: it is cut short, or over "
            "4 GB; save it anew as OME-TIFF."
        )
    channels, before = _channels(first)
    if channels == 1 or first.samplesperpixel > 1 or count % (channels * before):
        return [range(number, number + 1) for number in range(count)]
    block = channels * before
    return [range(start + inner, start + block, before) for start in range(0, count, block) for inner in range(before)]


def spacing_of(page: TiffPage) -> tuple[float, float] | None:
    """Millimetres a pixel (row, column), where the unit is one of length and not the dots an inch of a printer."""
    unit = page.tags.valueof(RESOLUTION_UNIT)
    if page.is_imagej:
        named = re.search(r"^unit=(\S+)", page.description, re.MULTILINE)
        size = MILLIMETRES.get(named[1]) if named else None
    else:
        size = 10.0 if unit == CENTIMETRE else None
    resolution = [page.tags.valueof(tag) for tag in (Y_RESOLUTION, X_RESOLUTION)]
    if size is None or any(not value or not value[0] or not value[1] for value in resolution):
        return None
    row, column = (size * below / above for above, below in resolution)
    return row, column


def _channels(page: TiffPage) -> tuple[int, int]:
    """Number of channels that are pages of their own, and how many pages lie between one and the next."""
    text = page.description
    if page.is_imagej:
        named = re.search(r"^channels=(\d{1,4})", text, re.MULTILINE)
        return (max(int(named[1]), 1) if named else 1), 1
    if not page.is_ome:
        return 1, 1
    pixels = re.search(r"<(?:\w+:)?Pixels\b[^>]*>", text)
    sizes = dict(re.findall(r'\bSize([CZT])="(\d{1,6})"', pixels[0])) if pixels else {}
    order = re.search(r'\bDimensionOrder="XY([CZT]{3})"', pixels[0]) if pixels else None
    if not order or set(sizes) != set("CZT"):
        return 1, 1
    before = 1
    for letter in order[1].split("C")[0]:
        before *= max(int(sizes[letter]), 1)
    return max(int(sizes["C"]), 1), before

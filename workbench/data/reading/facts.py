"""What is known about a picture file, and how large one may be; knows nothing of any format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Facts:
    """What a file says; height, width and channels are those of the array that `read_picture` gives at full size."""

    width: int
    height: int
    channels: int
    bits: int
    """Bits a channel as stored: 1, 2, 4, 8, 16, 32 ..."""
    format: str
    """By content, never by suffix: "PNG", "TIFF", "DICOM", "NIfTI" ..."""
    slices: int = 1
    """Pages, frames or slices that `index` can choose."""
    oriented: bool = False
    """A rotation or mirroring that the file asks for was applied; width and height are after it."""
    spacing: tuple[float, float] | None = None
    """Millimetres a pixel (row, column), where the file knows."""
    window: tuple[float, float] | None = None
    """Centre and width of the grey values that the file wants shown (DICOM)."""
    notes: tuple[str, ...] = ()
    """What was done to the pixels, to be said to the user: "palette expanded to RGB", "alpha dropped" ..."""


@dataclass(frozen=True)
class Limits:
    """Bounds that are checked on the header, before anything is decoded."""

    pixels: int = 256_000_000
    """Height times width."""
    bytes: int = 4 << 30
    """The file's size."""
    memory: int = 1_850_000_000
    """Bytes that decoding may need at its peak, array included."""

    @classmethod
    def upload(cls) -> Limits:
        """For files that come through a browser."""
        return cls(pixels=40_000_000, bytes=256 << 20, memory=1 << 30)


FILE_LIMITS = Limits()
"""The default, for files of the user's own disk."""


class Picture(NamedTuple):
    """Decoded pixels [h, w, channels] (uint8, uint16 or float32) and what the file says about them."""

    array: np.ndarray
    facts: Facts

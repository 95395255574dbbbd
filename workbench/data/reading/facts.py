"""What is known about a picture file, and how large one may be; knows nothing of any format."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

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


class Opened(NamedTuple):
    """A file whose header was read: what every format gives, so that limits are checked before `picture` is called."""

    facts: Facts
    memory: int
    """Bytes that decoding will need at its peak."""
    picture: Callable[[tuple[int, int] | None], np.ndarray]
    """Decodes to [h, w, channels]; may shrink while it stays at least (height, width)."""
    labels: Callable[[], np.ndarray]
    """Decodes to stored values [h, w, channels], alpha taken away."""


def size_of(file: BinaryIO) -> int:
    """Bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def widening_note(bits: int) -> str:
    """What `widened` did, in words."""
    return "1 bit widened to 0 and 255" if bits == 1 else f"{bits} bits widened to 0..255"


def widened(array: np.ndarray, largest: int) -> np.ndarray:
    """uint8 values 0..largest as 0..255."""
    return (np.arange(256) * (255 / largest)).round().clip(0, 255).astype(np.uint8)[array]

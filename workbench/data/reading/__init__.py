"""Any picture file to an array and facts, within limits; knows nothing of data sets, models or training."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np

from workbench.data.reading.facts import FILE_LIMITS, Facts, Limits, Picture

__all__ = [
    "PICTURE_SUFFIXES",
    "Facts",
    "Limits",
    "Picture",
    "Regions",
    "is_picture",
    "open_regions",
    "read_facts",
    "read_labels",
    "read_picture",
    "read_region",
    "to_display",
]

PICTURE_SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".bmp",
    ".gif",
    ".pbm",
    ".pgm",
    ".ppm",
    ".pnm",
    ".tif",
    ".tiff",
    ".dcm",
    ".nii",
    ".nii.gz",
)
"""For listing folders: `name.lower().endswith(PICTURE_SUFFIXES)`; what a file is, its content decides."""


class Regions(Protocol):
    """An open picture of any size; `read(top, left, height, width)` gives [height, width, channels]."""

    facts: Facts

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray: ...


def is_picture(path: str | Path) -> bool:
    """Whether the file's first bytes are those of a format that can be read."""
    raise NotImplementedError


def read_facts(path: str | Path, *, axis: int | None = None, limits: Limits = FILE_LIMITS) -> Facts:
    """What the header says, checked against the limits; decodes nothing."""
    raise NotImplementedError


def read_picture(
    path: str | Path,
    *,
    index: int = 0,
    axis: int | None = None,
    at_least: tuple[int, int] | None = None,
    limits: Limits = FILE_LIMITS,
) -> Picture:
    """The picture at its own bit depth.

    `index` chooses a page, frame or slice; `axis` the direction of a NIfTI volume's slices (canonical: 0 from left to
    right, 1 from back to front, 2 from foot to head; by default the one with the coarsest spacing). `at_least` (height,
    width) lets the JPEG decoder shrink the picture by 2, 4 or 8 while it stays at least so large; facts stay those of
    the full size.
    """
    raise NotImplementedError


def read_labels(
    path: str | Path, *, index: int = 0, axis: int | None = None, limits: Limits = FILE_LIMITS
) -> np.ndarray:
    """A mask file as stored: [h, w] integers, or [h, w, 3] uint8 if it is stored in colour.

    Palette indices stay indices, 1 bit gives 0 and 1, 16 bit stays. Alpha is dropped; but where the colour is constant
    and alpha is not, alpha is the mask, and where both vary, fully transparent pixels are 0.
    """
    raise NotImplementedError


def read_region(path: str | Path, top: int, left: int, height: int, width: int, *, index: int = 0) -> np.ndarray:
    """A part of a picture [height, width, channels]; of a TIFF only the tiles or strips that it touches are decoded."""
    with open_regions(path, index=index) as regions:
        return regions.read(top, left, height, width)


def open_regions(path: str | Path, *, index: int = 0, limits: Limits = FILE_LIMITS) -> AbstractContextManager[Regions]:
    """Many regions of one picture: a TIFF of any size by its tiles, any other format decoded once, within limits."""
    raise NotImplementedError


def to_display(array: np.ndarray, facts: Facts | None = None) -> np.ndarray:
    """uint8 RGB [h, w, 3] for previews of a `Picture.array` or an [h, w] array.

    8 bit stays; 16 bit and float are shown by the file's window or else from their 1st to 99.8th percentile; of many
    channels the first three are shown, a second without a third as green.
    """
    raise NotImplementedError

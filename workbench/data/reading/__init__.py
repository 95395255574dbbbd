"""Any picture file to an array and facts, within limits; knows nothing of data sets, models or training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from workbench.data.reading.dicom import open_dicom
from workbench.data.reading.display import to_display
from workbench.data.reading.facts import FILE_LIMITS, Facts, Limits, Opened, Picture
from workbench.data.reading.formats import HEAD, PICTURE_SUFFIXES, format_of
from workbench.data.reading.guard import check_index, check_limits, check_region, mending, opened_file
from workbench.data.reading.labels import as_labels
from workbench.data.reading.nifti import open_nifti
from workbench.data.reading.pnm import open_pnm
from workbench.data.reading.raster import open_bmp, open_gif, open_jpeg, open_png, open_webp
from workbench.data.reading.tiff import TiffRegions, open_tiff

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

OPENERS: dict[str, Callable[[BinaryIO, Path, int, int | None], Opened]] = {
    "PNG": open_png,
    "JPEG": open_jpeg,
    "WebP": open_webp,
    "BMP": open_bmp,
    "GIF": open_gif,
    "PNM": open_pnm,
    "TIFF": open_tiff,
    "DICOM": open_dicom,
    "NIfTI": open_nifti,
}
"""Each takes the open file, its path, the index of a slice and the axis of slices, and reads the header."""


class Regions(Protocol):
    """An open picture; `read(top, left, height, width)` gives [height, width, channels]."""

    facts: Facts

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray: ...


def is_picture(path: str | Path) -> bool:
    """Whether the file's first bytes are those of a format that can be read."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return format_of(file.read(HEAD)) is not None


def read_facts(path: str | Path, *, index: int = 0, axis: int | None = None, limits: Limits = FILE_LIMITS) -> Facts:
    """What the header says, checked against the limits; decodes nothing."""
    with _opened(path, index, axis, limits) as opened:
        return opened.facts


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
    with _opened(path, index, axis, limits) as opened:
        array, facts = opened.picture(at_least), opened.facts
        if array.shape[2] != facts.channels or (not at_least and array.shape[:2] != (facts.height, facts.width)):
            raise ValueError("The pixels are others than the header tells.")
        return Picture(np.ascontiguousarray(array), facts)


def read_labels(
    path: str | Path, *, index: int = 0, axis: int | None = None, limits: Limits = FILE_LIMITS
) -> np.ndarray:
    """A mask file as stored: [h, w] integers, or [h, w, 3] uint8 if it is stored in colour.

    Palette indices stay indices, 1 bit gives 0 and 1, 16 bit stays. Alpha is dropped; but where the colour is constant
    and alpha is not, alpha is the mask, and where both vary, fully transparent pixels are 0.
    """
    with _opened(path, index, axis, limits) as opened:
        return np.ascontiguousarray(as_labels(opened.labels(), Path(path)))


def read_region(path: str | Path, top: int, left: int, height: int, width: int, *, index: int = 0) -> np.ndarray:
    """A part of a picture [height, width, channels]; of a TIFF only the tiles or strips that it touches are decoded."""
    with open_regions(path, index=index) as regions:
        return regions.read(top, left, height, width)


@contextmanager
def open_regions(
    path: str | Path, *, index: int = 0, axis: int | None = None, limits: Limits = FILE_LIMITS
) -> Iterator[Regions]:
    """Many regions of one picture: a TIFF of any size by its tiles, any other format decoded once, within limits."""
    path = Path(path)
    with opened_file(path) as (file, name):
        if name == "TIFF":
            with mending(path, name):
                regions = TiffRegions(file, path, index, limits.memory)
            yield regions  # outside of the mending: what goes wrong between two regions is not the file's fault
            return
    yield WholePicture(path, read_picture(path, index=index, axis=axis, limits=limits))


class WholePicture:
    """A decoded picture, cut into regions."""

    def __init__(self, path: Path, picture: Picture) -> None:
        self._path = path
        self._array, self.facts = picture

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Pixels [height, width, channels]."""
        check_region(self._path, self.facts, top, left, height, width)
        return self._array[top : top + height, left : left + width].copy()


@contextmanager
def _opened(path: str | Path, index: int, axis: int | None, limits: Limits) -> Iterator[Opened]:
    path = Path(path)
    with opened_file(path, limits.bytes) as (file, name), mending(path, name):
        opened = OPENERS[name](file, path, index, axis)
        check_index(path, index, opened.facts.slices)
        check_limits(path, opened, limits)
        yield opened

"""What one picture and its mask show: a few kilobytes of facts, from which all findings are made."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import cv2
import numpy as np

from workbench.data.cores import usable_cores
from workbench.data.labels import flat
from workbench.data.reading import Facts
from workbench.data.source import Item, Size, Source
from workbench.errors import UserError

AT_LEAST = (384, 384)
"""Larger pictures may be decoded smaller, but not below this."""
THUMBNAIL = 32
BORDER = 128
VALUES = 1024
"""The most frequent values of a mask that are counted one by one."""
SOFT = 0.2
"""Masks with a larger share of in-between values along their borders are soft; hard ones stay below 0.05."""
AT_ONCE = 8
"""Pictures that a process takes at a time."""
FEW = 48
"""So few pictures are not worth starting processes for."""


class Plane(NamedTuple):
    """A mask as stored, or one class of a multilabel mask."""

    stored: np.ndarray
    """The values that occur (colours as 0xRRGGBB), the most frequent first."""
    counts: np.ndarray
    """How many pixels have each."""
    is_colour: bool
    between: float
    """The share of pixels at borders whose value lies strictly between those around it; next to none in hard masks."""
    ramp: float
    """How many pixels wide the way from the lower half to the upper half of the values is."""

    @property
    def values(self) -> dict[int, int]:
        """Stored value to its number of pixels."""
        return dict(zip(self.stored.tolist(), self.counts.tolist(), strict=True))

    @property
    def is_soft(self) -> bool:
        """Whether values between those of the classes lie along its borders."""
        return self.between > SOFT and len(self.stored) > 2


class PictureLook(NamedTuple):
    """What a picture shows."""

    facts: Facts
    dtype: str
    mean: float
    deviation: float
    low: float
    high: float
    all_finite: bool
    digest: bytes
    """Equal for pictures that are equal in every pixel."""
    thumbnail: np.ndarray
    """float16 [32, 32] grey values of mean 0 and deviation 1."""
    borders: np.ndarray | None
    """float32 [4, 2, 128]: for top, bottom, left and right the outermost grey values and those next to them."""

    @property
    def size(self) -> Size:
        """Height and width, upright."""
        return self.facts.height, self.facts.width

    @property
    def is_constant(self) -> bool:
        return self.low == self.high


class MaskLook(NamedTuple):
    """What a mask shows."""

    size: Size
    planes: tuple[Plane, ...]
    """One, or for multilabel masks one a class."""
    digest: bytes

    @property
    def values(self) -> set[int]:
        """The stored values of all planes."""
        return {value for plane in self.planes for value in plane.stored.tolist()}

    @property
    def is_soft(self) -> bool:
        """Whether values between those of the classes lie along borders."""
        return any(plane.is_soft for plane in self.planes)


class Look(NamedTuple):
    """A picture and its mask, looked at; what could not be read is None and has an error."""

    picture: PictureLook | None
    mask: MaskLook | None
    picture_error: str = ""
    mask_error: str = ""


def look_at_all(
    source: Source, progress: Callable[[int, int], None] | None = None, workers: int | None = None
) -> Iterator[Look]:
    """A look at every item, in order; `workers` processes share the work (None: one a core) where it is worth it."""
    for done, found in enumerate(_looks(source, workers or usable_cores()), start=1):
        yield found
        if progress:
            progress(done, len(source.items))


def _looks(source: Source, workers: int) -> Iterator[Look]:
    look_at = partial(look, source.keep(()))
    if workers == 1 or len(source.items) <= FEW:
        yield from map(look_at, source.items)
        return
    context = get_context("forkserver" if os.name == "posix" else "spawn")
    with ProcessPoolExecutor(workers, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        try:
            yield from pool.map(look_at, source.items, chunksize=AT_ONCE)
        except BrokenProcessPool as error:
            raise UserError(
                "A process that read pictures died: the memory was full, a file crashed its decoder, or a script that "
                "checks lacks `if __name__ == '__main__':`. With workers=1 it is done in one process."
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def look(source: Source, item: Item) -> Look:
    """Read a picture and its mask; what the reader refuses is told in the look."""
    picture, mask, picture_error, mask_error = None, None, "", ""
    try:
        picture = _look_at_picture(*source.read_image(item, at_least=AT_LEAST))
    except UserError as error:
        picture_error = str(error)
    try:
        mask = _look_at_mask(source.read_raw_mask(item), source.multilabel)
    except UserError as error:
        mask_error = str(error)
    return Look(picture, mask, picture_error, mask_error)


def _look_at_picture(array: np.ndarray, facts: Facts) -> PictureLook:
    all_finite = array.dtype != np.float32 or bool(np.isfinite(array).all())
    values = array if all_finite else np.nan_to_num(array, posinf=0, neginf=0)
    mean, deviation = cv2.meanStdDev(values.reshape(-1, 1, 1))
    grey = _grey(values)
    return PictureLook(
        facts=facts,
        dtype=array.dtype.name,
        mean=float(mean[0, 0]),
        deviation=float(deviation[0, 0]),
        low=float(values.min()),
        high=float(values.max()),
        all_finite=all_finite,
        digest=_digest(array),
        thumbnail=_thumbnail(grey),
        borders=_borders(grey),
    )


def _grey(array: np.ndarray) -> np.ndarray:
    if array.shape[2] == 1:
        return array[:, :, 0].astype(np.float32)
    if array.shape[2] == 3:
        return cv2.cvtColor(array, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return array.mean(axis=2, dtype=np.float32)


def _thumbnail(grey: np.ndarray) -> np.ndarray:
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return ((small - small.mean()) / (small.std() or 1)).astype(np.float16)


def _borders(grey: np.ndarray) -> np.ndarray | None:
    if min(grey.shape) < 16:
        return None
    pairs = (grey[:2], grey[:-3:-1], grey[:, :2].T, grey[:, :-3:-1].T)
    return np.stack(
        [cv2.resize(np.ascontiguousarray(pair), (BORDER, 2), interpolation=cv2.INTER_AREA) for pair in pairs]
    )


def _look_at_mask(stored: np.ndarray, multilabel: bool) -> MaskLook:
    planes = tuple(stored) if multilabel else (stored,)
    height, width = planes[0].shape[:2]
    return MaskLook((height, width), tuple(map(_look_at_plane, planes)), _digest(stored))


def _digest(array: np.ndarray) -> bytes:
    return hashlib.blake2b(
        np.ascontiguousarray(array).data, digest_size=16, key=f"{array.shape}{array.dtype}".encode()
    ).digest()


def _look_at_plane(plane: np.ndarray) -> Plane:
    is_colour = plane.ndim == 3
    packed = flat(plane)
    if packed.dtype == np.uint8:
        counts = np.bincount(packed.ravel(), minlength=256)
        values = np.flatnonzero(counts)
        counts = counts[values]
    else:
        values, counts = np.unique(packed, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:VALUES]
    between, ramp = _softness(plane) if len(values) > 2 else (0.0, 0.0)
    return Plane(values[most], counts[most], is_colour, between, ramp)


def _softness(plane: np.ndarray) -> tuple[float, float]:
    """The share of border pixels that lie between their neighbours, and the width of such borders."""
    values = plane if plane.dtype in (np.uint8, np.uint16) else plane.astype(np.float32)
    around = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(values, around), cv2.dilate(values, around)
    border: np.ndarray = np.less(low, high)
    between: np.ndarray = np.less(low, values) & np.less(values, high)
    if plane.ndim == 3:
        border, between = np.any(border, axis=2), np.any(between, axis=2)
        values = values.astype(np.float32).sum(axis=2)
    upper = (values > (float(values.min()) + float(values.max())) / 2).astype(np.uint8)
    edge = int(np.count_nonzero(cv2.dilate(upper, around) != cv2.erode(upper, around))) / 2
    amount = int(np.count_nonzero(between))
    return amount / max(1, int(np.count_nonzero(border))), amount / max(1.0, edge)

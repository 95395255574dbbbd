"""Parts of prepared pictures: which one to take, and how to read no more than its rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workbench.data.geometry import Size
from workbench.data.prepared import Prepared
from workbench.task import IGNORE

DRAWS = 10
"""How often a part that one class fills too much of is drawn again."""


class Crop(NamedTuple):
    """How parts are drawn."""

    size: Size
    """Height and width."""
    largest_class_share: float = 1.0
    """Draw again while one class fills more of what counts than this."""
    foreground: float = 0.0
    """The share of parts that are centred on a foreground pixel."""


class Window(NamedTuple):
    """Rows and columns of a picture; beyond its border is padding."""

    top: int
    left: int
    height: int
    width: int


def draw_window(prepared: Prepared, number: int, crop: Crop, size: Size, rng: np.random.Generator) -> Window:
    """A part of a picture, drawn as `crop` says; `size` is another than the crop's where the part will be scaled."""
    for _ in range(DRAWS):
        if rng.random() < crop.foreground:
            window = _around_foreground(prepared, number, size, rng)
        else:
            window = _anywhere(prepared.image(number).shape[:2], size, rng)
        if crop.largest_class_share == 1 or _largest_share(prepared, number, window) <= crop.largest_class_share:
            break
    return window


def _anywhere(picture: Size, size: Size, rng: np.random.Generator) -> Window:
    top, left = (
        _start(side, part, rng.random() * (abs(side - part) + 1)) for side, part in zip(picture, size, strict=True)
    )
    return Window(top, left, *size)


def _start(side: int, part: int, offset: float) -> int:
    """Inside the picture; where the part is larger than the picture, the picture is inside the part."""
    return int(offset) if part <= side else -int(offset)


def _around_foreground(prepared: Prepared, number: int, size: Size, rng: np.random.Generator) -> Window:
    """Every foreground pixel is as likely; of the mask only its row is read."""
    picture = prepared.image(number).shape[:2]
    counts = np.cumsum(prepared.foreground_rows(number), dtype=np.int64)
    if counts[-1] == 0:
        return _anywhere(picture, size, rng)
    row = int(np.searchsorted(counts, rng.integers(counts[-1]), side="right"))
    pixels = prepared.mask(number)[..., row, :] % IGNORE > 0
    columns = np.flatnonzero(pixels if pixels.ndim == 1 else pixels.any(0))
    centre = row, int(columns[rng.integers(len(columns))])
    top, left = (
        min(max(middle - part // 2, min(0, side - part)), max(0, side - part))
        for middle, part, side in zip(centre, size, picture, strict=True)
    )
    return Window(top, left, *size)


def _largest_share(prepared: Prepared, number: int, window: Window) -> float:
    mask = cut(prepared.mask(number), window, IGNORE, axes=(-2, -1))
    if mask.ndim == 3:
        counted = mask[:, (mask != IGNORE).any(0)]
        return float((counted == 1).mean(1).max(initial=0)) if counted.size else 1.0
    counts = np.bincount(mask.ravel(), minlength=IGNORE + 1)[:IGNORE]
    return counts.max() / max(counts.sum(), 1)


def cut(array: np.ndarray, window: Window, padding: int, axes: tuple[int, int]) -> np.ndarray:
    """A window of an array whose rows and columns are these axes, copied; what lies outside is padding."""
    rows, columns = axes[0] % array.ndim, axes[1] % array.ndim
    starts, lengths = window[:2], window[2:]
    inside: list[slice] = [slice(None)] * array.ndim
    target: list[slice] = [slice(None)] * array.ndim
    shape = list(array.shape)
    for axis, start, length in zip((rows, columns), starts, lengths, strict=True):
        first, last = max(start, 0), min(start + length, array.shape[axis])
        inside[axis] = slice(first, max(last, first))
        target[axis] = slice(first - start, max(last, first) - start)
        shape[axis] = length
    part = array[tuple(inside)]
    if list(part.shape) == shape:
        return np.ascontiguousarray(part) if part.flags.writeable else part.copy()
    padded = np.full(shape, padding, array.dtype)
    padded[tuple(target)] = part
    return padded

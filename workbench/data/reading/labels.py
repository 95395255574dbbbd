"""Stored values of a mask file to [h, w] integers or [h, w, 3] colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from workbench.errors import UserError


def as_labels(stored: np.ndarray, path: Path) -> np.ndarray:
    """From [h, w, channels] without alpha."""
    if stored.shape[2] == 1:
        return _whole_numbers(stored[:, :, 0], path)
    if stored.shape[2] != 3:
        raise UserError(f"{path} has {stored.shape[2]} channels; a mask has one, or three for colours.")
    return _eight_bit(stored, path)


def without_alpha(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Constant alpha says nothing; over constant colour it is the mask; otherwise it hides what lies under it."""
    if (alpha == alpha[:1, :1]).all():
        return colour
    if (colour == colour[:1, :1]).all():
        return alpha
    return np.where(alpha == 0, colour.dtype.type(0), colour)


def _whole_numbers(mask: np.ndarray, path: Path) -> np.ndarray:
    if mask.dtype.kind in "ui":
        return mask
    whole = np.empty(mask.shape, np.int32)
    for rows in _blocks(mask):
        values = mask[rows]
        if not np.isfinite(values).all() or np.abs(values.astype(np.float64)).max() >= 2**31:
            raise UserError(
                f"{path} holds values that are no class ids (nan, infinite or huge); write it anew as integers."
            )
        whole[rows] = values
        broken = values[whole[rows] != values]
        if broken.size:
            raise UserError(
                f"{path} holds fractions such as {broken[0]:.4g}; a mask needs whole numbers: threshold it first."
            )
    return whole.astype(np.uint8) if whole.min() >= 0 and whole.max() < 256 else whole


def _eight_bit(colours: np.ndarray, path: Path) -> np.ndarray:
    if colours.dtype == np.uint8:
        return colours
    narrow = np.empty(colours.shape, np.uint8)
    for rows in _blocks(colours):
        if colours.dtype != np.uint16 or (colours[rows] % 257).any():
            raise UserError(
                f"{path} is a colour mask of {colours.dtype} values; save its colours with 8 bits a channel."
            )
        narrow[rows] = colours[rows] // 257
    return narrow


def _blocks(array: np.ndarray) -> Iterator[slice]:
    """Rows of about a million values, so that a large mask is not in memory several times."""
    step = max(1, 1_000_000 // max(array[0].size, 1))
    return (slice(top, top + step) for top in range(0, len(array), step))

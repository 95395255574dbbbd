"""Stored values of a mask file to [h, w] integers or [h, w, 3] colours."""

from __future__ import annotations

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
    if mask.dtype == bool:
        return mask.astype(np.uint8)
    if mask.dtype.kind in "ui":
        return mask
    if not np.isfinite(mask).all() or np.abs(mask).max() >= 2**31:
        raise UserError(
            f"{path} holds values that are no class ids (nan, infinite or huge); write it anew as integers."
        )
    whole = mask.astype(np.int32)
    if (whole != mask).any():
        fraction = mask[whole != mask][0]
        raise UserError(
            f"{path} holds fractions such as {fraction:.4g}; a mask needs whole numbers: threshold it first."
        )
    return whole.astype(np.uint8) if whole.min() >= 0 and whole.max() < 256 else whole


def _eight_bit(colours: np.ndarray, path: Path) -> np.ndarray:
    if colours.dtype == np.uint8:
        return colours
    if colours.dtype == np.uint16 and (colours % 257 == 0).all():
        return (colours // 257).astype(np.uint8)
    raise UserError(f"{path} is a colour mask of {colours.dtype} values; save its colours with 8 bits a channel.")

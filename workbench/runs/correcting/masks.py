"""Masks as a browser sends them: run lengths, row by row, a list a plane."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.errors import UserError

WRONG = "The painted mask did not arrive whole: save it again."


def from_run_lengths(planes: Any, height: int, width: int) -> np.ndarray:
    """uint8 [planes, h, w] of lists of value, count, value, count and so on; whoever sent them is not trusted."""
    if not isinstance(planes, list) or not planes:
        raise UserError(WRONG)
    return np.stack([_plane(lengths, height * width).reshape(height, width) for lengths in planes])


def _plane(lengths: Any, pixels: int) -> np.ndarray:
    if not isinstance(lengths, list) or len(lengths) % 2 or not all(type(each) is int for each in lengths):
        raise UserError(WRONG)
    values, counts = lengths[::2], lengths[1::2]
    if sum(counts) != pixels or min(counts) < 1 or min(values) < 0 or max(values) > 255:
        raise UserError(WRONG)
    return np.repeat(np.array(values, np.uint8), counts)

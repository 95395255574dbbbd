"""Pixels of any depth and number of channels to 8-bit RGB for previews."""

from __future__ import annotations

import numpy as np

from workbench.data.reading.facts import Facts

SAMPLED = 1_000_000
"""Percentiles are taken from at most about so many values."""


def to_display(array: np.ndarray, facts: Facts | None = None) -> np.ndarray:
    """uint8 RGB [h, w, 3] of a `Picture.array` or an [h, w] array.

    8 bit stays; 16 bit and float are shown by the file's window or else from their 1st to 99.8th percentile; of many
    channels the first three are shown, of two the first as red and the second as green.
    """
    array = array.reshape(*array.shape[:2], -1)[:, :, :3]
    if array.dtype != np.uint8:
        low, high = _window(facts) or _percentiles(array)
        scaled = (array.astype(np.float32) - low) * (255 / ((high - low) or 1))
        array = np.nan_to_num(scaled, nan=0, posinf=255, neginf=0).clip(0, 255).round().astype(np.uint8)
    if array.shape[2] == 2:
        return np.concatenate([array, np.zeros_like(array[:, :, :1])], axis=2)
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def _window(facts: Facts | None) -> tuple[float, float] | None:
    if facts is None or facts.window is None:
        return None
    centre, width = facts.window
    return centre - width / 2, centre + width / 2


def _percentiles(array: np.ndarray) -> tuple[float, float]:
    step = max(1, round((array.size / SAMPLED) ** 0.5))
    values = array[::step, ::step]
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, (1, 99.8))
    if low == high:
        low, high = values.min(), values.max()
    return float(low), float(high)

"""What a transformed picture's values become: a few steps, folded into one table where the values are whole numbers.

It knows nothing about chance: transforms.py draws the steps, this file carries them out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np


class Step(NamedTuple):
    """A change by name, from TONES or TINTS, and how much; values count as 0 to 1 of what the type can hold."""

    name: str
    amount: float


TONES: dict[str, Callable] = {
    "brightness": lambda value, mean, amount: value * amount,
    "offset": lambda value, mean, amount: value + amount,
    "contrast": lambda value, mean, amount: mean + (value - mean) * amount,
    "gamma": lambda value, mean, amount: value**amount,
}
"""Changes of every channel alike: (values, the picture's mean, amount) -> values."""

TINTS: dict[str, tuple[int, Callable]] = {
    "hue": (0, lambda value, amount: value + amount),
    "saturation": (1, lambda value, amount: value * amount),
    "saturation_offset": (1, lambda value, amount: value + amount),
    "value_offset": (2, lambda value, amount: value + amount),
}
"""Changes of one channel of hue, saturation and value: (channel, (values, amount) -> values). RGB pictures only."""

DEGREES = np.array([360, 1, 1], np.float32)
"""cv2 counts the hue of float pictures in degrees."""


def recolour(image: np.ndarray, steps: Sequence[Step]) -> np.ndarray:
    """Carry out the steps in order on an image [h, w, c]; its shape, type and range of values stay.

    A float image's range is from its own smallest to its own largest value.
    """
    for is_tint, group in groupby(steps, key=lambda step: step.name in TINTS):
        if not is_tint:
            image = _toned(image, list(group))
        elif image.shape[2] == 3:
            image = _tinted(image, list(group))
    return image


def add_noise(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Normal noise whose deviation is a share of the range of values."""
    low, high = _range(image)
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(deviation * (high - low))
    return _stored(image + noise, image.dtype, low, high)


def _toned(image: np.ndarray, steps: list[Step]) -> np.ndarray:
    low, high = _range(image)
    if high == low:
        return image
    mean = (_mean(image) - low) / (high - low)
    if image.dtype == np.float32:
        return _stored(low + (high - low) * _tone((image - low) / (high - low), mean, steps), image.dtype, low, high)
    table = _stored(high * _tone(np.arange(high + 1) / high, mean, steps), image.dtype, low, high)
    return cv2.LUT(image, table).reshape(image.shape) if image.dtype == np.uint8 else table[image]


def _tone(values: np.ndarray, mean: float, steps: list[Step]) -> np.ndarray:
    for step in steps:
        change = TONES[step.name]
        values, mean = np.clip(change(values, mean, step.amount), 0, 1), change(mean, mean, step.amount)
    return values


def _tinted(image: np.ndarray, steps: list[Step]) -> np.ndarray:
    if image.dtype == np.uint8:
        table = np.stack([np.arange(256) / 256, np.arange(256) / 255, np.arange(256) / 255])
        hue, saturation, value = _tint(table, steps)
        table = np.stack([np.round(hue * 256) % 256, np.round(saturation * 255), np.round(value * 255)], axis=-1)
        hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL), table.astype(np.uint8)[:, None])
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
    low, high = _range(image)
    if high == low:
        return image
    hsv = cv2.cvtColor(((image - low) / (high - low)).astype(np.float32), cv2.COLOR_RGB2HSV) / DEGREES
    hsv = np.moveaxis(_tint(np.moveaxis(hsv, 2, 0), steps), 0, 2) * DEGREES
    rgb = cv2.cvtColor(hsv.astype(np.float32), cv2.COLOR_HSV2RGB)
    return _stored(low + (high - low) * rgb, image.dtype, low, high)


def _tint(planes: np.ndarray, steps: list[Step]) -> np.ndarray:
    """[3, ...] hue, saturation and value in 0..1, changed."""
    planes = planes.copy()
    for step in steps:
        channel, change = TINTS[step.name]
        planes[channel] = change(planes[channel], step.amount)
    return np.stack([planes[0] % 1, *np.clip(planes[1:], 0, 1)])


def _range(image: np.ndarray) -> tuple[float, float]:
    if image.dtype == np.float32:
        return float(image.min()), float(image.max())
    return 0, np.iinfo(image.dtype).max


def _mean(image: np.ndarray) -> float:
    """Of the grey values for RGB, of all values for other pictures."""
    if image.shape[2] == 3:
        return float(np.dot(cv2.mean(image)[:3], (0.299, 0.587, 0.114)))
    return float(image.mean())


def _stored(values: np.ndarray, dtype: np.dtype, low: float, high: float) -> np.ndarray:
    values = np.clip(values, low, high)
    return values.astype(dtype) if dtype == np.float32 else np.rint(values).astype(dtype)

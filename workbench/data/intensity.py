"""What a picture's stored values are like, and the factor and summand that make them a model's input; numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from workbench.config import Preprocessing
from workbench.errors import UserError

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""How much red, green and blue count in grey."""


class Intensities(NamedTuple):
    """What a whole picture's values are like; a crop of it is normalised by these and not by its own."""

    minimum: float
    maximum: float
    low: float
    """The 1st percentile."""
    high: float
    """The 99.8th percentile."""
    mean: float
    deviation: float


def measure(picture: np.ndarray) -> Intensities:
    """The intensities of a picture [h, w, channels], over all of its channels."""
    if picture.dtype.kind == "u":
        counts = np.bincount(picture.ravel(), minlength=2)
        values = np.flatnonzero(counts)
        counts = counts[values]
    else:
        values, counts = np.unique(picture, return_counts=True)
    return of_counts(values, counts)


def of_counts(values: np.ndarray, counts: np.ndarray) -> Intensities:
    """The same from the values that occur, in rising order, and how often."""
    share = np.cumsum(counts) / counts.sum()
    low, high = (float(values[np.searchsorted(share, level)]) for level in (0.01, 0.998))
    mean = float(np.average(values, weights=counts))
    deviation = float(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
    return Intensities(float(values[0]), float(values[-1]), low, high, mean, deviation)


def stored_channels(picture: np.ndarray, channels: str) -> np.ndarray:
    """[h, w, channels] with as many channels as the model takes, still in the order red, green, blue."""
    have = picture.shape[2]
    if channels == "as_is":
        return picture
    if have not in (1, 3):
        raise UserError(f"it has {have} channels, which are neither grey nor colour: set channels to as_is")
    if channels == "grey":
        return picture if have == 1 else (picture @ LUMA).round().astype(picture.dtype)[..., None]
    return picture if have == 3 else np.repeat(picture, 3, axis=2)


def scale_and_shift(
    intensities: Intensities, dtype: np.dtype, preprocessing: Preprocessing, channels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Factor and summand of each channel that turn stored values into a model's input."""
    start, unit = _origin_and_unit(intensities, dtype, preprocessing.intensity)
    mean = per_channel(preprocessing.mean, channels, "mean")
    std = per_channel(preprocessing.std, channels, "std")
    return (1 / (unit * std)).astype(np.float32), ((-start / unit - mean) / std).astype(np.float32)


def intensity_of(dtype: np.dtype, intensity: str) -> str:
    """What `auto` means for pictures of a type: few devices use all of 16 bits, and decimal numbers have no end."""
    if intensity != "auto":
        return intensity
    return "unit" if dtype == np.uint8 else "percentile"


def _origin_and_unit(intensities: Intensities, dtype: np.dtype, intensity: str) -> tuple[float, float]:
    """What becomes 0, and the length of 1, before mean and deviation are applied."""
    intensity = intensity_of(dtype, intensity)
    if intensity == "unit":
        if dtype.kind == "u":
            return 0.0, float(np.iinfo(dtype).max)
        if intensities.minimum < 0 or intensities.maximum > 1:
            raise UserError(
                f"Pictures of decimal numbers ({intensities.minimum:g} to {intensities.maximum:g}) have no largest "
                "value to divide by: set preprocessing.intensity to percentile, minmax or zscore."
            )
        return 0.0, 1.0
    start, unit = {
        "percentile": (intensities.low, intensities.high - intensities.low),
        "minmax": (intensities.minimum, intensities.maximum - intensities.minimum),
        "zscore": (intensities.mean, intensities.deviation),
    }[intensity]
    return start, unit if unit > 0 else 1.0


def per_channel(values: Sequence[float], channels: int, name: str) -> np.ndarray:
    """One number for each channel."""
    if len(values) not in (1, channels):
        raise UserError(
            f"preprocessing.{name} has {len(values)} numbers, but pictures have {channels} channels: "
            f"give one number, or {channels}."
        )
    return np.broadcast_to(np.array(values, np.float64), (channels,))

"""How far apart two outlines are: Hausdorff distance and boundary F-score of one class in one picture."""

from __future__ import annotations

from math import hypot
from typing import NamedTuple

import numpy as np
from scipy import ndimage

TOLERANCE = 0.0075
"""Of the picture's diagonal: how far apart outlines may be and still count as found."""


class SurfaceScores(NamedTuple):
    """nan where the class is neither in truth nor in prediction; the distance also where it is in one alone."""

    hd95: float
    """The larger of the two 95th percentiles of the distances from one outline to the other, in pixels or mm."""
    boundary_f: float
    """Harmonic mean of the shares of each outline that lies within the tolerance of the other."""


def surface_scores(
    prediction: np.ndarray, truth: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0), tolerance: float | None = None
) -> SurfaceScores:
    """Of two boolean masks [h, w]; `tolerance` in the unit of the spacing, None for TOLERANCE of the diagonal."""
    if not prediction.any() and not truth.any():
        return SurfaceScores(np.nan, np.nan)
    if not prediction.any() or not truth.any():
        return SurfaceScores(np.nan, 0.0)
    if tolerance is None:
        tolerance = TOLERANCE * hypot(truth.shape[0] * spacing[0], truth.shape[1] * spacing[1])
    window = _around(prediction | truth)
    ours, theirs = outline(prediction[window]), outline(truth[window])
    missed = ndimage.distance_transform_edt(~ours, sampling=spacing)[theirs]
    wrong = ndimage.distance_transform_edt(~theirs, sampling=spacing)[ours]
    hd95 = max(np.percentile(missed, 95), np.percentile(wrong, 95))
    recall, precision = np.mean(missed <= tolerance), np.mean(wrong <= tolerance)
    both = recall + precision
    return SurfaceScores(float(hd95), float(2 * recall * precision / both) if both else 0.0)


def outline(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask that touch, by an edge, what is not the mask or the picture's border."""
    return mask & ~ndimage.binary_erosion(mask)


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest window that holds the mask and, where there is one, a pixel around it."""
    return tuple(
        slice(max(found[0] - 1, 0), found[-1] + 2)
        for found in (np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0)))
    )  # type: ignore[return-value]

"""Maps of a network's own resolution on the picture that it was given."""

from __future__ import annotations

from math import ceil

import cv2
import numpy as np

from workbench.data.geometry import Fit, Size, take_back


def shown_cells(maps: np.ndarray, padded: Size, fit: Fit) -> np.ndarray:
    """Maps [..., h', w'] of a padded input, cut to the cells that show the picture."""
    rows, columns = _shown(maps, padded, fit)
    return maps[..., rows, columns]


def on_picture(maps: np.ndarray, padded: Size, fit: Fit) -> np.ndarray:
    """Maps [..., h', w'] of a padded input at the picture's own size, linear between the cells that show it."""
    strides = _strides(maps, padded)
    cells = shown_cells(maps, padded, fit)
    height, width = (round(count * stride) for count, stride in zip(cells.shape[-2:], strides, strict=True))
    top, left = (
        part.start - round(cell.start * stride)
        for part, cell, stride in zip(fit.box, _shown(maps, padded, fit), strides, strict=True)
    )
    planes = np.ascontiguousarray(cells).reshape(-1, *cells.shape[-2:])
    full = np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in planes])
    inner = full[:, top : top + fit.inner[0], left : left + fit.inner[1]]
    return take_back(inner.reshape(*maps.shape[:-2], *fit.inner), fit._replace(frame=fit.inner, corner=(0, 0)))


def _strides(maps: np.ndarray, padded: Size) -> tuple[float, float]:
    return padded[0] / maps.shape[-2], padded[1] / maps.shape[-1]


def _shown(maps: np.ndarray, padded: Size, fit: Fit) -> tuple[slice, slice]:
    (rows, columns), (down, right) = fit.box, _strides(maps, padded)
    return (
        slice(int(rows.start / down), ceil(rows.stop / down)),
        slice(int(columns.start / right), ceil(columns.stop / right)),
    )

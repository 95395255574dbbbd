"""A picture as the model's input, whole or by regions: `read` gives any part of it, normalised.

It knows no model; what a part looks like does not depend on how the picture is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from workbench.config import Preprocessing
from workbench.data.geometry import Fit, Size, fit_picture
from workbench.data.intensity import Intensities, intensity_of, of_counts, stored_channels
from workbench.data.normalise import picture_to_input, to_input
from workbench.data.reading import Facts, Regions, open_regions

ROWS = 512
"""How many rows of a large picture are looked at together."""
SAMPLED = 4_000_000
"""Of decimal numbers, about so many make the percentiles of a large picture."""


class Input(NamedTuple):
    """What a model sees of a picture."""

    size: Size
    read: Callable[[int, int, int, int], Tensor]
    """(top, left, height, width) to float32 [channels, height, width]."""
    fit: Fit


def whole_input(picture: np.ndarray, preprocessing: Preprocessing) -> Input:
    """A picture [h, w, channels] that is in memory."""
    tensor, fit = picture_to_input(picture, preprocessing)

    def read(top: int, left: int, height: int, width: int) -> Tensor:
        return tensor[:, top : top + height, left : left + width]

    return Input(fit.frame, read, fit)


@contextmanager
def streamed_input(path: Path, index: int, preprocessing: Preprocessing) -> Iterator[tuple[Input, Facts]]:
    """A TIFF of any size, of which only what `read` asks for is decoded; for preprocessing that does not resize."""
    assert preprocessing.resize == "none"
    with open_regions(path, index=index) as regions:
        facts = regions.facts
        size = (facts.height, facts.width)
        intensities = None if _needs_no_measuring(regions, preprocessing) else measure_regions(regions, preprocessing)

        def read(top: int, left: int, height: int, width: int) -> Tensor:
            part = regions.read(top, left, height, width)
            return to_input(part, preprocessing, intensities)

        yield Input(size, read, fit_picture(size, preprocessing)), facts


def _needs_no_measuring(regions: Regions, preprocessing: Preprocessing) -> bool:
    dtype = regions.read(0, 0, 1, 1).dtype
    return intensity_of(dtype, preprocessing.intensity) == "unit" and dtype.kind == "u"


def measure_regions(regions: Regions, preprocessing: Preprocessing) -> Intensities:
    """The intensities of a whole picture, a few rows in memory at a time.

    Exact for 8 and 16 bits. Of decimal numbers minimum, maximum, mean and deviation are exact, and the percentiles are
    those of a regular sample.
    """
    height = regions.facts.height
    bands = (_rows(regions, top, min(ROWS, height - top), preprocessing) for top in range(0, height, ROWS))
    first = next(bands)
    measured = _count if first.dtype.kind == "u" else _sample
    return measured(first, bands, max(1, round(height * regions.facts.width * first.shape[2] / SAMPLED)))


def _rows(regions: Regions, top: int, height: int, preprocessing: Preprocessing) -> np.ndarray:
    return stored_channels(regions.read(top, 0, height, regions.facts.width), preprocessing.channels)


def _count(first: np.ndarray, others: Iterator[np.ndarray], _step: int) -> Intensities:
    possible = np.iinfo(first.dtype).max + 1
    counts = np.bincount(first.ravel(), minlength=possible)
    for band in others:
        counts += np.bincount(band.ravel(), minlength=possible)
    values = np.flatnonzero(counts)
    return of_counts(values, counts[values])


def _sample(first: np.ndarray, others: Iterator[np.ndarray], step: int) -> Intensities:
    minimum, maximum, total, squares, count = np.inf, -np.inf, 0.0, 0.0, 0
    sampled = []
    for band in chain((first,), others):
        minimum, maximum = min(minimum, float(band.min())), max(maximum, float(band.max()))
        total += float(band.sum(dtype=np.float64))
        squares += float(np.square(band, dtype=np.float64).sum())
        count += band.size
        sampled.append(band.ravel()[::step].copy())
    low, high = of_counts(*np.unique(np.concatenate(sampled), return_counts=True))[2:4]
    mean = total / count
    return Intensities(minimum, maximum, low, high, mean, max(squares / count - mean**2, 0.0) ** 0.5)

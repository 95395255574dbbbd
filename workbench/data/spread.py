"""How the pictures of each split differ: their sizes, how much of them is marked, and which classes they show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workbench.task import Task

STEPS = 20
"""In which shares are counted, from nothing to the largest."""
LARGEST = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
MOST_SIZES = 100
"""The most frequent ones are told."""


class Measured(NamedTuple):
    """What is known of one picture."""

    size: tuple[int, int]
    """Height and width as it is stored."""
    class_pixels: Sequence[int]
    """How many pixels of its mask each class has; ignored ones are in none."""
    area: int
    """Of its mask, in pixels."""


@dataclass(frozen=True)
class Part:
    """One split, or all pictures where there is none."""

    pictures: int
    marked: tuple[int, ...]
    """Pictures by their share of foreground; where classes overlap, by the mean share of all."""
    sizes: tuple[tuple[int, int, int], ...]
    """Width, height and how many are so large, the most frequent first."""
    classes: dict[str, float]
    """Share of the pixels that count."""


@dataclass(frozen=True)
class Spread:
    """All splits, counted alike so that they can be compared."""

    largest: float
    """The share of foreground where the last step of `marked` ends."""
    parts: dict[str, Part]


def spread(task: Task, splits: Mapping[str, Sequence[Measured]]) -> Spread:
    """Of the splits that have pictures."""
    filled = {split: measured for split, measured in splits.items() if measured}
    pixels = {split: _pixels(task, measured) for split, measured in filled.items()}
    totals = {split: _totals(task, measured, pixels[split]) for split, measured in filled.items()}
    shares = {split: pixels[split][:, list(task.foreground)].sum(1) / totals[split] for split in filled}
    highest = max((float(its.max()) for its in shares.values()), default=0.0)
    largest = next(step for step in LARGEST if step >= min(highest, 1.0))
    return Spread(
        largest,
        {
            split: Part(
                pictures=len(measured),
                marked=tuple(np.histogram(shares[split].clip(0, largest), STEPS, (0, largest))[0].tolist()),
                sizes=_sizes(measured),
                classes=dict(zip(task.classes, _class_shares(task, pixels[split], totals[split]), strict=True)),
            )
            for split, measured in filled.items()
        },
    )


def _pixels(task: Task, measured: Sequence[Measured]) -> np.ndarray:
    """[pictures, classes]; a picture need not tell of the last classes."""
    pixels = np.zeros((len(measured), len(task.classes)))
    for row, one in zip(pixels, measured, strict=True):
        told = one.class_pixels[: len(row)]
        row[: len(told)] = told
    return pixels


def _totals(task: Task, measured: Sequence[Measured], pixels: np.ndarray) -> np.ndarray:
    """What shares of a picture are told of: the pixels that count, and where classes overlap those of each."""
    if task.mode == "multilabel":
        return np.array([one.area for one in measured]) * len(task.classes)
    return pixels.sum(1).clip(1)


def _class_shares(task: Task, pixels: np.ndarray, totals: np.ndarray) -> list[float]:
    planes = len(task.classes) if task.mode == "multilabel" else 1
    return (pixels.sum(0) / totals.sum() * planes).tolist()


def _sizes(measured: Sequence[Measured]) -> tuple[tuple[int, int, int], ...]:
    counted = Counter(one.size for one in measured).most_common(MOST_SIZES)
    return tuple((width, height, count) for (height, width), count in counted)

"""What a model says about one picture, all of it at the picture's own size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from workbench.data.geometry import Fit, Size
from workbench.data.reading import Facts
from workbench.inference.maps import on_picture
from workbench.task import Task


class AttentionMaps(Mapping[str, np.ndarray]):
    """A gate's name to its map [h, w] in 0..1 at the picture's own size, deepest first.

    A map is brought to that size when it is asked for, by linear interpolation between the centres of its cells;
    `cells` holds the values as the gate gave them, of the model's input and its padding.
    """

    def __init__(self, cells: Mapping[str, np.ndarray], padded: Size, fit: Fit):
        self.cells = cells
        self._padded, self._fit = padded, fit

    def __getitem__(self, name: str) -> np.ndarray:
        return on_picture(self.cells[name], self._padded, self._fit)

    def __iter__(self) -> Iterator[str]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)


@dataclass(frozen=True)
class Origin:
    """Where a picture was read from."""

    path: Path
    index: int
    """Which slice, page or frame of the file,"""
    axis: int | None
    """and along which axis of a volume; None: its usual one."""


@dataclass(frozen=True)
class Prediction:
    """Labels, probabilities and attention of one picture."""

    name: str
    """The picture's name without folder and suffix; of a stack with the number of the slice."""
    task: Task
    picture: np.ndarray
    """As it was read: [h, w, channels]."""
    facts: Facts
    labels: np.ndarray
    """uint8 class ids [h, w], or 0 and 1 a class [classes, h, w] for a multilabel task."""
    probabilities: np.ndarray
    """float32 [channels, h, w]; for a binary task one channel, that of the foreground."""
    attention: AttentionMaps
    deviation: np.ndarray | None = None
    """[h, w]: how far the views of test-time augmentation differ (standard deviation); None without augmentation."""
    notes: tuple[str, ...] = ()
    """What was done that a user should know, in sentences."""
    origin: Origin | None = None
    """Where the picture came from; None for an array."""

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.labels.shape[-2], self.labels.shape[-1]

    @property
    def slice_ending(self) -> str:
        """What tells the slices of a stack apart in file names; empty for a picture of its own."""
        return slice_ending(self.origin.index if self.origin else 0, self.facts.slices)

    @cached_property
    def entropy(self) -> np.ndarray:
        """[h, w] in 0..1: 0 where the model is sure, 1 where all classes are equally likely.

        For a multilabel task that of the least certain class.
        """
        if self.task.mode == "multiclass":
            return _bits(self.probabilities).sum(0) / np.float32(np.log2(len(self.probabilities)))
        return (_bits(self.probabilities) + _bits(1 - self.probabilities)).max(0)


def _bits(probabilities: np.ndarray) -> np.ndarray:
    return -probabilities * np.log2(np.maximum(probabilities, np.finfo(np.float32).tiny))


def slice_ending(index: int, slices: int) -> str:
    """_007 for the eighth of some hundred slices, nothing for the only one."""
    return "" if slices == 1 else f"_{index:0{len(str(slices - 1))}d}"

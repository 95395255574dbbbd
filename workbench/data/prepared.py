"""A prepared folder, read: arrays by number from memory-mapped files, and what is known about every picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.task import Task


@dataclass(frozen=True)
class Prepared:
    """A data set that training can read; small to pickle, since every process maps the files for itself."""

    folder: Path
    task: Task
    names: tuple[str, ...]
    splits: dict[str, tuple[int, ...]]
    """train, valid and test to the numbers of their pictures."""
    facts: dict[str, Any]
    """Counts, sizes, class shares, channel means and deviations, the fingerprint, the report."""

    def image(self, number: int) -> np.ndarray:
        """[h, w, channels] uint8, uint16 or float32; a view of the file."""
        raise NotImplementedError

    def mask(self, number: int) -> np.ndarray:
        """uint8 class ids [h, w], or [classes, h, w] for multilabel; a view of the file."""
        raise NotImplementedError


def open_prepared(path: str | Path) -> Prepared:
    """Open what `prepare` wrote."""
    raise NotImplementedError

"""From a mask as stored to class ids: a mapping that is chosen once for a data set and applied to every mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.config import DataConfig
from workbench.data.source import Item, Source
from workbench.task import Task


@dataclass(frozen=True)
class Labels:
    """What the stored values of a data set's masks mean."""

    task: Task
    values: tuple[tuple[int, int], ...]
    """(stored value, class id) pairs; a colour counts as the integer 0xRRGGBB; 255 as class id is ignored."""
    snap: bool = False
    """Give a value that is not listed the class of the nearest one that is."""
    objects: bool = False
    """Stored values number the objects: whatever is not 0 is foreground."""
    report: str = ""
    """How the mapping was chosen, in a sentence for the user."""


def choose_labels(source: Source, config: DataConfig) -> Labels:
    """The mapping that the config, the layout or, where both are silent, a look at some masks asks for."""
    raise NotImplementedError


def to_class_ids(stored: np.ndarray, labels: Labels, where: str) -> np.ndarray:
    """uint8 class ids [h, w] ([classes, h, w] for multilabel) of a stored mask; `where` names it in the error."""
    raise NotImplementedError


def read_mask(source: Source, item: Item, labels: Labels) -> np.ndarray:
    """The mask of an item as class ids."""
    return to_class_ids(source.read_raw_mask(item), labels, item.name)

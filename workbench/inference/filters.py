"""What is taken for an object: holes that are filled and specks that are dropped, class by class; labels in and out."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from workbench.errors import UserError
from workbench.task import Task


class Filters(NamedTuple):
    """What happens between probabilities and labels."""

    threshold: float = 0.5
    """From which probability on a pixel belongs to a class; a multiclass task takes the likeliest class instead."""
    smallest_object: int = 0
    """Objects of fewer pixels are dropped."""
    fill_holes: bool = False
    """Background that one object encloses becomes part of it."""

    @property
    def by_object(self) -> bool:
        """Whether whole objects are looked at, which needs the whole picture."""
        return self.fill_holes or self.smallest_object > 1

    def check(self) -> None:
        """Refuse what means nothing."""
        if not 0 < self.threshold < 1:
            raise UserError(f"A threshold lies between 0 and 1, not at {self.threshold}.")
        if self.smallest_object < 0:
            raise UserError(f"The smallest object has a number of pixels, not {self.smallest_object}.")


def filter_labels(labels: np.ndarray, task: Task, filters: Filters) -> np.ndarray:
    """Class ids [h, w], or [classes, h, w] of a multilabel task, with holes filled and then small objects dropped.

    Objects hang together over edges and corners, holes over edges. Where small objects of a task without background
    are dropped, the nearest class takes their place.
    """
    if not filters.by_object:
        return labels
    if task.mode == "multilabel":
        return np.stack([_filter_plane(plane, filters) for plane in labels])
    labels = labels.copy()
    background = 0 if 0 not in task.foreground else None
    if filters.fill_holes and background is not None:
        for number in task.foreground:
            labels[holes(labels == number, labels == background)] = number
    if filters.smallest_object > 1:
        _drop_small(labels, task, filters.smallest_object, background)
    return labels


def _filter_plane(plane: np.ndarray, filters: Filters) -> np.ndarray:
    if filters.fill_holes:
        plane = plane | holes(plane > 0)
    return plane & ~small_objects(plane > 0, filters.smallest_object)


def holes(mask: np.ndarray, fillable: np.ndarray | None = None) -> np.ndarray:
    """Where the mask encloses what it does not cover; with `fillable`, only what is fillable all over."""
    count, numbers = cv2.connectedComponents((~mask).astype(np.uint8), connectivity=4)
    enclosed = np.ones(count, bool)
    enclosed[0] = False
    for edge in (numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]):
        enclosed[edge] = False
    if fillable is not None:
        enclosed[numbers[~mask & ~fillable]] = False
    return enclosed[numbers]


def small_objects(mask: np.ndarray, smallest: int) -> np.ndarray:
    """Where the mask's objects have fewer pixels than that."""
    _, numbers, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    small = facts[:, cv2.CC_STAT_AREA] < smallest
    small[0] = False
    return small[numbers]


def _drop_small(labels: np.ndarray, task: Task, smallest: int, background: int | None) -> None:
    dropped = np.zeros(labels.shape, bool)
    for number in task.foreground:
        dropped |= small_objects(labels == number, smallest)
    if background is not None:
        labels[dropped] = background
    elif not dropped.all():
        rows, columns = ndimage.distance_transform_edt(dropped, return_distances=False, return_indices=True)
        labels[:] = labels[rows, columns]

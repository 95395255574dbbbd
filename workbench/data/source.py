"""A data set as it lies on disk: its pictures, their masks, and how to read one; knows no layout and no class ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.data.counting import count_of, named
from workbench.data.reading import Picture, read_labels, read_picture
from workbench.errors import UserError

Size = tuple[int, int]

TOLERATED = 0.05
"""Preparing stops where a larger share of the pictures cannot be used; up to it they are left out and told."""


@dataclass(frozen=True)
class Item:
    """One sample to be: a picture (or one slice of a volume) and where its mask is stored."""

    name: str
    """Unique in its source, and fit for a file name."""
    image: Path | None
    """None where the picture is drawn, not read."""
    masks: tuple[Path, ...]
    """One file, or one an instance or a class."""
    split: str | None = None
    """train, valid or test, where the layout has splits of its own."""
    group: str | None = None
    """Items of one group must stay in one split."""
    index: int = 0
    """The slice of a volume, the page of a stack, or the number of a drawn picture."""
    axis: int | None = None
    """The axis of a volume that `index` counts along."""
    corrected: Path | None = None
    """A mask of class ids that was drawn anew; it wins over `masks`."""


def read_item_picture(item: Item, at_least: Size | None = None) -> Picture:
    """The picture of an item; a file that can be decoded smaller is, but not below `at_least` (height, width)."""
    assert item.image is not None
    return read_picture(item.image, index=item.index, axis=item.axis, at_least=at_least)


def read_single_mask(item: Item) -> np.ndarray:
    """The one mask file as stored: [h, w] integers, or [h, w, 3] colours."""
    return read_labels(item.masks[0], index=item.index, axis=item.axis)


def read_instances(item: Item) -> np.ndarray:
    """Many files of one object each, merged: 255 where any of them is set, else 0."""
    merged = read_labels(item.masks[0]) > 0
    for path in item.masks[1:]:
        instance = read_labels(path)
        if instance.shape != merged.shape:
            raise UserError(
                f"{path} is {instance.shape[1]}x{instance.shape[0]}, but the other masks of {item.name} are "
                f"{merged.shape[1]}x{merged.shape[0]}: take out the file that does not belong there."
            )
        np.logical_or(merged, instance, out=merged)
    return merged.astype(np.uint8) * 255


def read_classes(item: Item) -> np.ndarray:
    """One file a class, stacked as stored: [classes, h, w]."""
    planes = [read_labels(path, index=item.index, axis=item.axis) for path in item.masks]
    shapes = {plane.shape for plane in planes}
    if len(shapes) > 1 or planes[0].ndim != 2:
        raise UserError(f"The masks of {item.name} differ in size or hold colours: {', '.join(map(str, item.masks))}.")
    return np.stack(planes)


@dataclass(frozen=True)
class Source:
    """A data set that was found: what is there, and how to read it."""

    layout: str
    root: Path
    items: tuple[Item, ...]
    report: str
    """What was found, in sentences for the user."""
    classes: tuple[str, ...] = ()
    """The class names, where the layout knows them."""
    multilabel: bool = False
    """Whether masks come as [classes, h, w]."""
    values: tuple[tuple[int, int], ...] = ()
    """(stored value, class id) pairs, where the layout knows them."""
    images_alone: tuple[Path, ...] = ()
    """Pictures without a mask, left out of `items`."""
    masks_alone: tuple[Path, ...] = ()
    """Masks without a picture."""
    picture_reader: Callable[..., Picture] = read_item_picture
    mask_reader: Callable[[Item], np.ndarray] = read_single_mask

    def read_image(self, item: Item, at_least: Size | None = None) -> Picture:
        """The picture [h, w, channels] with its facts, upright; `at_least` allows a smaller decode."""
        return self.picture_reader(item, at_least)

    def read_raw_mask(self, item: Item) -> np.ndarray:
        """The mask as stored (instances merged): [h, w] integers, [h, w, 3] colours, or [classes, h, w]."""
        return self.mask_reader(item)

    @property
    def splits(self) -> dict[str, str]:
        """Name to split, where the layout has splits."""
        return {item.name: item.split for item in self.items if item.split}

    def keep(self, items: tuple[Item, ...]) -> Source:
        """The same source with fewer items."""
        return replace(self, items=items)


def inside(folder: Path) -> list[Path]:
    """The files of a folder in the order of their names; none where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def one_folder(path: Path, fits: Callable[[Path], bool], depth: int = 2) -> Path | None:
    """The path itself or the first folder below it, at most `depth` down, that fits."""
    if not path.is_dir():
        return None
    level = [path]
    for _ in range(depth + 1):
        fitting = next((folder for folder in level if fits(folder)), None)
        if fitting:
            return fitting
        level = [below for folder in level for below in _few_folders(folder)]
    return None


def _few_folders(folder: Path, most: int = 20) -> list[Path]:
    """The folders in a folder; none where there are many, which then are the data and not a way to it."""
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))
    return below if len(below) <= most else []


def left_out(images_alone: Sequence[Path], masks_alone: Sequence[Path]) -> str:
    """The sentence about files that found no partner; empty where there are none."""
    parts = []
    if images_alone:
        parts.append(f"{count_of(images_alone, 'picture')} without a mask ({named([p.name for p in images_alone])})")
    if masks_alone:
        parts.append(f"{count_of(masks_alone, 'mask')} without a picture ({named([p.name for p in masks_alone])})")
    return f" Left out: {', '.join(parts)}." if parts else ""


class Layout(NamedTuple):
    """A way in which files lie in a folder."""

    name: str
    summary: str
    find: Callable[[Path], Path | None]
    """The folder that is laid out so: the path itself or one inside it; None when there is none."""
    open: Callable[..., Source]
    """(the found folder, **options) -> Source; the options are the keyword arguments of this function."""

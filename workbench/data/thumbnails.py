"""Small pictures of a prepared data set and their masks: made when they are first seen, kept beside the arrays."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from workbench.data.prepared import Prepared
from workbench.data.reading import to_display
from workbench.files import whole
from workbench.overlays import palette
from workbench.task import Task

SIDE = 160
"""Their longer side."""
FOLDER = "thumbnails"
ORDERS = ("by name", "least marked first", "most marked first")


class Thumbnail(NamedTuple):
    """A file's bytes each, so that a viewer can lay one over the other."""

    picture: bytes
    """JPEG."""
    mask: bytes
    """PNG in the colours of the classes; transparent where nothing is marked."""


def thumbnail(prepared: Prepared, number: int) -> Thumbnail:
    """Of one picture. What is stored is never changed in its place, so neither are these."""
    folder = prepared.folder / prepared.arrays / FOLDER
    paths = [folder / f"{prepared.entries[number].offsets[0]}.{kind}" for kind in ("jpg", "png")]
    with suppress(FileNotFoundError):
        return Thumbnail(*(path.read_bytes() for path in paths))
    made = shown(prepared, number, SIDE)
    with suppress(OSError):  # where nothing can be kept they are made anew
        folder.mkdir(exist_ok=True)
        for path, data in zip(paths, made, strict=True):
            _write(path, data)
    return made


def shown(prepared: Prepared, number: int, side: int) -> Thumbnail:
    """One picture and its mask, so many pixels on the longer side at most."""
    return drawn(prepared.image(number), prepared.mask(number), prepared.task, side)


def drawn(image: np.ndarray, mask: np.ndarray, task: Task, side: int) -> Thumbnail:
    """The same of arrays as they are prepared, and after a transform of such."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = cv2.resize(to_display(image), size, interpolation=cv2.INTER_AREA)
    planes = mask if mask.ndim == 3 else mask[None]
    small = np.stack(
        [cv2.resize(np.ascontiguousarray(plane), size, interpolation=cv2.INTER_NEAREST) for plane in planes]
    )
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85]
    return Thumbnail(
        cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)[1].tobytes(),
        cv2.imencode(".png", _layer(small if mask.ndim == 3 else small[0], task))[1].tobytes(),
    )


def _layer(mask: np.ndarray, task: Task) -> np.ndarray:
    """BGRA; of classes that overlap the later ones lie over the earlier."""
    colours = np.zeros((256, 4), np.uint8)
    colours[:, :3] = palette(task)[:, ::-1]
    colours[list(task.foreground), 3] = colours[255, 3] = 255
    if mask.ndim == 2:
        return colours[mask]
    layer = np.zeros((*mask.shape[1:], 4), np.uint8)
    for number, plane in enumerate(mask):
        layer[plane == 1] = colours[number]
    return layer


def _write(path: Path, data: bytes) -> None:
    with whole(path) as part:
        part.write_bytes(data)


def chosen(prepared: Prepared, split: str = "", words: str = "", order: str = ORDERS[0]) -> Sequence[int]:
    """The numbers of the pictures of a split (of all where it is empty) whose names hold these words, in this order."""
    numbers: Sequence[int] = prepared.splits[split] if split else range(len(prepared.entries))
    words = words.strip().lower()
    if words:
        numbers = [number for number in numbers if words in prepared.entries[number].name.lower()]
    if order == ORDERS[0]:
        return numbers
    return sorted(numbers, key=lambda number: prepared.entries[number].share, reverse=order == ORDERS[2])

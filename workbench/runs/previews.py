"""Previews: what the model makes of the same few validation pictures, epoch after epoch, as raw 8-bit maps.

A picture is kept at 256 pixels on its longer side at most, and its maps are compressed: about 10 to 40 KB a picture and
epoch. Colours are the viewers' business. Knows no model: maps come in as arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from workbench.errors import UserError
from workbench.files import whole
from workbench.runs.files import read_json, write_json
from workbench.task import IGNORE, Task

LARGEST_SIDE = 256
INDEX = "index.json"
PICTURES = "pictures.npz"


class PreviewPicture(NamedTuple):
    """One of the pictures, as all epochs have it."""

    name: str
    image: np.ndarray
    """uint8 RGB [h, w, 3]."""
    mask: np.ndarray
    """The true class ids [h, w], 255 to ignore; or 0/1 [classes, h, w] for multilabel."""


class PreviewMaps(NamedTuple):
    """What the model of one epoch makes of it."""

    labels: np.ndarray
    """Class ids [h, w], or 0/1 [classes, h, w] for multilabel."""
    probability: np.ndarray
    """0..255 for 0..1: of the foreground [h, w]; for multiclass of the class in `labels`; for multilabel of each."""
    attention: dict[str, np.ndarray]
    """A gate's name to its map, 0..255 for 0..1, at the gate's own resolution."""


class Previews:
    """The folder of previews, for reading and for adding epochs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def names(self) -> list[str]:
        """The pictures' names; none while there are no previews."""
        return self._index().get("pictures", [])

    @property
    def epochs(self) -> list[int]:
        """The epochs, from 1, that there are maps of."""
        return self._index().get("epochs", [])

    def picture(self, number: int) -> PreviewPicture:
        """One of the pictures, with its true mask."""
        arrays = self._arrays(PICTURES)
        return PreviewPicture(self.names[number], arrays[f"{number}/image"], arrays[f"{number}/mask"])

    def maps(self, epoch: int, number: int) -> PreviewMaps:
        """What the model of an epoch made of one of the pictures."""
        arrays = self._arrays(_file_of(epoch))
        of_picture = {key.partition("/")[2]: array for key, array in arrays.items() if key.startswith(f"{number}/")}
        attention = {key.partition("/")[2]: of_picture.pop(key) for key in list(of_picture) if "/" in key}
        return PreviewMaps(of_picture["labels"], of_picture["probability"], attention)

    @property
    def changed(self) -> float:
        """When an epoch was last added, in seconds since 1970."""
        return (self.folder / INDEX).stat().st_mtime

    @property
    def task(self) -> Task:
        """What the masks say; where that was not written down, as far as they tell themselves."""
        told = self._index().get("task")
        return Task(**told) if told else _told_by([self.picture(number).mask for number in range(len(self.names))])

    def begin(self, pictures: Sequence[PreviewPicture], task: Task | None = None) -> None:
        """Write down the pictures; those of a resumed run are the same, and their epochs are kept."""
        if self.names == [picture.name for picture in pictures]:
            return
        self.folder.mkdir(exist_ok=True)
        arrays = {f"{n}/{kind}": getattr(p, kind) for n, p in enumerate(pictures) for kind in ("image", "mask")}
        self._write(PICTURES, arrays)
        told = {"task": task.model_dump(mode="json")} if task else {}
        write_json(self.folder / INDEX, {"pictures": [picture.name for picture in pictures], "epochs": [], **told})

    def add(self, epoch: int, maps: Sequence[PreviewMaps]) -> None:
        """Write the maps of an epoch, one a picture; those of an epoch that is done again are replaced."""
        arrays: dict[str, np.ndarray] = {}
        for number, of_picture in enumerate(maps):
            arrays |= {f"{number}/labels": of_picture.labels, f"{number}/probability": of_picture.probability}
            arrays |= {f"{number}/attention/{gate}": array for gate, array in of_picture.attention.items()}
        self._write(_file_of(epoch), arrays)
        index = {name: value for name, value in self._index().items() if name != "format"}
        write_json(self.folder / INDEX, {**index, "epochs": sorted({*self.epochs, epoch})})

    def _index(self) -> dict[str, Any]:
        return read_json(self.folder / INDEX) or {}

    def _arrays(self, name: str) -> dict[str, np.ndarray]:
        try:
            with np.load(self.folder / name) as file:
                return dict(file)
        except FileNotFoundError:
            epochs = self.epochs
            there = f"epochs {epochs[0]} to {epochs[-1]}" if epochs else "none yet"
            raise UserError(f"There is no preview {name} in {self.folder}; there are {there}.") from None

    def _write(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        with whole(self.folder / name) as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def _file_of(epoch: int) -> str:
    return f"epoch-{epoch:05d}.npz"


def _told_by(masks: Sequence[np.ndarray]) -> Task:
    if masks and masks[0].ndim == 3:
        return Task(mode="multilabel", classes=tuple(f"class {number}" for number in range(len(masks[0]))))
    largest = max((int(mask[mask != IGNORE].max(initial=1)) for mask in masks), default=1)
    others = tuple(f"class {number}" for number in range(1, largest + 1))
    return Task(mode="multiclass", classes=("background", *others)) if largest > 1 else Task()


def reduced(array: np.ndarray, exact: bool) -> np.ndarray:
    """A map [..., h, w] at the size of previews; `exact` keeps values (labels) instead of averaging them."""
    import cv2

    *_, height, width = array.shape
    scale = LARGEST_SIDE / max(height, width)
    if scale >= 1:
        return array
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_NEAREST if exact else cv2.INTER_AREA
    planes = array.reshape(-1, height, width)
    return np.stack([cv2.resize(p, size, interpolation=how) for p in planes]).reshape(*array.shape[:-2], *size[::-1])


def spread(count: int, of: int) -> list[int]:
    """The numbers of so many pictures, evenly spread over all of them."""
    return [round(number) for number in np.linspace(0, of - 1, min(count, of))]

"""A prepared folder, read: arrays by number from memory-mapped files, and what is known about every picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workbench.config import Preprocessing
from workbench.data.geometry import Fit
from workbench.data.splits import Splits
from workbench.data.store import Entry, Reader, read_index
from workbench.errors import UserError
from workbench.task import Task


@dataclass(frozen=True)
class Prepared:
    """A data set that training can read; small to pickle, since every process maps the files for itself."""

    folder: Path
    task: Task
    entries: tuple[Entry, ...]
    splits: dict[str, tuple[int, ...]]
    """train, valid and test to the numbers of their pictures."""
    facts: dict[str, Any]
    """Counts, sizes, class shares, channel statistics, the fingerprint, the report, and what was skipped."""
    source: dict[str, Any]
    """The path, layout and options that it was prepared from, as `open_source` takes them."""
    recipe: dict[str, Any]
    """All that the arrays depend on beside the files."""
    arrays: str

    @property
    def names(self) -> tuple[str, ...]:
        """The pictures' names in the order of their numbers."""
        return tuple(entry.name for entry in self.entries)

    def image(self, number: int) -> np.ndarray:
        """[h, w, channels] uint8, uint16 or float32; a view of the file."""
        entry = self.entries[number]
        return self._arrays.view("images", entry.offsets[0], entry.image_shape, entry.dtype)

    def mask(self, number: int) -> np.ndarray:
        """uint8 class ids [h, w], or [classes, h, w] for multilabel; a view of the file."""
        entry = self.entries[number]
        return self._arrays.view("masks", entry.offsets[1], entry.mask_shape, "uint8")

    def foreground_rows(self, number: int) -> np.ndarray:
        """How many foreground pixels each row of the mask has."""
        entry = self.entries[number]
        return self._arrays.view("rows", entry.offsets[2], entry.image_shape[:1], "uint32")

    def fit(self, number: int) -> Fit:
        """Where the original lies in the prepared picture."""
        entry = self.entries[number]
        return Fit(entry.original, (entry.image_shape[0], entry.image_shape[1]), entry.inner, entry.corner)

    def check(self, preprocessing: Preprocessing) -> None:
        """Refuse a preprocessing that these pictures were not prepared for."""
        asked = stored_as(preprocessing)
        wrong = [
            f"{name} {asked[name]} (prepared: {self.recipe[name]})"
            for name in asked
            if asked[name] != self.recipe[name]
        ]
        if wrong:
            raise UserError(
                f"{self.folder} was prepared otherwise than asked for, {', '.join(wrong)}: prepare it again."
            )

    @cached_property
    def _arrays(self) -> Reader:
        return Reader(self.folder / self.arrays)

    def __reduce__(self) -> tuple[Callable[..., Prepared], tuple[Path, str]]:
        return _open_same, (self.folder, self.facts["fingerprint"])


def stored_as(preprocessing: Preprocessing) -> dict[str, Any]:
    """The knobs of a preprocessing that the stored arrays depend on; the others are applied when they are read."""
    size = {"none": None, "width": preprocessing.size[1], "shorter_side": min(preprocessing.size)}
    return {
        "resize": preprocessing.resize,
        "size": size.get(preprocessing.resize, list(preprocessing.size)),
        "multiple": preprocessing.multiple if preprocessing.resize == "width" else None,
        "channels": "rgb" if preprocessing.channels == "bgr" else preprocessing.channels,
    }


def open_prepared(path: str | Path) -> Prepared:
    """Open what `prepare` wrote."""
    folder = Path(path)
    index = read_index(folder)
    entries = tuple(map(Entry.from_json, index["entries"]))
    numbers = {entry.name: number for number, entry in enumerate(entries)}
    return Prepared(
        folder=folder,
        task=Task(**index["task"]),
        entries=entries,
        splits={split: tuple(numbers[name] for name in names) for split, names in index["splits"].items()},
        facts=index["facts"],
        source=index["source"],
        recipe=index["recipe"],
        arrays=index["arrays"],
    )


def _open_same(folder: Path, fingerprint: str) -> Prepared:
    prepared = open_prepared(folder)
    if prepared.facts["fingerprint"] != fingerprint:
        raise UserError(f"{folder} was prepared again while it was read: start again.")
    return prepared


def splits_of(prepared: Prepared) -> Splits:
    """The names in each split, as `write_splits` takes them."""
    return Splits(**{split: tuple(prepared.names[n] for n in numbers) for split, numbers in prepared.splits.items()})

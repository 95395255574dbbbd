"""The pictures and masks of a prepared set at their own size, read from their files again."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from workbench.data.corrections import read_corrected, with_corrections
from workbench.data.labels import Labels, read_mask
from workbench.data.layouts import open_source
from workbench.data.prepared import Prepared
from workbench.data.reading import Picture
from workbench.data.source import Item, Source
from workbench.data.store import read_index
from workbench.errors import UserError


class FullSize:
    """Looks a prepared picture's files up by its number; the files must be where they were when it was prepared."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared

    def picture(self, number: int) -> Picture:
        """As read, whatever its channels and type."""
        return self._source.read_image(self._item(number))

    def mask(self, number: int, original: bool = False) -> np.ndarray:
        """uint8 class ids [h, w], or [classes, h, w] for multilabel, mapped as they were when prepared.

        `original` is the mask that the data set came with, also where it was corrected.
        """
        item = self._item(number)
        if item.corrected and not original:
            mask = self.corrected(item.corrected)
        else:
            mask = read_mask(self._source, item, self._labels)
        if mask.shape[-2:] != tuple(self.prepared.entries[number].original):
            raise UserError(
                f"The mask of {self.prepared.names[number]} has another size than when {self.prepared.folder} was "
                "prepared: prepare it again."
            )
        return mask

    def corrected(self, path: Path) -> np.ndarray:
        """A mask that was corrected by hand, as one of this data set."""
        return read_corrected(path, self._labels)

    def _item(self, number: int) -> Item:
        name = self.prepared.names[number]
        if name not in self._items:
            raise UserError(f"{name} is no longer in {self._source.root}: prepare the data set again.")
        return self._items[name]

    @cached_property
    def _source(self) -> Source:
        source = self.prepared.source
        found = open_source(source["path"], source["layout"], **source["options"])
        return with_corrections(found, source.get("corrections"))

    @cached_property
    def _items(self) -> dict[str, Item]:
        return {item.name: item for item in self._source.items}

    @cached_property
    def _labels(self) -> Labels:
        stored = read_index(self.prepared.folder)["labels"]
        values = tuple((value, class_id) for value, class_id in stored["values"])
        return Labels(self.prepared.task, values, stored["snap"], stored["objects"])

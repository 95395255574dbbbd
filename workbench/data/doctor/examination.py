"""A data set and a look at each of its items: what every finding is made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workbench.config import DataConfig
from workbench.data.doctor.look import Look, MaskLook, PictureLook, Plane
from workbench.data.doctor.values import Proposal, colours_of, kind_of, known_values, propose
from workbench.data.labels import Labels, choose_labels, complete_task, to_class_ids
from workbench.data.source import Item, Source
from workbench.errors import UserError
from workbench.task import IGNORE, Task


@dataclass(frozen=True)
class Examination:
    """A data set with a look at each of its items, in order."""

    source: Source
    config: DataConfig
    looks: tuple[Look, ...]
    splits: Mapping[str, str]
    """Name to split, where it is decided already."""
    groups: Mapping[str, str]
    """Name to group, where one is known already."""

    @property
    def pairs(self) -> Iterator[tuple[Item, Look]]:
        """Every item with its look."""
        return zip(self.source.items, self.looks, strict=True)

    @cached_property
    def pictures(self) -> list[tuple[Item, PictureLook]]:
        """The items whose picture could be read."""
        return [(item, look.picture) for item, look in self.pairs if look.picture]

    @cached_property
    def masks(self) -> list[tuple[Item, MaskLook]]:
        """The items whose mask could be read."""
        return [(item, look.mask) for item, look in self.pairs if look.mask]

    @cached_property
    def labels_or_refusal(self) -> Labels | str:
        """What training takes the mask values for, or why it refuses them."""
        try:
            return choose_labels(self.source, self.config)
        except UserError as error:
            return str(error)

    @property
    def labels(self) -> Labels | None:
        return self.labels_or_refusal if isinstance(self.labels_or_refusal, Labels) else None

    @property
    def values_are_given(self) -> bool:
        """Whether the config or the layout says what mask values mean."""
        return bool(self.config.mask_values or self.source.values)

    @cached_property
    def known(self) -> frozenset[int]:
        """The stored values that are class ids beyond doubt."""
        return known_values(self._mask_looks, self.labels, self.values_are_given)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Name to what is odd about the values of its mask, where something is."""
        soft = sum(mask.is_soft for mask in self._mask_looks)
        if self.labels and self.labels.objects and soft <= len(self.masks) / 2:
            return {}
        return {item.name: kind for item, mask in self.masks if (kind := kind_of(mask, self.known))}

    @cached_property
    def proposal(self) -> Proposal | None:
        """The mapping that mends what is odd about the masks; None where nothing is, or there is no telling."""
        return propose(self._mask_looks, self.known, self.values_are_given) if self.kinds else None

    @cached_property
    def _mask_looks(self) -> list[MaskLook]:
        return [mask for _, mask in self.masks]

    @cached_property
    def mended_config(self) -> DataConfig:
        """The config with the proposal."""
        if self.proposal is None:
            return self.config
        changes = self.proposal.changes(colours_of(self._mask_looks))
        return DataConfig(**(self.config.model_dump() | changes))

    @cached_property
    def mended_labels(self) -> Labels | None:
        """What the mask values mean with the proposal."""
        if self.proposal is None:
            return self.labels
        try:
            return choose_labels(self.source, self.mended_config)
        except UserError:
            return None

    @cached_property
    def mended_kinds(self) -> frozenset[str]:
        """The kinds of odd masks that the proposal makes sense of; it must not guess at hard values that it lacks."""
        if self.proposal is None or self.mended_labels is None:
            return frozenset()
        listed = {value for value, _ in self.mended_labels.values}
        unlisted = {
            self.kinds[item.name]
            for item, mask in self.masks
            if item.name in self.kinds
            for plane in mask.planes
            if not plane.is_soft and not set(plane.stored.tolist()) <= listed
        }
        return frozenset(self.kinds.values()) - unlisted

    @cached_property
    def class_pixels(self) -> dict[str, np.ndarray]:
        """Name to the number of pixels of each class id, up to 255 (ignored), for all masks that mean something."""
        labels = self.mended_labels
        if labels is None:
            return {}
        meant = [(item.name, mask) for item, mask in self.masks if self._is_meant(item.name)]
        counted = {name: _class_pixels(mask, labels, name) for name, mask in meant}
        return {name: pixels for name, pixels in counted.items() if pixels is not None}

    def _is_meant(self, name: str) -> bool:
        return name not in self.kinds or self.kinds[name] in self.mended_kinds

    @cached_property
    def task(self) -> Task | None:
        """What would be trained, with the proposal."""
        if self.mended_labels is None:
            return None
        highest = (int(np.flatnonzero(pixels[:IGNORE]).max(initial=0)) for pixels in self.class_pixels.values())
        return complete_task(self.mended_labels, max(highest, default=0) + 1)

    @cached_property
    def area(self) -> int:
        """The number of pixels of all masks that mean something."""
        return sum(mask.size[0] * mask.size[1] for item, mask in self.masks if item.name in self.class_pixels)


def _class_pixels(mask: MaskLook, labels: Labels, name: str) -> np.ndarray | None:
    counts = np.zeros(IGNORE + 1, np.int64)
    for number, plane in enumerate(mask.planes):
        try:
            ids = to_class_ids(_as_stored(plane), labels, name).ravel()
        except UserError:
            return None
        pixels = plane.counts
        if labels.task.mode == "multilabel":
            counts[number] += pixels[ids == 1].sum()
            counts[IGNORE] += pixels[ids == IGNORE].sum()
        else:
            np.add.at(counts, ids, pixels)
    return counts


def _as_stored(plane: Plane) -> np.ndarray:
    """Each value once, in a row, as a mask holds it."""
    values = plane.stored
    if plane.is_colour:
        return np.stack([values >> 16 & 255, values >> 8 & 255, values & 255], axis=-1).astype(np.uint8)[None]
    return values[None]

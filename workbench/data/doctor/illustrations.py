"""Pictures to findings: what is wrong, and for a mend how it was and how it will be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from workbench.data.counting import short
from workbench.data.doctor.examination import Examination
from workbench.data.doctor.findings import Finding, Illustration
from workbench.data.doctor.likeness import arranged
from workbench.data.doctor.look import AT_LEAST
from workbench.data.labels import Labels, choose_labels, complete_task, flat, read_mask
from workbench.data.reading import to_display
from workbench.data.source import Item
from workbench.errors import UserError
from workbench.overlays import mask_overlay
from workbench.task import IGNORE

SIDE = 192
"""Illustrations are at most so high and wide."""
MOST = 3
"""So many a finding."""


def illustrated(examination: Examination, finding: Finding) -> Finding:
    """The finding with some pictures, as far as its files can be read."""
    draw = DRAWN.get(finding.code)
    if draw is None:
        return finding
    found = []
    for pictures in draw(examination, finding):
        found.append(pictures)
        if len(found) == MOST:
            break
    return replace(finding, illustrations=tuple(found))


def gallery(examination: Examination, count: int = 8) -> tuple[Illustration, ...]:
    """Some pictures of the whole set with their masks drawn over them, as training will see them."""
    labels = examination.mended_labels
    items = [item for item, _ in examination.pictures if item.name in examination.class_pixels]
    if labels is None or not items:
        return ()
    chosen = [items[round(number)] for number in np.linspace(0, len(items) - 1, min(count, len(items)))]
    found = (_with_mask(examination, item, labels) for item in dict.fromkeys(chosen))
    return tuple(Illustration(short(name), pictures) for name, pictures in found if pictures)


def _with_mask(examination: Examination, item: Item, labels: Labels) -> tuple[str, tuple[np.ndarray, ...]]:
    try:
        image = _picture(examination, item)
        mask = _class_colours(read_mask(examination.source, item, labels), labels)
    except UserError:
        return item.name, ()
    return item.name, (image, mask)


def _picture(examination: Examination, item: Item) -> np.ndarray:
    return _small(to_display(*examination.source.read_image(item, at_least=AT_LEAST)))


def _small(picture: np.ndarray, interpolation: int = cv2.INTER_AREA, side: int = SIDE) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=interpolation if scale < 1 else cv2.INTER_NEAREST)


def _class_colours(mask: np.ndarray, labels: Labels) -> np.ndarray:
    task = complete_task(labels, int(mask.max(where=mask != IGNORE, initial=0)) + 1)
    nothing = np.zeros((*mask.shape[-2:], 3), np.uint8)
    return _small(mask_overlay(nothing, mask, task, opacity=1.0, contours=0), cv2.INTER_NEAREST)


def _as_stored(stored: np.ndarray) -> np.ndarray:
    """A mask as a viewer shows it: values are brightness or colours; small numbers are nearly black, which is true."""
    if stored.ndim == 3 and flat(stored).ndim == 3:
        stored = stored.max(0)
    if stored.ndim == 3:
        return _small(stored)
    return _small(to_display(stored.astype(np.uint8) if stored.min() >= 0 and stored.max() < 256 else stored))


def _items(examination: Examination, finding: Finding) -> Iterator[Item]:
    by_name = {item.name: item for item in examination.source.items}
    return (by_name[name] for name in finding.files if name in by_name)


def _before_and_after(examination: Examination, finding: Finding) -> Iterator[Illustration]:
    labels = _labels_after(examination, finding)
    for item in _items(examination, finding):
        try:
            pictures = [_picture(examination, item), _as_stored(examination.source.read_raw_mask(item))]
            if labels is not None:
                pictures.append(_class_colours(read_mask(examination.source, item, labels), labels))
        except UserError:
            continue
        caption = f"{short(item.name)}: picture, mask as stored" + (
            ", classes after the mend" if len(pictures) > 2 else ""
        )
        yield Illustration(caption, tuple(pictures))


def _labels_after(examination: Examination, finding: Finding) -> Labels | None:
    if finding.mend is None:
        return None
    try:
        return choose_labels(examination.source, finding.mend.applied_to(examination.config))
    except UserError:
        return None


def _side_by_side(examination: Examination, finding: Finding) -> Iterator[Illustration]:
    by_name = {item.name: item for item in examination.source.items}
    for group in finding.groups:
        try:
            pictures = tuple(_picture(examination, by_name[name]) for name in group[:4])
        except UserError:
            continue
        told = [
            f"{short(name)} ({examination.splits[name]})" if name in examination.splits else short(name)
            for name in group[:4]
        ]
        yield Illustration(", ".join(told), pictures)


def _assembled(examination: Examination, finding: Finding) -> Iterator[Illustration]:
    """The larger pictures, as far as their tiles are there."""
    looks = {item.name: (item, picture) for item, picture in examination.pictures}
    for group in finding.groups:
        borders = [looks[name][1].borders for name in group]
        places = arranged(np.stack([border for border in borders if border is not None]))
        rows, columns = (1 + max(place[axis] for place in places.values()) for axis in (0, 1))
        try:
            tiles = {place: _picture(examination, looks[group[number]][0]) for number, place in places.items()}
        except UserError:
            continue
        height, width = max(tile.shape[:2] for tile in tiles.values())
        whole = np.full((rows * (height + 1), columns * (width + 1), 3), 255, np.uint8)
        for (row, column), tile in tiles.items():
            top, left = row * (height + 1), column * (width + 1)
            whole[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
        caption = f"{len(places)} tiles: {short(group[0], 16)} and others"
        yield Illustration(caption, (_small(whole, side=2 * SIDE),))


def _scaled(examination: Examination, finding: Finding) -> Iterator[Illustration]:
    for item in _items(examination, finding):
        try:
            array, facts = examination.source.read_image(item, at_least=AT_LEAST)
        except UserError:
            continue
        largest = 65535 if array.dtype == np.uint16 else 1
        before = (array.astype(np.float32) / largest).clip(0, 1) * 255
        pictures = (_small(to_display(before.astype(np.uint8))), _small(to_display(array, facts)))
        yield Illustration(f"{short(item.name)}: divided by {largest}, by percentiles", pictures)


Drawer = Callable[[Examination, Finding], Iterator[Illustration]]

DRAWN: dict[str, Drawer] = {
    **dict.fromkeys(
        (
            *("soft_edges", "soft_masks", "mask_colours", "off_by_one", "odd_values", "size_mismatch", "empty_masks"),
            *("full_masks", "nothing_marked", "one_class", "constant_pictures", "mixed_channels", "mixed_depths"),
        ),
        _before_and_after,
    ),
    **dict.fromkeys(("duplicates", "near_duplicates", "leaks", "contradictions"), _side_by_side),
    "tiles": _assembled,
    **dict.fromkeys(("dim_pictures", "decimal_range"), _scaled),
}
"""Finding codes that pictures explain."""

"""Any folder of pictures and masks, whatever the names of its folders; volumes give one sample a slice."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from workbench.data.counting import count_of, named
from workbench.data.layouts.pairing import Pairs, name_files, pair
from workbench.data.reading import PICTURE_SUFFIXES, read_facts
from workbench.data.source import Item, Layout, Source, left_out, read_classes, read_single_mask
from workbench.errors import UserError

VOLUMES = (".nii", ".nii.gz", ".tif", ".tiff", ".dcm")
TILE = re.compile(r"[-_. ]+(?:tile|patch|crop|x|y|r|c|row|col|rows|cols)[-_]?\d+")


def find(path: Path) -> Path | None:
    """Any folder will do."""
    return path if path.is_dir() else None


def open_folder(root: Path, axis: int | None = None) -> Source:
    """Pair pictures and masks by their names; `axis` chooses the slices of NIfTI volumes."""
    paths = list_pictures(root)
    if not paths:
        raise UserError(
            f"There is no picture in {root} or in the folders below it: expected files such as "
            f"{', '.join(PICTURE_SUFFIXES[:3])} in images/ and masks/."
        )
    pairs = pair(name_files(paths))
    _refuse_nothing(root, pairs)
    items = _items(root, pairs, axis)
    splits = {item.split for item in items}
    if "train" not in splits or len(splits - {None}) < 2 or None in splits:
        items = [replace(item, split=None) for item in items]
    images_alone = tuple(root / path for path in pairs.images_alone)
    masks_alone = tuple(root / path for path in pairs.masks_alone)
    return Source(
        layout="folder",
        root=root,
        items=tuple(items),
        report=_report(pairs, items) + left_out(images_alone, masks_alone),
        classes=pairs.classes,
        multilabel=bool(pairs.classes),
        images_alone=images_alone,
        masks_alone=masks_alone,
        mask_reader=read_classes if pairs.classes else read_single_mask,
    )


def list_pictures(root: Path) -> list[PurePath]:
    """Every picture file below a folder, relative to it; hidden folders and files are passed over."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        inside = PurePath(folder).relative_to(root)
        found += [
            inside / name for name in files if name.lower().endswith(PICTURE_SUFFIXES) and not name.startswith(".")
        ]
    return found


def _refuse_nothing(root: Path, pairs: Pairs) -> None:
    if pairs.matched:
        return
    images, masks = pairs.images_alone, pairs.masks_alone
    if not masks:
        raise UserError(
            f"{root} has {count_of(images, 'picture')} and no masks ({named(images)}): put masks of the same names "
            "into masks/ beside images/, or give them a suffix such as _mask."
        )
    if not images:
        raise UserError(
            f"{root} has {count_of(masks, 'mask')} and no pictures ({named(masks)}): put pictures of the same names "
            "into images/ beside masks/."
        )
    raise UserError(
        f"None of the {count_of(images, 'picture')} in {root} ({named(images)}) has a mask of its name among the "
        f"{count_of(masks, 'mask')} ({named(masks)}): give a picture and its mask the same name."
    )


def _items(root: Path, pairs: Pairs, axis: int | None) -> list[Item]:
    stems = Counter(image.stem for image, _ in pairs.matched)
    items: list[Item] = []
    for image, masks in pairs.matched:
        name = image.stem if stems[image.stem] == 1 else "_".join([*image.path.parent.parts, image.stem])
        item = Item(
            name=re.sub(r"[^\w.+-]+", "_", name),
            image=root / image.path,
            masks=tuple(root / mask for mask in masks),
            split=image.split,
            group=TILE.sub("", image.stem) if TILE.search(image.stem) else None,
            axis=axis,
        )
        items += _slices(item) if image.path.name.lower().endswith(VOLUMES) else [item]
    return items


def _slices(item: Item) -> list[Item]:
    """One item a slice of a volume; a file that cannot be read stays one item, to be told when it is read."""
    assert item.image is not None
    try:
        count = read_facts(item.image, axis=item.axis).slices
        others = [read_facts(path, axis=item.axis).slices for path in item.masks if count > 1]
    except UserError:
        return [item]
    if count == 1:
        return [item]
    for path, other in zip(item.masks, others, strict=True):
        if other != count:
            raise UserError(
                f"{item.image} has {count} slices, but its mask {path} has {other}: give every slice a mask."
            )
    digits = len(str(count - 1))
    return [
        replace(item, name=f"{item.name}_slice{index:0{digits}d}", group=item.name, index=index)
        for index in range(count)
    ]


def _report(pairs: Pairs, items: Sequence[Item]) -> str:
    sentence = f"folder: {count_of(pairs.matched, 'picture')} with masks"
    if pairs.classes:
        sentence += f", one mask for each of {len(pairs.classes)} classes ({', '.join(pairs.classes)})"
    if len(items) != len(pairs.matched):
        sentence += f", which are {len(items)} slices"
    splits = Counter(item.split for item in items if item.split)
    sentence += f", split into {', '.join(f'{n} {s}' for s, n in splits.items())}" if splits else ", no splits"
    return sentence + "."


LAYOUT = Layout(
    "folder", "pictures and masks in images/ and masks/, or side by side, with the same names", find, open_folder
)

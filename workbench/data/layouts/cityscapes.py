"""Cityscapes (street scenes): leftImg8bit/SPLIT/CITY/ and gtFine/SPLIT/CITY/, 19 classes."""

from __future__ import annotations

from pathlib import Path

from workbench.data.counting import count_of
from workbench.data.source import Item, Layout, Source, inside, left_out, one_folder
from workbench.errors import UserError
from workbench.task import CITYSCAPES, IGNORE

LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The ids of CITYSCAPES among the 34 of labelIds files, which also have a licence plate, -1 or 255."""

SPLITS = {"train": "train", "val": "valid", "test": "test"}
PICTURE = "_leftImg8bit.png"
TRUTHS = ("_gtFine_labelTrainIds.png", "_gtFine_labelIds.png")


def find(path: Path) -> Path | None:
    """The folder that holds leftImg8bit/ and gtFine/."""
    return one_folder(path, lambda folder: (folder / "leftImg8bit").is_dir() and (folder / "gtFine").is_dir())


def open_folder(root: Path) -> Source:
    """Train and validation pictures; the public test split has no labels, so it is left out.

    labelTrainIds files are taken if every picture has one, else labelIds.
    """
    images = {
        (split, path.parent.name, path.name.removesuffix(PICTURE)): path
        for split in SPLITS
        for path in sorted((root / "leftImg8bit" / split).glob(f"*/*{PICTURE}"))
    }
    public = {key: path for key, path in images.items() if key[0] != "test"}
    found = {suffix: _truths(root, public, suffix) for suffix in TRUTHS}
    suffix = max(TRUTHS, key=lambda suffix: len(found[suffix]))
    truths = found[suffix]
    if not truths:
        raise UserError(
            f"{root} is laid out as Cityscapes, but none of its {count_of(public, 'picture')} for training and "
            f"validation has a file *{TRUTHS[0]} or *{TRUTHS[1]} in gtFine."
        )
    items = [
        Item(key[2], public[key], (truths[key],), split=SPLITS[key[0]], group=key[1]) for key in public if key in truths
    ]
    alone = [path for key, path in public.items() if key not in truths]
    masks_alone = [
        path
        for split in ("train", "val")
        for path in sorted((root / "gtFine" / split).glob(f"*/*{suffix}"))
        if (split, path.parent.name, path.name.removesuffix(suffix)) not in public
    ]
    counts = {split: sum(item.split == split for item in items) for split in ("train", "valid")}
    report = (
        f"cityscapes: {counts['train']} pictures for training and {counts['valid']} for validation ({suffix[8:-4]})."
    )
    if len(images) > len(public):
        report += f" The {len(images) - len(public)} test pictures have no public labels and are left out."
    return Source(
        "cityscapes",
        root,
        tuple(items),
        report + left_out(alone, masks_alone),
        classes=CITYSCAPES,
        values=_train_ids() if "TrainIds" in suffix else _label_ids(),
        images_alone=tuple(alone),
        masks_alone=tuple(masks_alone),
    )


def _truths(root: Path, images: dict[tuple[str, str, str], Path], suffix: str) -> dict[tuple[str, str, str], Path]:
    there: dict[tuple[str, str], set[str]] = {}
    truths = {}
    for key in images:
        split, city, name = key
        folder = root / "gtFine" / split / city
        if (split, city) not in there:
            there[split, city] = {path.name for path in inside(folder)}
        if name + suffix in there[split, city]:
            truths[key] = folder / (name + suffix)
    return truths


def _label_ids() -> tuple[tuple[int, int], ...]:
    known = {label: train for train, label in enumerate(LABEL_IDS)}
    return tuple((stored, known.get(stored, IGNORE)) for stored in (*range(-1, 34), 255))


def _train_ids() -> tuple[tuple[int, int], ...]:
    return tuple((stored, stored if 0 <= stored < len(CITYSCAPES) else IGNORE) for stored in (*range(-1, 34), 254, 255))


LAYOUT = Layout("cityscapes", "leftImg8bit/{train,val}/CITY/ and gtFine/{train,val}/CITY/", find, open_folder)

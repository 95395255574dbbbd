"""ISIC 2018 task 1 (skin lesions): the challenge's own folders, or train/ train_GT/ valid/ ... of the usual split."""

from __future__ import annotations

import re
from pathlib import Path

from workbench.data.counting import count_of
from workbench.data.source import Item, Layout, Source, inside, left_out, one_folder
from workbench.errors import UserError

RAW = {
    "train": ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"),
    "valid": ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth"),
    "test": ("ISIC2018_Task1-2_Test_Input", "ISIC2018_Task1_Test_GroundTruth"),
}
SPLIT = {split: (split, f"{split}_GT") for split in ("train", "valid", "test")}
PICTURE = re.compile(r"(ISIC_\d+)\.(?:jpg|jpeg|png)", re.IGNORECASE)
MASK = re.compile(r"(ISIC_\d+)_segmentation\.png", re.IGNORECASE)


def find(path: Path) -> Path | None:
    """The folder that holds the challenge's folders, or the split's."""
    return one_folder(path, lambda folder: _folders(folder) is not None)


def open_folder(root: Path) -> Source:
    """Every ISIC_*.jpg that has an ISIC_*_segmentation.png."""
    folders = _folders(root)
    assert folders is not None
    has_splits = folders["train"] == SPLIT["train"] or len(folders) > 1
    items, images_alone, masks_alone = [], [], []
    for split, (pictures, masks) in folders.items():
        images = _by_id(root / pictures, PICTURE)
        truths = _by_id(root / masks, MASK)
        items += [
            Item(name, images[name], (truths[name],), split=split if has_splits else None)
            for name in sorted(images.keys() & truths.keys())
        ]
        images_alone += [images[name] for name in sorted(images.keys() - truths.keys())]
        masks_alone += [truths[name] for name in sorted(truths.keys() - images.keys())]
    if not items:
        raise UserError(
            f"{root} is laid out as ISIC 2018, but none of its {count_of(images_alone, 'picture')} has one of its "
            f"{count_of(masks_alone, 'mask')}: expected ISIC_0000000.jpg and ISIC_0000000_segmentation.png."
        )
    report = f"isic2018: {count_of(items, 'picture')} with masks, "
    report += f"split into {', '.join(folders)}." if has_splits else "no splits."
    return Source(
        "isic2018",
        root,
        tuple(items),
        report + left_out(images_alone, masks_alone),
        classes=("background", "lesion"),
        images_alone=tuple(images_alone),
        masks_alone=tuple(masks_alone),
    )


def _folders(root: Path) -> dict[str, tuple[str, str]] | None:
    for arrangement in (RAW, SPLIT):
        there = {split: pair for split, pair in arrangement.items() if all((root / folder).is_dir() for folder in pair)}
        if "train" in there and (arrangement is RAW or _by_id(root / "train", PICTURE)):
            return there
    return None


def _by_id(folder: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    return {match[1].upper(): path for path in inside(folder) if (match := pattern.fullmatch(path.name))}


LAYOUT = Layout(
    "isic2018", "ISIC2018_Task1-2_Training_Input/ and its ground truth, or train/ and train_GT/", find, open_folder
)

"""Data Science Bowl 2018 (nuclei): stage1_train/ID/images/ID.png and one file an instance in stage1_train/ID/masks/."""

from __future__ import annotations

from pathlib import Path

from workbench.data.counting import count_of, named
from workbench.data.reading import PICTURE_SUFFIXES
from workbench.data.source import Item, Layout, Source, inside, left_out, one_folder, read_instances
from workbench.errors import UserError


def find(path: Path) -> Path | None:
    """The folder whose folders are pictures: stage1_train itself, or the one above it."""
    return one_folder(path / "stage1_train", _is_stage) or one_folder(path, _is_stage)


def open_folder(root: Path) -> Source:
    """A picture a folder; its instances are merged when the mask is read."""
    items, images_alone, masks_alone = [], [], []
    instances = 0
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        images, masks = _pictures(folder / "images"), _pictures(folder / "masks")
        if len(images) > 1:
            raise UserError(
                f"{folder / 'images'} holds {len(images)} pictures ({named(images)}): keep the one of the id."
            )
        if images and masks:
            items.append(Item(folder.name, images[0], tuple(masks)))
            instances += len(masks)
        else:
            images_alone += images
            masks_alone += masks
    if not items:
        raise UserError(
            f"{root} is laid out as DSB 2018, but none of its {count_of(images_alone, 'picture')} has masks: expected "
            "ID/images/ID.png and ID/masks/*.png (stage1_test has no masks; use stage1_train)."
        )
    report = f"dsb2018: {count_of(items, 'picture')} with {instances} instances, merged into one mask each, no splits."
    return Source(
        "dsb2018",
        root,
        tuple(items),
        report + left_out(images_alone, masks_alone),
        classes=("background", "nucleus"),
        images_alone=tuple(images_alone),
        masks_alone=tuple(masks_alone),
        mask_reader=read_instances,
    )


def _is_stage(folder: Path) -> bool:
    """Whether one of the first folders has images/ and masks/ with a picture of the folder's own name."""
    first = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))[:20]
    return any((path / "masks").is_dir() and any((path / "images").glob(f"{path.name}.*")) for path in first)


def _pictures(folder: Path) -> list[Path]:
    return [path for path in inside(folder) if path.name.lower().endswith(PICTURE_SUFFIXES)]


LAYOUT = Layout("dsb2018", "stage1_train/ID/images/ID.png and stage1_train/ID/masks/*.png", find, open_folder)

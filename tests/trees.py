"""Miniature data sets in the exact layouts of real ones, drawn from the synthetic shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from workbench.data.layouts import open_source
from workbench.data.layouts.cityscapes import LABEL_IDS


def drawn(count: int, size: int = 48, mode: str = "binary", seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """`count` pictures [h, w, 3] with masks of class ids."""
    source = open_source(f"shapes:{mode}", count=count, size=size, difficulty=0, seed=seed)
    return [(source.read_image(item).array, source.read_raw_mask(item)) for item in source.items]


def save(path: Path, array: np.ndarray, **options) -> Path:
    """Write a picture or a mask; the folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def make_folder(
    root: Path,
    count: int = 6,
    size: int = 48,
    images: str = "images",
    masks: str = "masks",
    suffix: str = "",
    seed: int = 0,
) -> Path:
    """images/picture_0.png and masks/picture_0SUFFIX.png with masks of 0 and 255."""
    for number, (picture, mask) in enumerate(drawn(count, size, seed=seed)):
        save(root / images / f"picture_{number}.png", picture)
        save(root / masks / f"picture_{number}{suffix}.png", mask * 255)
    return root


def make_isic2018(root: Path, count: int = 10, size: tuple[int, int] = (48, 64)) -> Path:
    """The challenge's two folders with the files that lie beside the pictures in them."""
    for number, (picture, mask) in enumerate(drawn(count, max(size))):
        name = f"ISIC_{number * 7:07d}"
        save(root / "ISIC2018_Task1-2_Training_Input" / f"{name}.jpg", picture[: size[0], : size[1]], quality=95)
        truth = mask[: size[0], : size[1]] * 255
        save(root / "ISIC2018_Task1_Training_GroundTruth" / f"{name}_segmentation.png", truth)
    for folder in root.iterdir():
        (folder / "LICENSE.txt").write_text("CC-0")
        (folder / "ATTRIBUTION.txt").write_text("ISIC")
    return root


def make_isic2018_split(root: Path, counts: tuple[int, int, int] = (5, 2, 3)) -> Path:
    """train/ train_GT/ valid/ valid_GT/ test/ test_GT/, as the original's dataset.py writes them."""
    pictures = iter(enumerate(drawn(sum(counts))))
    for split, count in zip(("train", "valid", "test"), counts, strict=True):
        for _ in range(count):
            number, (picture, mask) = next(pictures)
            save(root / split / f"ISIC_{number:07d}.jpg", picture)
            save(root / f"{split}_GT" / f"ISIC_{number:07d}_segmentation.png", mask * 255)
    return root


def make_dsb2018(root: Path, count: int = 6, size: int = 48) -> Path:
    """stage1_train/ID/images/ID.png with alpha, and ID/masks/ with one file for each object."""
    from scipy import ndimage

    for number, (picture, mask) in enumerate(drawn(count, size)):
        name = f"{number:02d}" + "5e" * 31
        folder = root / "stage1_train" / name
        opaque = np.full((size, size, 1), 255, np.uint8)
        save(folder / "images" / f"{name}.png", np.concatenate([picture, opaque], 2))
        objects, found = ndimage.label(mask)
        for which in range(1, found + 1):
            save(folder / "masks" / f"{which:02d}{number:062d}.png", (objects == which).astype(np.uint8) * 255)
    return root


def make_cityscapes(root: Path, train_ids: bool = False, size: tuple[int, int] = (64, 128)) -> Path:
    """Two cities to train, one to validate, one to test; labelIds hold the 19 classes, and ids that are none."""
    cities = {"train": ("aachen", "bochum"), "val": ("frankfurt",), "test": ("berlin",)}
    pictures = iter(drawn(8, max(size), "multiclass"))
    for split, names in cities.items():
        for city in names:
            for frame in range(2):
                picture, mask = (array[: size[0], : size[1]] for array in next(pictures))
                name = f"{city}_{frame:06d}_000019"
                save(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", picture)
                folder = root / "gtFine" / split / city
                labels = np.array([LABEL_IDS[0], LABEL_IDS[2], LABEL_IDS[13], LABEL_IDS[18]], np.uint8)[mask]
                labels[:4] = 3  # out of the region of interest
                if split == "test":
                    labels[:] = 0  # what the public files hold
                save(folder / f"{name}_gtFine_labelIds.png", labels)
                save(folder / f"{name}_gtFine_instanceIds.png", labels.astype(np.uint16) * 1000)
                save(folder / f"{name}_gtFine_color.png", np.repeat(labels[..., None], 3, 2))
                (folder / f"{name}_gtFine_polygons.json").write_text("{}")
                if train_ids and split != "test":
                    ids = np.array([0, 2, 13, 18], np.uint8)[mask]
                    ids[:4] = 255
                    save(folder / f"{name}_gtFine_labelTrainIds.png", ids)
    return root


def make_nested_unet(root: Path, count: int = 4, size: int = 48) -> Path:
    """images/NAME.png and masks/0/NAME.png, masks/1/NAME.png, masks/2/NAME.png: a folder a class."""
    for number, (picture, planes) in enumerate(drawn(count, size, "multilabel")):
        save(root / "images" / f"{number}.png", picture)
        for which, plane in enumerate(planes):
            save(root / "masks" / str(which) / f"{number}.png", plane * 255)
    return root

"""A small data set of nuclei like those of the Data Science Bowl, and the ways to break it that the doctor must find.

    python tests/break_dsb.py FOLDER [CODE ...]

writes a folder that is broken in the ways named by the codes of their findings, by default in all of them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

COUNT = 44
SIDE = 96


def draw_nuclei(rng: np.random.Generator, height: int = SIDE, width: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """An RGB picture and its mask of 0 and 255."""
    mask = np.zeros((height, width), np.uint8)
    light = np.zeros((height, width), np.float32)
    for _ in range(round(height * width / 900)):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(4, 11)), int(rng.integers(4, 11))
        nucleus = cv2.ellipse(np.zeros_like(mask), centre, axes, float(rng.uniform(0, 180)), 0, 360, (255,), -1)
        mask |= nucleus
        light = np.maximum(light, (nucleus > 0) * rng.uniform(60, 180))
    texture = cv2.GaussianBlur(rng.normal(0, 30, (height, width)).astype(np.float32), (0, 0), 1.5)
    grey = cv2.GaussianBlur(light, (0, 0), 1.0) + texture + 35 + rng.normal(0, 2, (height, width))
    tint = np.array([0.9, 0.8, 1.0])
    return np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8), mask


def write_sample(folder: Path, name: str, image: np.ndarray, mask: np.ndarray) -> None:
    for kind, array in (("images", image), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / kind / f"{name}.png")


def build(folder: Path, count: int = COUNT, seed: int = 0) -> list[str]:
    """A folder without any fault: images/ and masks/; returns the names."""
    names = [f"cell_{number:02d}" for number in range(count)]
    for number, name in enumerate(names):
        write_sample(folder, name, *draw_nuclei(np.random.default_rng((seed, number))))
    return names


def _mask(folder: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(folder / "masks" / f"{name}.png"))


def _image(folder: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(folder / "images" / f"{name}.png"))


def _save_mask(folder: Path, name: str, mask: np.ndarray) -> None:
    Image.fromarray(mask).save(folder / "masks" / f"{name}.png")


def _soft_edges(folder: Path) -> list[str]:
    """One mask smoothed by a resize, one saved as JPEG."""
    small = cv2.resize(_mask(folder, "cell_01"), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    _save_mask(folder, "cell_01", cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR))
    Image.fromarray(_mask(folder, "cell_02")).save(folder / "masks" / "cell_02.jpg", quality=75)
    (folder / "masks" / "cell_02.png").unlink()
    return ["cell_01", "cell_02"]


def _soft_masks(folder: Path) -> list[str]:
    """Probabilities instead of a decision."""
    wide = cv2.GaussianBlur(_mask(folder, "cell_03").astype(np.float32), (0, 0), 9)
    _save_mask(folder, "cell_03", (wide * 255 / wide.max()).astype(np.uint8))
    return ["cell_03"]


def _mask_colours(folder: Path) -> list[str]:
    """Red on black."""
    mask = _mask(folder, "cell_04")
    _save_mask(folder, "cell_04", np.dstack([mask, mask * 0, mask * 0]))
    return ["cell_04"]


def _odd_values(folder: Path) -> list[str]:
    """0 and 1, where the others have 0 and 255."""
    _save_mask(folder, "cell_05", _mask(folder, "cell_05") // 255)
    return ["cell_05"]


def _size_mismatch(folder: Path) -> list[str]:
    """One mask at half the size, and one picture that its EXIF mark turns while its mask stays as it is."""
    _save_mask(folder, "cell_06", _mask(folder, "cell_06")[::2, ::2])
    image, mask = draw_nuclei(np.random.default_rng(99), SIDE, SIDE - 32)
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / "images" / "cell_07.png").unlink()
    Image.fromarray(image).save(folder / "images" / "cell_07.jpg", exif=exif, quality=95)
    _save_mask(folder, "cell_07", mask)
    return ["cell_06", "cell_07"]


def _unreadable_pictures(folder: Path) -> list[str]:
    """The second half of a file is lost."""
    path = folder / "images" / "cell_08.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return ["cell_08"]


def _unreadable_masks(folder: Path) -> list[str]:
    (folder / "masks" / "cell_09.png").write_bytes(b"")
    return ["cell_09"]


def _empty_masks(folder: Path) -> list[str]:
    _save_mask(folder, "cell_10", _mask(folder, "cell_10") * 0)
    return ["cell_10"]


def _full_masks(folder: Path) -> list[str]:
    _save_mask(folder, "cell_11", np.full((SIDE, SIDE), 255, np.uint8))
    return ["cell_11"]


def _duplicates(folder: Path) -> list[str]:
    for kind in ("images", "masks"):
        shutil.copy(folder / kind / "cell_12.png", folder / kind / "cell_13.png")
    return ["cell_12", "cell_13"]


def _near_duplicates(folder: Path) -> list[str]:
    """Mirrored, brightened and compressed."""
    image = np.clip(_image(folder, "cell_14")[:, ::-1] * 1.15 + 5, 0, 255).astype(np.uint8)
    (folder / "images" / "cell_15.png").unlink()
    Image.fromarray(image).save(folder / "images" / "cell_15.jpg", quality=70)
    _save_mask(folder, "cell_15", np.ascontiguousarray(_mask(folder, "cell_14")[:, ::-1]))
    return ["cell_14", "cell_15"]


def _tiles(folder: Path) -> list[str]:
    """Four pictures cut from one, under names that do not tell."""
    image, mask = draw_nuclei(np.random.default_rng(7), 2 * SIDE, 2 * SIDE)
    names = ["cell_16", "cell_17", "cell_18", "cell_19"]
    for number, name in enumerate(names):
        part = np.s_[number // 2 * SIDE :, number % 2 * SIDE :]
        write_sample(folder, name, image[part][:SIDE, :SIDE], mask[part][:SIDE, :SIDE])
    return names


def _constant_pictures(folder: Path) -> list[str]:
    Image.fromarray(np.full((SIDE, SIDE, 3), 40, np.uint8)).save(folder / "images" / "cell_20.png")
    return ["cell_20"]


def _mixed_channels(folder: Path) -> list[str]:
    Image.fromarray(_image(folder, "cell_21")[:, :, 0]).save(folder / "images" / "cell_21.png")
    return ["cell_21"]


def _mixed_depths(folder: Path) -> list[str]:
    cv2.imwrite(str(folder / "images" / "cell_22.png"), _image(folder, "cell_22").astype(np.uint16) * 257)
    return ["cell_22"]


def _pictures_alone(folder: Path) -> list[str]:
    (folder / "masks" / "cell_23.png").unlink()
    return ["cell_23.png"]


def _masks_alone(folder: Path) -> list[str]:
    (folder / "images" / "cell_24.png").unlink()
    return ["cell_24.png"]


def _contradictions(folder: Path) -> list[str]:
    """The same picture with another mask."""
    shutil.copy(folder / "images" / "cell_25.png", folder / "images" / "cell_26.png")
    return ["cell_25", "cell_26"]


BREAKS: dict[str, Callable[[Path], list[str]]] = {
    "soft_edges": _soft_edges,
    "soft_masks": _soft_masks,
    "mask_colours": _mask_colours,
    "odd_values": _odd_values,
    "size_mismatch": _size_mismatch,
    "unreadable_pictures": _unreadable_pictures,
    "unreadable_masks": _unreadable_masks,
    "empty_masks": _empty_masks,
    "full_masks": _full_masks,
    "duplicates": _duplicates,
    "near_duplicates": _near_duplicates,
    "tiles": _tiles,
    "constant_pictures": _constant_pictures,
    "mixed_channels": _mixed_channels,
    "mixed_depths": _mixed_depths,
    "pictures_alone": _pictures_alone,
    "masks_alone": _masks_alone,
    "contradictions": _contradictions,
}
"""The code of the finding to what brings it about; the function returns the names that the doctor must list."""


def break_all(folder: Path, codes: tuple[str, ...] = tuple(BREAKS)) -> dict[str, list[str]]:
    """A broken data set; for every code the names that are broken so."""
    build(folder)
    return {code: BREAKS[code](folder) for code in codes}


if __name__ == "__main__":
    for code, names in break_all(Path(sys.argv[1]), tuple(sys.argv[2:]) or tuple(BREAKS)).items():
        print(f"{code}: {', '.join(names)}")

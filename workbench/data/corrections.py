"""Masks that were corrected by hand: a file names them, and they win over those of the data set, which stay untouched.

The file is JSON, from a picture's name to the path of its mask, told from the file's own folder. A mask is a TIFF file
of class ids at the picture's own size: [h, w], or [classes, h, w] where classes may overlap.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from workbench.data.counting import named
from workbench.data.labels import MOST_CLASSES, Labels
from workbench.data.named_files import read_named, write_named
from workbench.data.source import Source
from workbench.errors import UserError
from workbench.files import whole
from workbench.task import IGNORE


def with_corrections(source: Source, path: str | Path | None) -> Source:
    """The same data set with the masks that the file names in the place of its own."""
    if path is None:
        return source
    masks = read_corrections(path)
    unknown = masks.keys() - {item.name for item in source.items}
    if unknown:
        raise UserError(
            f"{path} corrects pictures that are not in the data ({named(sorted(unknown))}): it was written for others."
        )
    return source.keep(tuple(replace(item, corrected=masks.get(item.name)) for item in source.items))


def read_corrections(path: str | Path) -> dict[str, Path]:
    """From the names of pictures to their masks."""
    stored = read_named(path, "corrections", "the app's tab Correct")
    if not all(isinstance(mask, str) for mask in stored.values()):
        raise UserError(f"The corrections file {path} must hold a mapping from pictures to their masks.")
    return {name: (Path(path).parent / mask).absolute() for name, mask in stored.items()}


def write_corrections(path: Path, masks: Mapping[str, Path]) -> None:
    """What `read_corrections` reads."""
    relative = {name: Path(os.path.relpath(mask, path.parent)).as_posix() for name, mask in sorted(masks.items())}
    write_named(path, relative)


def read_corrected(path: Path, labels: Labels) -> np.ndarray:
    """Class ids, as a data set with these labels may have them."""
    try:
        ids = tifffile.imread(path)
    except (OSError, ValueError) as error:
        raise UserError(f"The corrected mask {path} cannot be read: {error}.") from None
    classes = MOST_CLASSES if labels.guessed else len(labels.task.classes)
    check_ids(ids, labels.task.mode, classes, str(path))
    return ids


def write_mask(path: Path, ids: np.ndarray) -> None:
    """What `read_corrected` reads."""
    with whole(path) as part:
        tifffile.imwrite(part, ids, compression="zlib", photometric="minisblack")


def check_ids(ids: np.ndarray, mode: str, classes: int, where: str) -> None:
    """Refuse what is no mask of a task with so many classes."""
    several = mode == "multilabel"
    if ids.dtype != np.uint8 or ids.ndim != 2 + several or (several and len(ids) != classes):
        raise UserError(f"{where} is no mask of a {mode} data set with {classes} classes.")
    most = 1 if several else classes - 1
    wrong = np.unique(ids[(ids > most) & (ids != IGNORE)])
    if len(wrong):
        raise UserError(f"{where} holds the class {wrong[0]}, and there are only those from 0 to {most}.")


def refuse_corrected_tests(corrected: Collection[str], test: Collection[str]) -> None:
    """A model is scored by the masks of its test pictures, so these stay what they were before it was trained."""
    both = sorted(set(corrected) & set(test))
    if both:
        raise UserError(
            f"Masks of test pictures were corrected ({named(both)}), so that scores before and after could not be "
            "compared: take them back, or split in another way."
        )

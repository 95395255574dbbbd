"""One picture and its mask from their files to what is stored: resized, mapped to class ids, measured."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from workbench.config import Preprocessing
from workbench.data.corrections import read_corrected
from workbench.data.geometry import Fit, Size, check_size, fit_picture, frame_mask, nearest, put_picture
from workbench.data.intensity import measure, stored_channels
from workbench.data.labels import Labels, to_class_ids
from workbench.data.source import Item, Source
from workbench.data.store import Entry
from workbench.errors import UserError
from workbench.task import IGNORE


@dataclass(frozen=True)
class Decoded:
    """What is stored of a picture; the entry still has to be told where."""

    arrays: dict[str, np.ndarray]
    entry: Entry


@dataclass(frozen=True)
class Unchanged:
    """Files that were touched, but hold what they held."""

    stamp: str


@dataclass(frozen=True)
class Problem:
    """Why a picture cannot be prepared, in a sentence."""

    sentence: str


Outcome = Decoded | Unchanged | Problem


def decode(
    item: Item, source: Source, labels: Labels, preprocessing: Preprocessing, known_content: str | None = None
) -> Outcome:
    """Everything that is done to one item; `known_content` is what its files held when they were last prepared."""
    try:
        stamp, content = stamp_of(item, source.root), content_of(item)
        if content and content == known_content:
            return Unchanged(stamp)
        return _decode(item, source, labels, preprocessing, stamp, content)
    except (UserError, OSError) as error:
        sentence = str(error)
        return Problem(sentence if item.name in sentence else f"{item.name}: {sentence}")


def _decode(
    item: Item, source: Source, labels: Labels, preprocessing: Preprocessing, stamp: str, content: str
) -> Decoded:
    picture, facts = source.read_image(item, at_least=needed_size(preprocessing))
    fit = fit_picture((facts.height, facts.width), preprocessing)
    stored = put_picture(stored_channels(picture, preprocessing.channels), fit)
    mask = _mask(item, source, labels, fit)
    inner = stored[fit.box]
    mean, deviation = cv2.meanStdDev(inner)
    foreground = (mask if mask.ndim == 2 else mask.max(0, where=mask != IGNORE, initial=0)) % IGNORE > 0
    entry = Entry(
        name=item.name,
        stamp=stamp,
        content=content,
        pixels="" if inner.min() == inner.max() else _digest(stored.tobytes()),
        offsets=(),
        image_shape=stored.shape,
        mask_shape=mask.shape,
        dtype=stored.dtype.name,
        original=fit.original,
        inner=fit.inner,
        corner=fit.corner,
        spacing=facts.spacing,
        class_pixels=_class_pixels(mask, labels),
        intensities=measure(inner),
        channel_mean=tuple(mean.ravel().tolist()),
        channel_deviation=tuple(deviation.ravel().tolist()),
    )
    return Decoded({"images": stored, "masks": mask, "rows": foreground.sum(1, dtype=np.uint32)}, entry)


def _mask(item: Item, source: Source, labels: Labels, fit: Fit) -> np.ndarray:
    """Class ids in the frame; resized before they are mapped, since that is far fewer pixels."""
    if item.corrected:
        corrected = read_corrected(item.corrected, labels)
        check_size(corrected.shape[-2:], fit)
        return frame_mask(nearest(corrected, fit.inner, (-2, -1)), fit)
    stored = source.read_raw_mask(item)
    colour = stored.ndim == 3 and not source.multilabel
    check_size(stored.shape[:2] if colour else stored.shape[-2:], fit)
    return frame_mask(to_class_ids(stored, labels, item.name, fit.inner), fit)


def _class_pixels(mask: np.ndarray, labels: Labels) -> tuple[int, ...]:
    if labels.task.mode == "multilabel":
        return tuple(int((plane == 1).sum()) for plane in mask)
    counts = np.bincount(mask.ravel(), minlength=IGNORE + 1)[:IGNORE]
    classes = max(len(labels.task.classes), int(np.flatnonzero(counts).max(initial=0)) + 1)
    return tuple(counts[:classes].tolist())


def needed_size(preprocessing: Preprocessing) -> Size | None:
    """How small a picture may be decoded, before its size is known; None: not smaller than it is."""
    height, width = preprocessing.size
    shorter = min(height, width)
    return {
        "none": None,
        "stretch": (height, width),
        "letterbox": (height, width),
        "shorter_side": (shorter, shorter),
        "width": (1, width),
    }[preprocessing.resize]


def files_of(item: Item) -> tuple[Path, ...]:
    """The files that an item is read from."""
    read = (item.image, *item.masks) if item.image else ()
    return (*read, item.corrected) if item.corrected else read


def stamp_of(item: Item, root: Path) -> str:
    """Names, sizes and times of an item's files, hashed."""
    parts = [f"{item.index} {item.axis}"]
    for path in files_of(item):
        status = os.stat(path)
        parts.append(
            f"{path.name if path == item.corrected else path.relative_to(root)} {status.st_size} {status.st_mtime_ns}"
        )
    return _digest("\n".join(parts).encode())


def content_of(item: Item) -> str:
    """The bytes of an item's files, hashed; empty for drawn pictures."""
    files = files_of(item)
    return _digest("\n".join(_file_digest(path, os.stat(path).st_mtime_ns) for path in files).encode()) if files else ""


@lru_cache(maxsize=8)  # the slices of a volume share their files
def _file_digest(path: Path, _time: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def outdated(item: Item, root: Path, done: Mapping[str, Entry]) -> bool:
    """Whether an item is not there yet, or its files were touched since."""
    try:
        return item.name not in done or done[item.name].stamp != stamp_of(item, root)
    except OSError:
        return True

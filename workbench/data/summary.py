"""What a prepared data set is like, from what is known about each of its pictures."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.data.splits import Splits
from workbench.data.store import Entry
from workbench.task import Task


def summarise(task: Task, entries: Sequence[Entry], splits: Splits) -> dict[str, Any]:
    """Counts, sizes, class shares, and the channel statistics of the pictures that train."""
    training = set(splits.train)
    pixels = np.zeros(len(task.classes), np.int64)
    for entry in entries:
        pixels[: len(entry.class_pixels)] += entry.class_pixels
    total = pixels.sum() if task.mode != "multilabel" else sum(e.image_shape[0] * e.image_shape[1] for e in entries)
    return {
        "pictures": len(entries),
        "splits": {split: len(names) for split, names in splits._asdict().items()},
        "classes": dict(zip(task.classes, (pixels / max(total, 1)).tolist(), strict=True)),
        "original_sizes": _counted(f"{entry.original[1]}x{entry.original[0]}" for entry in entries),
        "sizes": _counted(f"{entry.image_shape[1]}x{entry.image_shape[0]}" for entry in entries),
        "channels": _counted(str(entry.image_shape[2]) for entry in entries),
        "types": _counted(entry.dtype for entry in entries),
        "channel_statistics": channel_statistics([entry for entry in entries if entry.name in training]),
    }


def _counted(values) -> dict[str, int]:
    return dict(Counter(values).most_common())


def channel_statistics(entries: Sequence[Entry]) -> dict[str, list[float]] | None:
    """Mean and deviation of each channel over all pixels, in shares of the type's largest value; decimals as they are.

    None where pictures differ in channels or type.
    """
    if len({(entry.image_shape[2], entry.dtype) for entry in entries}) != 1:
        return None
    dtype = np.dtype(entries[0].dtype)
    largest = np.iinfo(dtype).max if dtype.kind == "u" else 1
    sizes = np.array([entry.inner[0] * entry.inner[1] for entry in entries], np.float64)
    means = np.array([entry.channel_mean for entry in entries])
    squares = np.array([entry.channel_deviation for entry in entries]) ** 2 + means**2
    mean = np.average(means, axis=0, weights=sizes)
    deviation = np.sqrt(np.maximum(np.average(squares, axis=0, weights=sizes) - mean**2, 0))
    return {"mean": (mean / largest).tolist(), "std": (deviation / largest).tolist()}


def fingerprint(recipe: dict[str, Any], entries: Sequence[Entry], splits: Splits) -> str:
    """The same for the same files, prepared and split the same way, wherever they lie."""
    told = [recipe, [[entry.name, entry.content] for entry in entries], splits._asdict()]
    return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16).hexdigest()

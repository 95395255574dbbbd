"""COCO annotations with run-length encoded masks, one an object, in one file for all pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.inference.measure import find_objects
from workbench.inference.prediction import Prediction
from workbench.inference.writers.files import replacing


class CocoWriter:
    """coco.json; a category has the number of its class, one more where there is no background."""

    def __init__(self, out: Path):
        self._path = out / "coco.json"
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories: list[dict[str, Any]] = []

    def add(self, prediction: Prediction, base: Path) -> list[Path]:
        height, width = prediction.size
        named = base.relative_to(self._path.parent).as_posix() + prediction.slice_ending
        file_name = prediction.origin.path.name if prediction.origin else named
        first = 1 if 0 in prediction.task.foreground else 0  # COCO's categories start at 1
        self._categories = [
            {"id": number + first, "name": name, "supercategory": ""}
            for number, name in prediction.task.foreground.items()
        ]
        image = len(self._images) + 1
        self._images.append({"id": image, "name": named, "file_name": file_name, "height": height, "width": width})
        for objects in find_objects(prediction):
            encoded = encode_objects(objects.numbers)
            for number, (left, top, wide, tall, area) in enumerate(objects.facts.tolist(), 1):
                self._annotations.append(
                    {
                        "id": len(self._annotations) + 1,
                        "image_id": image,
                        "category_id": objects.id + first,
                        "segmentation": {"size": [height, width], "counts": encoded[number]},
                        "area": area,
                        "bbox": [left, top, wide, tall],
                        "iscrowd": 0,
                    }
                )
        return []

    def finish(self) -> list[Path]:
        found = {"images": self._images, "annotations": self._annotations, "categories": self._categories}
        with replacing(self._path) as part:
            part.write_text(json.dumps(found), encoding="utf-8")
        return [self._path]


def encode_objects(numbers: np.ndarray) -> dict[int, str]:
    """Object numbers [h, w] (0 for none) to each object's compressed runs, in one pass over the picture."""
    flat = numbers.ravel(order="F")
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    lengths = np.diff(np.append(starts, flat.size))
    owners = flat[starts]
    order = np.argsort(owners, kind="stable")
    found = {}
    for runs in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1):
        number = int(owners[runs[0]])
        if number:
            found[number] = compress(list(_counts(starts[runs].tolist(), lengths[runs].tolist(), flat.size)))
    return found


def _counts(starts: Sequence[int], lengths: Sequence[int], total: int) -> Iterator[int]:
    """How many pixels are outside, inside, outside ... in the order of columns."""
    end = 0
    for start, length in zip(starts, lengths, strict=True):
        yield start - end
        yield length
        end = start + length
    if end < total:
        yield total - end


def compress(counts: Sequence[int]) -> str:
    """COCO's text form: each count from the fourth on as the difference to the one two before, five bits a letter."""
    letters = []
    for place, count in enumerate(counts):
        rest = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            bits, rest = rest & 31, rest >> 5
            more = rest != (-1 if bits & 16 else 0)
            letters.append(chr(48 + bits + 32 * more))
    return "".join(letters)

"""A prediction as viewers in a browser show it: a picture and 8-bit planes, as JSON with data addresses.

What is drawn of them (masks at any threshold, colours, outlines) is the viewer's; it knows no run and no page.
"""

from __future__ import annotations

import base64
import io
from math import sqrt
from typing import Any

import cv2
import numpy as np
from PIL import Image

from workbench.data.geometry import Size
from workbench.data.reading import to_display
from workbench.inference.prediction import Prediction
from workbench.overlays import COLOUR_MAPS, FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, Colour, palette
from workbench.task import Task

SIDE = 1600
"""Longer sides than this are shown reduced."""
PLANE_PIXELS = 16_000_000
"""Of all planes of probabilities together."""
LOSSLESS_PIXELS = 512 * 512
"""Small pictures are looked at pixel by pixel; larger ones may lose a little."""

Json = dict[str, Any]

UNCERTAINTY = "uncertainty"


def explored(prediction: Prediction, truth: np.ndarray | None = None) -> Json:
    """All that a viewer needs of a prediction; `truth` is the true mask at the picture's size.

    Maps come on their true scale: a plane says which values its darkest and lightest level stand for.
    """
    task, size = prediction.task, shown_size(prediction)
    labels = prediction.labels if task.mode == "multiclass" else None
    return {
        "name": prediction.name,
        "mode": task.mode,
        "width": prediction.size[1],
        "height": prediction.size[0],
        "notes": [*prediction.notes, *_told_reduction(prediction.size, size)],
        "base": picture_address(reduced(to_display(prediction.picture, prediction.facts), size)),
        "classes": classes_of(task),
        "labels": None if labels is None else exact_plane(labels, size),
        "probabilities": [plane(channel, size, 0, 1) for channel in prediction.probabilities],
        "maps": maps_of(prediction, size),
        "truth": None if truth is None else [exact_plane(each, size) for each in truth.reshape(-1, *truth.shape[-2:])],
    }


def classes_of(task: Task) -> list[Json]:
    """The classes that are drawn: id, name, colour, and the channel of their probability."""
    colours = palette(task)
    return [
        {
            "id": number,
            "name": name,
            "colour": _hexadecimal(colours[number]),
            "channel": 0 if task.mode == "binary" else number,
        }
        for number, name in task.foreground.items()
    ]


def maps_of(prediction: Prediction, size: Size) -> list[Json]:
    """Uncertainty and every gate, deepest first, each on the scale from 0 to 1 with its true range."""
    entropy = {
        "key": UNCERTAINTY,
        "name": "Uncertainty",
        "about": "Entropy of the probabilities: 0 sure, 1 all alike",
        **ranged_plane(prediction.entropy, size),
    }
    gates = [
        {
            "key": f"gate:{name}",
            "name": f"Gate {name}",
            "gate": name,
            "about": "Attention: 0 lets nothing through, 1 everything; "
            f"a map of {cells.shape[1]}x{cells.shape[0]} cells",
            **ranged_plane(prediction.attention[name], size),
        }
        for name, cells in prediction.attention.cells.items()
    ]
    return [entropy, *gates]


def pixel_facts(prediction: Prediction, row: int, column: int) -> Json:
    """What the model says about one pixel: the probability of every scored class, and what each gate lets through."""
    task = prediction.task
    names = task.classes[1:] if task.mode == "binary" else task.classes
    values = prediction.probabilities[:, row, column].tolist()
    return {
        "row": row,
        "column": column,
        "probabilities": [{"name": name, "value": value} for name, value in zip(names, values, strict=True)],
        "gates": [
            {"name": name, "value": float(prediction.attention[name][row, column])} for name in prediction.attention
        ],
    }


def colours() -> Json:
    """The colour maps as 256 RGB values each, and the colours of what changed."""
    ramp = np.arange(256, dtype=np.uint8)[None]
    maps = {
        name: _base64(cv2.cvtColor(cv2.applyColorMap(ramp, number), cv2.COLOR_BGR2RGB).tobytes())
        for name, number in COLOUR_MAPS.items()
    }
    return {"maps": maps, "changes": [_hexadecimal(colour) for colour in CHANGES.values()]}


CHANGES: dict[str, Colour] = {"gained": TRUE_POSITIVE, "lost": FALSE_POSITIVE, "other class": FALSE_NEGATIVE}
"""What can become of a pixel, as `changes` numbers it from 1 on, and its colour."""


def changes(before: np.ndarray, after: np.ndarray, task: Task) -> np.ndarray:
    """uint8 [h, w]: 0 the same, 1 gained (no class before), 2 lost, 3 another class."""
    if task.mode == "multilabel":
        had, has = before.any(0), after.any(0)
        differs = (before != after).any(0)
    else:
        had, has = (np.isin(labels, list(task.foreground)) for labels in (before, after))
        differs = before != after
    return (differs * np.where(~had & has, 1, np.where(had & ~has, 2, 3))).astype(np.uint8)


# --- planes ---


def shown_size(prediction: Prediction) -> Size:
    """Height and width at which a prediction is shown."""
    height, width = prediction.size
    scale = min(1.0, SIDE / max(height, width), sqrt(PLANE_PIXELS / (height * width * len(prediction.probabilities))))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _told_reduction(size: Size, shown: Size) -> list[str]:
    if size == shown:
        return []
    return [
        f"shown reduced, at {shown[1]}x{shown[0]} of {size[1]}x{size[0]} pixels; what is measured and saved is of "
        "the full size"
    ]


def reduced(array: np.ndarray, size: Size) -> np.ndarray:
    """[h, w] or [h, w, channels] at a smaller size, by means."""
    return array if array.shape[:2] == size else cv2.resize(array, size[::-1], interpolation=cv2.INTER_AREA)


def plane(values: np.ndarray, size: Size, low: float, high: float) -> Json:
    """Values [h, w] in 8 bits, as a grey PNG whose levels 0 and 255 stand for `low` and `high`."""
    values = reduced(values.astype(np.float32, copy=False), size)
    levels = np.rint((values - np.float32(low)) * np.float32(255 / ((high - low) or 1))).clip(0, 255).astype(np.uint8)
    return {"plane": _png(levels), "low": low, "high": high}


def ranged_plane(values: np.ndarray, size: Size) -> Json:
    """The same, using all levels for the range that the values have."""
    return plane(values, size, float(values.min()), float(values.max()))


def exact_plane(labels: np.ndarray, size: Size) -> str:
    """Class ids [h, w], which must stay what they are."""
    labels = np.ascontiguousarray(labels, np.uint8)
    if labels.shape != size:
        labels = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)
    return _png(labels)


def picture_address(picture: np.ndarray) -> str:
    """RGB [h, w, 3] as a data address."""
    stream = io.BytesIO()
    lossless = picture.shape[0] * picture.shape[1] <= LOSSLESS_PIXELS
    Image.fromarray(picture).save(stream, "WEBP", lossless=lossless, quality=50 if lossless else 92, method=2)
    return f"data:image/webp;base64,{_base64(stream.getvalue())}"


def _png(levels: np.ndarray) -> str:
    written, data = cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    assert written
    return f"data:image/png;base64,{_base64(data.tobytes())}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _hexadecimal(colour: Any) -> str:
    return "#" + "".join(f"{int(value):02x}" for value in colour)

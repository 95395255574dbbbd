"""Labels, probabilities and overlays of one picture as PNG or TIFF; each function returns the files it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tifffile import TiffWriter

from workbench.data.reading import Facts, to_display
from workbench.errors import UserError
from workbench.inference.measure import find_objects
from workbench.inference.prediction import Prediction
from workbench.inference.writers.files import replacing, with_ending, words
from workbench.overlays import attention_overlay, mask_overlay, palette
from workbench.task import Task

WHOLE = 65535
"""What a 16-bit probability of 1 is stored as."""


def write_label(prediction: Prediction, base: Path) -> list[Path]:
    """NAME_label.png: class ids in the palette of the overlays, the class names in the text chunk "classes".

    Of a multilabel task a file a class, with 0 and 1.
    """
    task = prediction.task
    if task.mode != "multilabel":
        path = with_ending(base, "_label.png")
        _write_palette(path, prediction.labels, palette(task), dict(enumerate(task.classes)))
        return [path]
    paths = []
    for number, (name, word) in enumerate(zip(task.classes, words(task.classes), strict=True)):
        colours = np.zeros((256, 3), np.uint8)
        colours[1] = palette(task)[number]
        paths.append(with_ending(base, f"_label_{word}.png"))
        _write_palette(paths[-1], prediction.labels[number], colours, {1: name})
    return paths


def _write_palette(path: Path, labels: np.ndarray, colours: np.ndarray, names: dict[int, str]) -> None:
    image = Image.fromarray(labels).convert("P")
    image.putpalette(colours.tobytes())
    with replacing(path) as part:
        image.save(part, pnginfo=_chunks({"classes": json.dumps(names, ensure_ascii=False)}))


def _chunks(texts: dict[str, str]) -> PngInfo:
    chunks = PngInfo()
    for name, text in texts.items():
        chunks.add_itxt(name, text)
    return chunks


def write_overlay(prediction: Prediction, base: Path) -> list[Path]:
    """NAME_overlay.png: the classes over the picture, with contours."""
    shown = to_display(prediction.picture, prediction.facts)
    path = with_ending(base, "_overlay.png")
    _write_rgb(path, mask_overlay(shown, prediction.labels, prediction.task))
    return [path]


def write_attention(prediction: Prediction, base: Path) -> list[Path]:
    """NAME_attention_GATE.png: every gate's map over the picture, its scale in the text chunk "scale"."""
    if not prediction.attention:
        raise UserError("The model has no attention gates, so there is no attention to write: leave `attention` out.")
    shown = to_display(prediction.picture, prediction.facts)
    paths = []
    for gate, values in prediction.attention.items():
        paths.append(with_ending(base, f"_attention_{gate}.png"))
        overlay = attention_overlay(shown, values)
        _write_rgb(paths[-1], overlay.rgb, scale=overlay.legend)
    return paths


def _write_rgb(path: Path, picture: np.ndarray, **texts: str) -> None:
    with replacing(path) as part:
        Image.fromarray(picture).save(part, pnginfo=_chunks(texts), compress_level=3)


def write_label16(prediction: Prediction, base: Path) -> list[Path]:
    """NAME_label16.tif: class ids in 16 bits; of a multilabel task a page a class, with 0 and 1."""
    path = with_ending(base, "_label16.tif")
    planes = prediction.labels.reshape(-1, *prediction.size)
    names = prediction.task.classes if len(planes) > 1 else (class_list(prediction.task),)
    _write_tiff(path, planes.astype(np.uint16), names, prediction.facts)
    return [path]


def write_objects(prediction: Prediction, base: Path) -> list[Path]:
    """NAME_objects.tif: a page a class, each pixel with the number of its object as the table of objects has it."""
    found = list(find_objects(prediction))
    most = max(len(objects.facts) for objects in found)
    planes = np.stack([objects.numbers for objects in found]).astype(np.uint16 if most <= 65535 else np.uint32)
    path = with_ending(base, "_objects.tif")
    _write_tiff(path, planes, [objects.name for objects in found], prediction.facts)
    return [path]


def write_probability(prediction: Prediction, base: Path) -> list[Path]:
    """NAME_probability.tif: a page a class in 16 bits, 65535 for a probability of 1."""
    path = with_ending(base, "_probability.tif")
    planes = (prediction.probabilities * WHOLE).round().astype(np.uint16)
    _write_tiff(path, planes, prediction.task.scored, prediction.facts)
    return [path]


def write_uncertainty(prediction: Prediction, base: Path) -> list[Path]:
    """NAME_uncertainty.tif, 32-bit: the entropy in 0..1 and, with augmentation, the deviation over the poses."""
    path = with_ending(base, "_uncertainty.tif")
    planes, names = [prediction.entropy], ["entropy"]
    if prediction.deviation is not None:
        planes, names = [*planes, prediction.deviation], [*names, "deviation"]
    _write_tiff(path, np.stack(planes).astype(np.float32), names, prediction.facts)
    return [path]


def _write_tiff(path: Path, planes: np.ndarray, names: Any, facts: Facts) -> None:
    """A page a plane, each with its name as description."""
    with replacing(path) as part, TiffWriter(part, bigtiff=planes.nbytes > 3 << 30) as tiff:
        for plane, name in zip(planes, names, strict=True):
            tiff.write(
                plane,
                photometric="minisblack",
                compression="zlib",
                predictor=plane.dtype.kind == "u",
                rowsperstrip=64,
                description=ascii_only(name),
                metadata=None,
                **resolution(facts),
            )


def class_list(task: Task) -> str:
    """All ids and names on one line."""
    return ", ".join(f"{number}: {name}" for number, name in enumerate(task.classes))


def ascii_only(text: str) -> str:
    """What a TIFF can hold of a text."""
    return text.encode("ascii", "replace").decode()


def resolution(facts: Facts) -> dict[str, Any]:
    """The size of a pixel for tifffile, where it is known."""
    if facts.spacing is None:
        return {}
    row, column = facts.spacing
    return {"resolution": (10 / column, 10 / row), "resolutionunit": "CENTIMETER"}

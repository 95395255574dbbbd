"""Objects counted and measured: in pixels, and in millimetres where the file knows how large a pixel is.

An object is what hangs together, over edges or corners, of one class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from workbench.inference.prediction import Prediction


class Objects(NamedTuple):
    """The objects of one class."""

    id: int
    name: str
    numbers: np.ndarray
    """int32 [h, w]: which object a pixel belongs to, from 1; 0 for none."""
    facts: np.ndarray
    """int32 [objects, 5]: left, top, width, height and area of each in pixels."""
    centroids: np.ndarray
    """float64 [objects, 2]: x and y of the mean pixel; the centre of the first pixel is at 0.5."""


class ObjectRow(NamedTuple):
    """One object; lengths and areas in mm are None where the file does not tell a pixel's size."""

    picture: str
    class_name: str
    object: int
    """Its number among those of its class, as in `Objects.numbers`."""
    area_px: int
    centroid_x_px: float
    centroid_y_px: float
    equivalent_diameter_px: float
    """Of the circle with that area."""
    left: int
    top: int
    width: int
    height: int
    mean_intensity: float
    """Of the stored values, over all channels."""
    mean_probability: float
    area_mm2: float | None
    centroid_x_mm: float | None
    centroid_y_mm: float | None
    equivalent_diameter_mm: float | None


class PictureRow(NamedTuple):
    """One class in one picture."""

    picture: str
    class_name: str
    width: int
    height: int
    objects: int
    area_px: int
    area_share: float
    """Of the whole picture."""
    mean_object_px: float | None
    """Mean area of an object; None where there are none."""
    mean_diameter_px: float | None
    mean_intensity: float | None
    area_mm2: float | None
    mean_object_mm2: float | None
    mean_diameter_mm: float | None


def find_objects(prediction: Prediction) -> Iterator[Objects]:
    """The objects of every class that is not background, one class at a time."""
    for number, name in prediction.task.foreground.items():
        mask = class_mask(prediction, number)
        _, numbers, facts, centroids = cv2.connectedComponentsWithStats(mask, connectivity=8)
        yield Objects(number, name, numbers, facts[1:], centroids[1:] + 0.5)


def class_mask(prediction: Prediction, number: int) -> np.ndarray:
    """Where a class is, as 0 and 1 uint8 [h, w]."""
    if prediction.task.mode == "multilabel":
        return prediction.labels[number]
    return (prediction.labels == number).view(np.uint8)


def measure_objects(prediction: Prediction) -> list[ObjectRow]:
    """A row an object, class by class."""
    return [row for objects in find_objects(prediction) for row in _rows(prediction, objects)]


def _rows(prediction: Prediction, objects: Objects) -> Iterator[ObjectRow]:
    flat = objects.numbers.ravel()
    areas = objects.facts[:, cv2.CC_STAT_AREA]

    def means(values: np.ndarray) -> np.ndarray:
        return np.bincount(flat, values.ravel(), len(areas) + 1)[1:] / np.maximum(areas, 1)

    intensities = means(prediction.picture.mean(axis=2))
    channel = 0 if prediction.task.mode == "binary" else objects.id
    probabilities = means(prediction.probabilities[channel])
    diameters = np.sqrt(4 * areas / np.pi)
    spacing = prediction.facts.spacing
    for place, (facts, (x, y)) in enumerate(zip(objects.facts.tolist(), objects.centroids.tolist(), strict=True)):
        left, top, width, height, area = facts
        yield ObjectRow(
            prediction.name,
            objects.name,
            place + 1,
            area,
            x,
            y,
            float(diameters[place]),
            left,
            top,
            width,
            height,
            float(intensities[place]),
            float(probabilities[place]),
            area * spacing[0] * spacing[1] if spacing else None,
            x * spacing[1] if spacing else None,
            y * spacing[0] if spacing else None,
            float(diameters[place]) * (spacing[0] * spacing[1]) ** 0.5 if spacing else None,
        )


def summarise(prediction: Prediction, rows: list[ObjectRow]) -> list[PictureRow]:
    """A row a class, from the rows of its objects; also for classes that have none."""
    height, width = prediction.size
    spacing = prediction.facts.spacing
    pixel = spacing[0] * spacing[1] if spacing else None
    found = []
    for name in prediction.task.foreground.values():
        own = [row for row in rows if row.class_name == name]
        area = sum(row.area_px for row in own)
        mean_diameter = _mean([row.equivalent_diameter_px for row in own])
        found.append(
            PictureRow(
                prediction.name,
                name,
                width,
                height,
                len(own),
                area,
                area / (width * height),
                area / len(own) if own else None,
                mean_diameter,
                sum(row.mean_intensity * row.area_px for row in own) / area if own else None,
                area * pixel if pixel else None,
                area * pixel / len(own) if pixel and own else None,
                mean_diameter * pixel**0.5 if pixel and mean_diameter else None,
            )
        )
    return found


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None

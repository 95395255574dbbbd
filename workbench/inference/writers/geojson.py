"""Objects as GeoJSON polygons with holes, in pixels of the picture, as QuPath and other viewers read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.inference.measure import find_objects
from workbench.inference.outlines import outlines
from workbench.inference.prediction import Prediction
from workbench.inference.writers.files import replacing, with_ending
from workbench.overlays import palette


def write_geojson(prediction: Prediction, base: Path) -> list[Path]:
    """NAME.geojson: a feature an object, its outline exactly that of its pixels, its class as classification."""
    path = with_ending(base, ".geojson")
    with replacing(path) as part:
        part.write_text(json.dumps(feature_collection(prediction), ensure_ascii=False), encoding="utf-8")
    return [path]


def feature_collection(prediction: Prediction) -> dict[str, Any]:
    """The objects of all classes."""
    colours = palette(prediction.task)
    features = []
    for objects in find_objects(prediction):
        classification = {"name": objects.name, "color": colours[objects.id].tolist()}
        for number, polygons in sorted(outlines(objects.numbers).items()):
            several = len(polygons) > 1
            features.append(
                {
                    "type": "Feature",
                    "geometry": {
                        "type": "MultiPolygon" if several else "Polygon",
                        "coordinates": polygons if several else polygons[0],
                    },
                    "properties": {
                        "objectType": "annotation",
                        "name": f"{objects.name} {number}",
                        "classification": classification,
                    },
                }
            )
    return {"type": "FeatureCollection", "features": features}

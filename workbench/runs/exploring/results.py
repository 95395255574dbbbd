"""A prediction, and all that is told or made of it: layers, scores, explanations, changed gates, files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.data.geometry import fit_picture
from workbench.errors import UserError, choices
from workbench.inference.attribution import attribute
from workbench.inference.calculation import WHOLE_PIXELS
from workbench.inference.exploration import (
    changes,
    exact_plane,
    explored,
    pixel_facts,
    ranged_plane,
    shown_size,
)
from workbench.inference.gate_effects import gate_effects
from workbench.inference.measure import measure_objects, summarise
from workbench.inference.prediction import Prediction
from workbench.inference.writers import FORMATS
from workbench.metrics import Tally
from workbench.runs.exploring.models import Loaded
from workbench.runs.exploring.uploads import safe_name
from workbench.task import IGNORE

TAKEN = ("label", "overlay", "geojson", "csv", "probability", "attention")
"""What can be taken away, by the names of `inference.writers`."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """What a model made of a picture."""

    model: Loaded
    prediction: Prediction
    truth: np.ndarray | None
    """The true mask of the picture, where it is known."""
    seconds: float

    @property
    def bytes(self) -> int:
        """About what it takes in memory."""
        return self.prediction.picture.nbytes + self.prediction.probabilities.nbytes + self.prediction.labels.nbytes

    @property
    def fitting_truth(self) -> np.ndarray | None:
        """The true mask, where it is one of this model's task."""
        truth, task = self.truth, self.prediction.task
        if truth is None or truth.shape != self.prediction.labels.shape:
            return None
        classes = 2 if task.mode == "multilabel" else len(task.classes)
        return truth if truth[truth != IGNORE].max(initial=0) < classes else None

    @property
    def scores(self) -> Json | None:
        """Against the true mask; None without one, and without those that say nothing."""
        truth = self.fitting_truth
        if truth is None:
            return None
        tally = Tally(self.prediction.task)
        tally.add(torch.from_numpy(self.prediction.labels)[None], torch.from_numpy(truth)[None])
        scores = tally.scores()
        return {name: scores[name] for name in ("dice", "jaccard") if scores.get(name) is not None}


def told(result: Result) -> Json:
    """Picture, masks, probabilities and maps, and how they came about."""
    return {
        **explored(result.prediction, result.truth),
        "scores": result.scores,
        "seconds": result.seconds,
        "model": result.model.name,
        "backend": result.model.predictor.facts.name,
        "threshold": result.model.predictor.filters.threshold,
    }


def explain_pixel(result: Result, row: int, column: int) -> Json:
    """What is known of a pixel, and what spoke for its class; without that map where the picture is too large."""
    facts = pixel_facts(result.prediction, row, column)
    try:
        return facts | _explained(result, "here", region=(row, column))
    except UserError as error:
        return facts | {"map": None, "told": str(error)}


def explain_class(result: Result, target: str) -> Json:
    """What spoke for a class wherever it is seen."""
    return _explained(result, "in all of it", target=target)


def _explained(result: Result, where: str, **asked: Any) -> Json:
    prediction = result.prediction
    with _looked_at_whole(result):
        found = attribute(result.model.model, prediction.picture, **asked)
    about = f"Seg-Grad-CAM at {found.layer}, divided by its largest value; no unit, only an order"
    plane = ranged_plane(found.normalised, shown_size(prediction))
    return {
        "target": found.target,
        "told": f"Grad-CAM shows what spoke for {found.target} {where}.",
        "map": {"key": "cam", "name": f"Grad-CAM of {found.target}", "about": about, **plane},
    }


def change_gate(result: Result, gate: str, change: str, threshold: float) -> Json:
    """What becomes of the mask, and by how much."""
    prediction, (height, width) = result.prediction, result.prediction.size
    with _looked_at_whole(result):
        (effect,) = gate_effects(
            result.model.model,
            prediction.picture,
            truth=result.fitting_truth,
            gates=[gate],
            changes=[change],
            threshold=threshold,
        )
    kinds = changes(at_threshold(prediction, threshold).labels, effect.labels, prediction.task)
    return {
        "kinds": exact_plane(kinds, shown_size(prediction)),
        "pixels": effect.pixels,
        "share": effect.pixels / (height * width),
        "probability_change": effect.probability_change,
        "dice_between": effect.dice_between,
        "score": effect.score,
        "score_change": effect.score_change,
    }


@contextmanager
def _looked_at_whole(result: Result) -> Iterator[None]:
    """Refuse what would not fit into memory in one pass."""
    height, width = fit_picture(result.prediction.size, result.model.predictor.facts.preprocessing).frame
    too_large = "is too large for the model to be looked into with all of it at once: cut a part out"
    if height * width > WHOLE_PIXELS:
        raise UserError(f"{result.prediction.name} ({width}x{height} pixels) {too_large}.")
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(f"{result.prediction.name} {too_large}, or let other work on the device end.") from error


def at_threshold(prediction: Prediction, threshold: float) -> Prediction:
    """The same with the labels of another threshold."""
    labels = prediction.task.labels_of(torch.from_numpy(prediction.probabilities[None]), threshold)[0].numpy()
    return replace(prediction, labels=labels)


def one_file(prediction: Prediction, name: str, folder: Path) -> Path:
    """What a writer makes of one prediction, packed if it makes several files."""
    if name not in TAKEN:
        raise choices("format to take away", name, TAKEN)
    base = folder / (safe_name(prediction.name).removesuffix(prediction.slice_ending) or "picture")
    writer = FORMATS[name].open(folder)
    files = [*writer.add(prediction, base), *writer.finish()]
    if len(files) == 1:
        return files[0]
    packed = folder / f"{base.name}_{name}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return packed


def summary(prediction: Prediction) -> Json:
    """Objects, areas and sizes of every class, and what was done that a user should know."""
    rows = summarise(prediction, measure_objects(prediction))
    return {"name": prediction.name, "classes": [row._asdict() for row in rows], "notes": [*prediction.notes]}

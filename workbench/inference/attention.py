"""What the attention gates of a model let through of one picture: their maps on the true 0..1 scale, and figures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.inference.backend import said_by_card
from workbench.inference.view import View, class_masks, counted, evaluating, view
from workbench.models import ModelOutput, SegmentationModel
from workbench.task import Task


class Share(NamedTuple):
    """How much of a map lies inside a mask; with equal shares the map does not tell the mask from the rest."""

    mass: float
    """Of the map's sum, 0 to 1."""
    area: float
    """Of the pixels, 0 to 1."""


class GateMap(NamedTuple):
    """One gate's map, never rescaled: 0 lets nothing through, 1 everything."""

    gate: str
    raw: np.ndarray
    """float32 at the gate's own resolution: the cells that show the picture."""
    map: np.ndarray
    """float32 [h, w] at the picture's size, linear between cells."""
    predicted: dict[str, Share]
    """By class: what lies inside the mask that the model predicts."""
    true: dict[str, Share]
    """By class: what lies inside the true mask; {} without one."""

    @property
    def low(self) -> float:
        return float(self.raw.min())

    @property
    def high(self) -> float:
        return float(self.raw.max())

    @property
    def entropy(self) -> float:
        """How evenly the mass is spread over the cells: 1 evenly, 0 all in one cell (or no mass at all)."""
        mass = self.raw.astype(np.float64).ravel()
        if mass.size == 1 or not mass.sum():
            return float(mass.size == 1)
        shares = mass[mass > 0] / mass.sum()
        return float(-(shares * np.log(shares)).sum() / np.log(mass.size))


def attention_maps(
    model: SegmentationModel,
    picture: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
    threshold: float = 0.5,
) -> dict[str, GateMap]:
    """Every gate's map of a picture [h, w, channels] as read, deepest gate first; {} for a model without gates.

    `truth` is the true mask at the picture's size. Task and preprocessing: as saved with the weights, unless given.
    """
    task, preprocessing = said_by_card(model, task, preprocessing)
    seen = view(model, picture, preprocessing)
    output = look(model, seen)
    predicted = labels_on_picture(seen, output, task, threshold)
    check_truth(truth, predicted)
    return {
        gate: _gate_map(gate, attention[0, 0], seen, predicted, truth, task)
        for gate, attention in output.attention.items()
    }


def _gate_map(
    gate: str, attention: torch.Tensor, seen: View, predicted: np.ndarray, truth: np.ndarray | None, task: Task
) -> GateMap:
    on_picture = seen.on_picture(attention)
    true = {} if truth is None else shares(on_picture, truth, task)
    return GateMap(gate, seen.cells(attention), on_picture, shares(on_picture, predicted, task), true)


def shares(map_: np.ndarray, labels: np.ndarray, task: Task) -> dict[str, Share]:
    """By scored class, what share of a map's mass and of the pixels lies inside; pixels to ignore count nowhere."""
    counts = counted(labels, task)
    mass, area = float(map_[counts].sum(dtype=np.float64)) or 1.0, max(int(counts.sum()), 1)
    return {
        name: Share(float(map_[mask].sum(dtype=np.float64)) / mass, int(mask.sum()) / area)
        for name, mask in class_masks(labels, task).items()
        if name in task.scored
    }


@torch.no_grad()
def look(model: SegmentationModel, seen: View) -> ModelOutput:
    """One pass in evaluation mode."""
    with evaluating(model):
        return model(seen.image)


def labels_on_picture(seen: View, output: ModelOutput, task: Task, threshold: float = 0.5) -> np.ndarray:
    """The label mask at the picture's own size."""
    probabilities = seen.on_picture(task.probabilities(output.logits))
    return task.labels_of(torch.from_numpy(probabilities), threshold)[0].numpy()


def check_truth(truth: np.ndarray | None, predicted: np.ndarray) -> None:
    if truth is not None and truth.shape != predicted.shape:
        raise UserError(
            f"The true mask has the shape {list(truth.shape)}, but the prediction for this picture has "
            f"{list(predicted.shape)}; give class ids at the picture's own size."
        )

"""What a gate does, measured: the same picture predicted again with one gate opened or its map shuffled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.config import Preprocessing
from workbench.errors import UserError, choices
from workbench.inference.attention import check_truth, labels_on_picture, look
from workbench.inference.backend import said_by_card
from workbench.inference.view import view
from workbench.metrics import Tally
from workbench.models import SegmentationModel, changed_gates
from workbench.task import Task


def opened(attention: Tensor, random: torch.Generator) -> Tensor:
    """Everything passes."""
    return torch.ones_like(attention)


def shuffled(attention: Tensor, random: torch.Generator) -> Tensor:
    """The same values at other places: what is lost is only where the gate looks."""
    height, width = attention.shape[-2:]
    order = torch.randperm(height * width, generator=random).to(attention.device)
    return attention.flatten(-2)[..., order].view_as(attention)


CHANGES: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {"opened": opened, "shuffled": shuffled}


class GateEffect(NamedTuple):
    """One gate changed in one way, against the model as it is."""

    gate: str
    change: str
    labels: np.ndarray
    """The mask with the gate changed, at the picture's size."""
    pixels: int
    """Whose labels differ."""
    probability_change: float
    """Mean over pixels and classes of the absolute difference."""
    dice_between: float
    """Of the two masks; 1 where both are empty."""
    score: float | None
    """Dice against the true mask with the gate changed; None without a true mask, or where it says nothing."""
    score_change: float | None
    """By how much that is more than without the change."""


def gate_effects(
    model: SegmentationModel,
    picture: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    gates: Sequence[str] | None = None,
    changes: Sequence[str] = tuple(CHANGES),
    seed: int = 0,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
    threshold: float = 0.5,
) -> list[GateEffect]:
    """A row for each gate (all, unless named) and change, gates deepest first; the model stays as it is."""
    task, preprocessing = said_by_card(model, task, preprocessing)
    seen = view(model, picture, preprocessing)
    plain = look(model, seen)
    if not plain.attention:
        raise UserError("This model has no attention gates whose effect could be measured.")
    for change in changes:
        if change not in CHANGES:
            raise choices("change of a gate", change, CHANGES)
    before = labels_on_picture(seen, plain, task, threshold)
    check_truth(truth, before)
    score = None if truth is None else _dice(before, truth, task)

    def effect(gate: str, change: str) -> GateEffect:
        random = torch.Generator().manual_seed(seed)
        with changed_gates(model, {gate: lambda attention: CHANGES[change](attention, random)}):
            output = look(model, seen)
        labels = labels_on_picture(seen, output, task, threshold)
        moved = seen.on_picture(task.probabilities(output.logits) - task.probabilities(plain.logits))
        differs = labels != before
        after = None if truth is None else _dice(labels, truth, task)
        between = _dice(labels, before, task)
        return GateEffect(
            gate,
            change,
            labels,
            int((differs.any(0) if task.mode == "multilabel" else differs).sum()),
            float(np.abs(moved).mean()),
            1.0 if between is None else between,
            after,
            None if after is None or score is None else after - score,
        )

    return [effect(gate, change) for gate in gates or plain.attention for change in changes]


def _dice(labels: np.ndarray, mask: np.ndarray, task: Task) -> float | None:
    """The mean over classes; None where no class is in either."""
    tally = Tally(task)
    tally.add(torch.from_numpy(labels)[None], torch.from_numpy(mask)[None])
    return tally.scores().get("dice")

"""What a network costs: parameters and multiply-adds, counted on shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from workbench.models.base import SegmentationModel
from workbench.models.inference_form import set_phase_form
from workbench.models.table import ARCHITECTURES, create_model


class ModelFacts(NamedTuple):
    """A row of `workbench models`."""

    name: str
    parameters: int
    multiply_adds: int
    attention_gates: int
    source: str
    summary: str


def describe_models(size: int = 256, names: Sequence[str] | None = None) -> list[ModelFacts]:
    """Facts of the table's networks as their originals built them, for one RGB picture of size x size."""
    return [describe(name, size) for name in names or ARCHITECTURES]


def describe(name: str, size: int = 256) -> ModelFacts:
    with torch.device("meta"):  # shapes only: no memory, no time
        model = create_model(name)
        gates, multiply_adds = _trace(model, size)
    architecture = ARCHITECTURES[name]
    return ModelFacts(name, count_parameters(model), multiply_adds, gates, architecture.source, architecture.summary)


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def count_multiply_adds(model: SegmentationModel, height: int, width: int) -> int:
    """Of one picture, in the form that trains; counted on a meta copy where the model lives elsewhere."""
    return _trace(model, height, width)[1]


def _trace(model: SegmentationModel, height: int, width: int | None = None) -> tuple[int, int]:
    device = next(model.parameters()).device
    image = torch.empty(1, model.in_channels, height, width or height, device=device)
    training = model.training
    set_phase_form(model.eval(), False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = model(image)
    set_phase_form(model.train(training), None)
    return len(output.attention), counter.get_total_flops() // 2

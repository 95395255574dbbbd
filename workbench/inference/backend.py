"""What runs a network for the predictor: a batch in, logits and attention maps out; here PyTorch's.

A back end knows nothing of files, tiles or labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.inference.context import context_of
from workbench.models import SegmentationModel, optimize_for_inference
from workbench.task import Task

Array = np.ndarray | Tensor

BEST_WEIGHTS = Path("checkpoints", "best.safetensors")
"""Where a run's folder keeps them."""


class BackendFacts(NamedTuple):
    """What the predictor has to know about a network, whatever runs it."""

    name: str
    """Shown to the user: "pytorch on cpu"."""
    task: Task
    preprocessing: Preprocessing
    in_channels: int
    size_multiple: int
    """Both sides of a batch's pictures must be multiples of this,"""
    smallest_size: int
    """and at least so large."""
    threshold: float = 0.5
    """From which probability on a pixel belongs to a class, unless something else is asked for."""
    has_attention: bool = True
    """Whether it returns maps of gates."""


class Backend(Protocol):
    """float32 [N, in_channels, h, w] of fitting sizes to logits [N, classes, h, w] and maps [N, 1, h / s, w / s]."""

    @property
    def facts(self) -> BackendFacts: ...

    @property
    def context(self) -> int | None:
        """How far from a pixel its result still depends on the picture; None: on all of it, or on where it lies in it.

        Tiles that overlap so far give what the whole picture gives. An export finds it with `context_of` and keeps it.
        """

    def __call__(self, batch: Tensor) -> tuple[Array, Mapping[str, Array]]: ...


class TorchBackend:
    """PyTorch on any of its devices, in the form that is made for inference."""

    def __init__(
        self,
        model: SegmentationModel,
        device: str = "auto",
        task: Task | None = None,
        preprocessing: Preprocessing | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        self.device, self._dtype = find_device(device), dtype
        self._model = optimize_for_inference(model).to(self.device, dtype)
        self.bytes = weight_bytes(self._model)
        kind = "" if dtype == torch.float32 else f" in {str(dtype).removeprefix('torch.')}"
        self.facts = BackendFacts(
            f"pytorch on {self.device}{kind}",
            *said_by_card(model, task, preprocessing),
            model.in_channels,
            model.size_multiple,
            model.smallest_size,
            has_attention=bool(model.gates()),
        )

    @cached_property
    def context(self) -> int | None:
        return context_of(self._model)

    def __call__(self, batch: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        try:
            with torch.inference_mode():
                output = self._model(batch.to(self.device, self._dtype, memory_format=torch.channels_last))
        except torch.OutOfMemoryError as error:
            height, width = batch.shape[-2:]
            raise UserError(
                f"{self.device} has too little free memory for {height} x {width} pixels at once; choose smaller tiles."
            ) from error
        return output.logits, output.attention


def said_by_card(
    model: SegmentationModel, task: Task | None, preprocessing: Preprocessing | None
) -> tuple[Task, Preprocessing]:
    """Task and preprocessing as given, or else as saved with the weights."""
    if model.card is not None:
        task = task or model.card.task
        preprocessing = preprocessing or model.card.preprocessing
    for what, known in (("classes (task)", task), ("preprocessing", preprocessing)):
        if known is None:
            raise UserError(f"Nothing was saved with the weights about their {what}: give it.")
    assert task is not None
    assert preprocessing is not None
    if task.channels != model.classes:
        raise UserError(
            f"The model gives {model.classes} logits a pixel, but a {task.mode} task of {len(task.classes)} classes "
            f"needs {task.channels}; give the task that it was trained for."
        )
    return task, preprocessing


def weight_bytes(model: torch.nn.Module) -> int:
    """What its weights take in memory."""
    return sum(tensor.nbytes for tensor in model.state_dict().values())


def find_device(name: str) -> torch.device:
    """auto: the accelerator if there is one; or cpu, cuda:0, xpu, mps ..."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if name == "auto":
        return accelerator or torch.device("cpu")
    try:
        device = torch.device(int(name) if name.isdigit() else name)
    except RuntimeError as error:
        raise UserError(f"There is no device {name!r}; choose auto, cpu, or one of `workbench devices`.") from error
    known = device.type == "cpu" or (accelerator is not None and device.type == accelerator.type)
    if not known or (device.index or 0) >= max(torch.accelerator.device_count(), 1):
        raise UserError(f"This machine has no device {name!r}; `workbench devices` lists what it has.")
    return device


def find_weights(source: str | Path) -> Path:
    """The weights of a run's folder, or the file itself."""
    path = Path(source)
    if not path.is_dir():
        return path
    if not (path / BEST_WEIGHTS).is_file():
        raise UserError(f"{path} has no {BEST_WEIGHTS}: give a run that has validated once, or a file of weights.")
    return path / BEST_WEIGHTS

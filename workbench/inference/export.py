"""A model to a file that runs elsewhere, checked against PyTorch before it has its name."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import workbench
from workbench.config import Preprocessing
from workbench.data.normalise import picture_to_input
from workbench.errors import UserError, choices
from workbench.inference.backend import said_by_card
from workbench.inference.context import context_of
from workbench.inference.exported import ExportedBackend
from workbench.inference.formats import FORMATS
from workbench.inference.formats.card import ExportCard, require
from workbench.inference.formats.graph import Graph
from workbench.inference.tiling import choose_tiling
from workbench.inference.view import evaluating
from workbench.models import ModelOutput, SegmentationModel
from workbench.models.base import pad
from workbench.task import Task

EXACT = 1e-4
"""float32: the largest difference of an output, as a share of its largest value."""
HALF = 1e-2
"""float16: the largest difference of a probability or of a gate's value."""


class Check(NamedTuple):
    """One input through the file and through PyTorch."""

    what: str
    batch: int
    height: int
    width: int
    difference: float
    """The largest of all outputs; measured as EXACT or HALF say."""


class Exported(NamedTuple):
    """What was written, and how near it is."""

    path: Path
    bytes: int
    checks: list[Check]
    bound: float

    @property
    def difference(self) -> float:
        return max(check.difference for check in self.checks)


def export_model(
    model: SegmentationModel,
    path: str | Path,
    to: str = "onnx",
    *,
    attention: bool = False,
    half: bool = False,
    pictures: Sequence[np.ndarray] = (),
    threshold: float = 0.5,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
) -> Exported:
    """Write a model for another runtime, or refuse if the file gives anything else than PyTorch.

    `attention` adds the gates' maps as outputs, `half` stores and calculates in float16. The check takes noise of
    several sizes and batches, and `pictures` [h, w, channels] as read. Task and preprocessing are those saved with the
    weights unless given.
    """
    if to not in FORMATS:
        raise choices("format", to, FORMATS)
    path = Path(path)
    check_target(path, to)
    require(FORMATS[to].packages, f"Exporting to {to}")
    if not 0 < threshold < 1:
        raise UserError(f"A threshold lies between 0 and 1, not at {threshold}.")
    card = make_card(model, attention, half, threshold, *said_by_card(model, task, preprocessing))
    graph = Graph(model, card.outputs[1:], half)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        with _refusals_told(to):
            files = FORMATS[to].write(graph, card, Path(folder, path.name))
            checks = check_file(files[-1], model, check_inputs(graph, card, pictures))
        result = Exported(path, sum(file.stat().st_size for file in files), checks, HALF if half else EXACT)
        _refuse_differences(result)
        for file in files:
            os.replace(file, path.with_name(file.name))
    return result


@contextmanager
def _refusals_told(to: str) -> Iterator[None]:
    """What an exporter or its runtime says of a network that it cannot take, in a sentence."""
    try:
        yield
    except UserError:
        raise
    except (RuntimeError, ValueError, TypeError) as error:
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UserError(f"{to} cannot take this network, choose another format; it said: {said}") from error


def check_target(path: Path, to: str) -> None:
    suffix = FORMATS[to].suffix
    if not path.name.endswith(suffix) or path.name == suffix:
        raise UserError(f"A file for {to} is called NAME{suffix}, not {path.name}.")
    if not path.parent.is_dir():
        raise UserError(f"Cannot write {path}: the folder {path.parent} does not exist.")


def make_card(
    model: SegmentationModel, attention: bool, half: bool, threshold: float, task: Task, preprocessing: Preprocessing
) -> ExportCard:
    """Everything that the predictor asks of a back end."""
    gates = gate_names(model) if attention else ()
    if attention and not gates:
        raise UserError("This model has no attention gates whose maps could be exported; leave attention out.")
    context = context_of(model)
    tiling = choose_tiling(context, model.size_multiple)
    return ExportCard(
        version=workbench.__version__,
        model=model.spec.name if model.spec else "adapted",
        source=model.card.source if model.card else "",
        weights=fingerprint(model),
        task=task,
        preprocessing=preprocessing,
        in_channels=model.in_channels,
        size_multiple=model.size_multiple,
        smallest_size=model.smallest_size,
        context=context,
        tile=tiling.size,
        overlap=tiling.overlap,
        threshold=threshold,
        outputs=("logits", *gates),
        precision="float16" if half else "float32",
    )


def gate_names(model: SegmentationModel) -> tuple[str, ...]:
    """Of the maps that a pass gives, in its order."""
    side = max(model.size_multiple, model.smallest_size)
    weight = next(model.parameters())
    with evaluating(model), torch.no_grad():
        return tuple(model(weight.new_zeros(1, model.in_channels, side, side)).attention)


def fingerprint(model: SegmentationModel) -> str:
    """The same for equal weights, wherever they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def check_inputs(graph: Graph, card: ExportCard, pictures: Sequence[np.ndarray]) -> list[tuple[str, Tensor]]:
    """Noise of three sizes and batches, and the pictures as the model gets them."""
    noise = [("noise", graph.example(batch, more)) for batch, more in ((1, 0), (3, 1), (2, 2))]
    real = [
        ("picture", pad(picture_to_input(picture, card.preprocessing)[0][None], card.size_multiple, card.smallest_size))
        for picture in pictures
    ]
    return noise + real


def check_file(path: Path, model: SegmentationModel, inputs: Sequence[tuple[str, Tensor]]) -> list[Check]:
    """The file in its own runtime against the model as it is."""
    backend = ExportedBackend(path)
    measure = half_difference if backend.card.precision == "float16" else exact_difference
    weight = next(model.parameters())
    rows = []
    for what, batch in inputs:
        with evaluating(model), torch.no_grad():
            expected = model(batch.to(weight))
        logits, maps = backend(batch)
        got = ModelOutput(torch.as_tensor(logits), {name: torch.as_tensor(map_) for name, map_ in maps.items()}, ())
        height, width = batch.shape[-2:]
        rows.append(Check(what, len(batch), height, width, measure(got, expected, backend.card.task)))
    return rows


Measure = Callable[[ModelOutput, ModelOutput, Task], float]


def exact_difference(got: ModelOutput, expected: ModelOutput, task: Task) -> float:
    """Of the largest value of each output."""
    pairs = [(got.logits, expected.logits), *((map_, expected.attention[gate]) for gate, map_ in got.attention.items())]
    return max(_largest(one, other) / (float(other.abs().max()) or 1.0) for one, other in pairs)


def half_difference(got: ModelOutput, expected: ModelOutput, task: Task) -> float:
    """Of probabilities and of gates, both from 0 to 1; infinite where a logit is."""
    if not got.logits.isfinite().all():
        return float("inf")
    pairs = [(task.probabilities(got.logits), task.probabilities(expected.logits))]
    pairs += [(map_, expected.attention[gate]) for gate, map_ in got.attention.items()]
    return max(_largest(one, other) for one, other in pairs)


def _largest(got: Tensor, expected: Tensor) -> float:
    """Infinite where anything is not a number, or of another shape."""
    if got.shape != expected.shape or not got.isfinite().all():
        return float("inf")
    return float((got.cpu().float() - expected.cpu().float()).abs().max())


def _refuse_differences(result: Exported) -> None:
    if result.difference <= result.bound:
        return
    worst = max(result.checks, key=lambda check: check.difference)
    measured = "of a probability or gate" if result.bound == HALF else "of the largest value"
    raise UserError(
        f"{result.path.name} was not written, because it gives something else than the model: on {worst.what} of "
        f"{worst.batch} x {worst.height} x {worst.width} pixels it differs by {worst.difference:.1e} {measured}, and "
        f"{result.bound:.0e} is allowed."
    )

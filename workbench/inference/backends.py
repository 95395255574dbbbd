"""The back ends by name, and which of those at hand is the fastest."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from workbench.errors import UserError, choices
from workbench.inference.backend import TorchBackend, find_weights
from workbench.inference.context import fitting
from workbench.inference.export import export_model, fingerprint
from workbench.inference.exported import ExportedBackend, is_exported, runtimes_for
from workbench.inference.formats import FORMATS, RUNTIMES
from workbench.inference.formats.card import is_installed
from workbench.inference.timing import interleave
from workbench.models import SegmentationModel, load_model


class ConvertedBackend(ExportedBackend):
    """A model converted for a runtime, in a temporary file that lives as long as this."""

    def __init__(self, runtime: str, model: SegmentationModel, device: str = "auto", **known: Any) -> None:
        if device not in ("auto", "cpu"):
            raise UserError(f"{runtime} runs on the CPU here, not on {device}; leave the device or the back end out.")
        suffix = RUNTIMES[runtime].suffixes[0]
        to = next(name for name, format_ in FORMATS.items() if format_.suffix == suffix)
        self._folder = tempfile.TemporaryDirectory(prefix="workbench-")
        path = Path(self._folder.name, f"model{suffix}")
        has_gates = bool(model.gates())
        export_model(model, path, to, attention=has_gates, **known)
        super().__init__(path, runtime)


Ready = TorchBackend | ExportedBackend

BACKENDS: dict[str, Callable[..., Ready]] = {
    "pytorch": TorchBackend,
    "pytorch-bf16": partial(TorchBackend, dtype=torch.bfloat16),
    **{name: partial(ConvertedBackend, name) for name in ("onnxruntime", "openvino", "openvino-bf16", "ncnn")},
}
"""Each makes a back end of (model, device); those of bf16 are near, the others equal within 1e-4."""

CHOOSING = ("own", "auto")
"""own: PyTorch for weights, its own runtime for an exported file. auto: what is fastest without converting anything:
PyTorch and the exported files of the same weights beside them; for an exported file the runtimes that read it."""

INEXACT = ("pytorch-bf16", "openvino-bf16")


def open_backend(
    source: SegmentationModel | str | Path, backend: str = "own", device: str = "auto", **known: Any
) -> Ready:
    """The back end for a model, a run's folder, a file of weights or an exported file.

    `known` may give the task and preprocessing of weights that do not tell.
    """
    if backend not in (*CHOOSING, *BACKENDS):
        raise choices("back end", backend, (*CHOOSING, *BACKENDS))
    if isinstance(source, SegmentationModel):
        return BACKENDS["pytorch" if backend in CHOOSING else backend](source, device, **known)
    path = find_weights(source)
    if is_exported(path):
        return _open_exported(path, backend)
    model = load_model(path)
    if backend == "auto":
        return fastest([BACKENDS["pytorch"](model, device, **known), *_siblings(path, model, device)])
    return BACKENDS["pytorch" if backend == "own" else backend](model, device, **known)


def installed_backends() -> list[str]:
    """Those whose packages are all there, to convert as well as to run."""
    return [name for name in BACKENDS if name not in RUNTIMES or _can_convert(name)]


def _can_convert(name: str) -> bool:
    writers = (format_ for format_ in FORMATS.values() if format_.suffix == RUNTIMES[name].suffixes[0])
    return all(map(is_installed, (*RUNTIMES[name].packages, *next(writers).packages)))


def _open_exported(path: Path, backend: str) -> Ready:
    if backend == "own":
        return ExportedBackend(path)
    if backend != "auto":
        return ExportedBackend(path, "torch" if backend == "pytorch" else backend)
    return fastest([ExportedBackend(path, name) for name in _exact_runtimes(path)] or [ExportedBackend(path)])


def _exact_runtimes(path: Path) -> list[str]:
    """Those installed that read this file and calculate in float32."""
    return [
        name for name in runtimes_for(path) if name not in INEXACT and all(map(is_installed, RUNTIMES[name].packages))
    ]


def _siblings(weights: Path, model: SegmentationModel, device: str) -> list[Ready]:
    """Exported files of the same weights and in full precision, beside them and called as they are."""
    if device not in ("auto", "cpu") or (device == "auto" and torch.accelerator.is_available()):
        return []
    stem = weights.name.removesuffix(".safetensors")
    files = [weights.with_name(stem + format_.suffix) for format_ in FORMATS.values()]
    opened = [ExportedBackend(path, name) for path in files if path.is_file() for name in _exact_runtimes(path)]
    weights_of_model = fingerprint(model)
    return [one for one in opened if one.card.weights == weights_of_model and one.card.precision == "float32"]


def fastest(backends: list[Ready], rounds: int = 3) -> Ready:
    """Measured once on a picture of the size that the model works at; its name then says what came out."""
    if len(backends) == 1:
        return backends[0]
    facts = backends[0].facts
    wanted = facts.preprocessing.size if facts.preprocessing.resize != "none" else (256, 256)
    height, width = (fitting(side, facts.size_multiple, facts.smallest_size) for side in wanted)
    batch = torch.zeros(1, facts.in_channels, height, width)
    timings = interleave({str(place): partial(one, batch) for place, one in enumerate(backends)}, rounds)
    order = sorted(range(len(backends)), key=lambda place: timings[str(place)].fastest)
    told = [f"{backends[place].facts.name} {1000 * timings[str(place)].fastest:.0f} ms" for place in order]
    best = backends[order[0]]
    best.facts = best.facts._replace(name=f"{best.facts.name} (the fastest at {width}x{height}: {', '.join(told)})")
    return best

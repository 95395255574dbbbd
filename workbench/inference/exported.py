"""An exported file as a back end of the predictor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from workbench.errors import UserError, choices
from workbench.inference.backend import BackendFacts
from workbench.inference.formats import RUNTIMES
from workbench.inference.formats.card import require


class ExportedBackend:
    """Runs a file in one of the runtimes that read it."""

    def __init__(self, path: Path, runtime: str | None = None) -> None:
        runtime = check_runtime(path, runtime)
        opened = RUNTIMES[runtime].open(path)
        self.card, self._run, self.bytes = opened.card, opened.run, opened.bytes
        self.facts = BackendFacts(
            runtime,
            self.card.task,
            self.card.preprocessing,
            self.card.in_channels,
            self.card.size_multiple,
            self.card.smallest_size,
            self.card.threshold,
            has_attention=len(self.card.outputs) > 1,
        )

    @property
    def context(self) -> int | None:
        return self.card.context

    def __call__(self, batch: Tensor) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        logits, *maps = self._run(np.ascontiguousarray(batch.cpu().numpy()))
        return logits, dict(zip(self.card.outputs[1:], maps, strict=True))


def is_exported(path: Path) -> bool:
    """Whether the name is that of an exported file."""
    return bool(runtimes_for(path))


def runtimes_for(path: Path) -> list[str]:
    """Those that read a file of this name, its own first."""
    fitting = [name for name, runtime in RUNTIMES.items() if path.name.endswith(runtime.suffixes)]
    return sorted(fitting, key=lambda name: not path.name.endswith(RUNTIMES[name].suffixes[0]))


def check_runtime(path: Path, runtime: str | None) -> str:
    """The runtime that was asked for, or the file's own; it must read the file and be installed."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    fitting = runtimes_for(path)
    assert fitting, f"{path} is no exported file"
    if runtime is not None and runtime not in fitting:
        raise choices(f"runtime for {path.name}", runtime, fitting)
    runtime = runtime or fitting[0]
    require(RUNTIMES[runtime].packages, f"Running {path.name} in {runtime}")
    return runtime

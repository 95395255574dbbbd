"""A run that takes a second: few drawn pictures, a tiny network, the same result every time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from workbench.config import RunConfig
from workbench.knobs import override
from workbench.runs.records import Record
from workbench.runs.run import Run

KNOBS: dict[str, Any] = {
    "data.path": "shapes",
    "data.options": {"count": 20, "size": 32, "difficulty": 0.1},
    "data.fractions": (0.6, 0.2, 0.2),
    "data.augmentation": "dsb2018",
    "data.preprocessing.resize": "none",
    "model.name": "attention_unet",
    "model.width": 4,
    "model.depth": 2,
    "training.epochs": 2,
    "training.batch": 4,
    "training.optimizer.learning_rate": 0.01,
    "training.hardware.devices": "cpu",
    "training.hardware.deterministic": True,
}
"""12 pictures train, so an epoch has 3 steps; 4 validate."""


def small_config(**knobs: Any) -> RunConfig:
    """`small_config(training__epochs=3)` changes training.epochs."""
    return override(RunConfig(), KNOBS | {name.replace("__", "."): value for name, value in knobs.items()})


def measured(records: list[Record]) -> list[Record]:
    """Records without what depends on the clock."""
    by_clock = ("time", "images_per_second", "took")
    return [{name: value for name, value in record.items() if name not in by_clock} for record in records]


def wait_until(condition: Callable[[], bool], seconds: float = 120, poll: float = 0.01) -> None:
    """Fail if it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(poll)


def has_steps(run: Run, number: int) -> bool:
    """Whether so many steps have been recorded."""
    return any(record.get("step", 0) >= number for record in run.history().records)

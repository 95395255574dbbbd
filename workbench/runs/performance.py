"""How fast a run trains: pictures a second in the originals' way of counting, and in ours. Reads a run's records."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from workbench.config import RunConfig
from workbench.errors import UserError
from workbench.knobs import override
from workbench.runs.records import Record
from workbench.runs.run import Run

EPOCHS = 3
WARM_UP = 5
"""Steps at the beginning that do not count, as in the originals."""
SECONDS, STEPS = 60.0, 10
"""A measurement may end when its steps have taken so long and so many of them count."""


class Performance(NamedTuple):
    """Pictures a second of a training, over all its devices."""

    model: str
    picture: str
    batch: int
    """Of a device."""
    processes: int
    hosts: int
    devices: list[str]
    """Their makers' names, on the first host."""
    precision: str
    originals: float
    """batch x devices x steps / time from the sixth step on, with metrics and loading; of the best epoch."""
    best_epoch: int
    epochs: int
    """That counted."""
    with_loading: float
    """By the median of all steps that count,"""
    without_loading: float
    """and without the time in which the first process waited for pictures."""
    steps: int

    def __str__(self) -> str:
        devices = ", ".join(dict.fromkeys(self.devices))
        where = f"{self.processes} devices" if self.processes > 1 else "1 device"
        if len(self.devices) < self.processes and self.hosts == 1:
            where = f"{self.processes} processes"
        hosts = f" on {self.hosts} hosts" if self.hosts > 1 else ""
        return "\n".join(
            [
                f"{self.model}, {self.picture}, batch {self.batch} on {where}{hosts} ({devices}), {self.precision}",
                f"FPS as the originals count:  {self.originals:10.2f}  (batch x devices x steps / time from the sixth "
                f"step on, metrics and loading included, best of {self.epochs} epochs: {self.best_epoch})",
                f"FPS by the median step:      {self.with_loading:10.2f}  (of {self.steps} steps, metrics and loading "
                "included)",
                f"FPS without loading:         {self.without_loading:10.2f}",
            ]
        )


def performance_config(config: RunConfig, epochs: int | None = None) -> RunConfig:
    """The same training, short, and with every step's losses read, which makes an accelerator wait at each."""
    changes = {"training.epochs": epochs or EPOCHS, "training.iterations": None, "training.report_every": 1}
    return override(config, changes | {"training.early_stopping": None})


def is_enough(run: Run, seconds: float = SECONDS) -> bool:
    """Whether a measurement has taken long enough to be stopped."""
    counted = counted_steps(run.records())
    return len(counted) >= STEPS and sum(record["took"]["seconds"] for record in counted) >= seconds


def performance_of(run: Run) -> Performance:
    """Of a run whose every step's losses were read. Steps with fewer pictures than others do not count."""
    counted = counted_steps(run.records())
    if not counted:
        raise UserError(
            f"{run.name} has no more than {WARM_UP} whole steps to measure, of which the first {WARM_UP} do not count: "
            "give it more with --epochs."
        )
    config, start = run.config, run.environment()[-1]
    pictures = counted[0]["took"]["pictures"]
    epochs = {
        epoch: _rate([record["took"] for record in counted if record["epoch"] == epoch])
        for epoch in dict.fromkeys(record["epoch"] for record in counted)
    }
    best = max(epochs, key=lambda epoch: epochs[epoch])
    return Performance(
        config.model.name,
        _picture(config),
        round(pictures / (start["processes"] * config.training.accumulation)),
        start["processes"],
        start["hosts"],
        start["devices"],
        config.training.hardware.precision,
        epochs[best],
        best,
        len(epochs),
        pictures / median(record["took"]["seconds"] for record in counted),
        pictures / median(record["took"]["seconds"] - record["took"]["loading"] for record in counted),
        len(counted),
    )


def counted_steps(records: list[Record]) -> list[Record]:
    """Whole steps, each with its own record, without those for warming up."""
    steps = [record for record in records if record.get("took", {}).get("steps") == 1][WARM_UP:]
    most = max((record["took"]["pictures"] for record in steps), default=0)
    return [record for record in steps if record["took"]["pictures"] == most]


def _rate(steps: list[dict[str, float]]) -> float:
    return sum(step["pictures"] for step in steps) / sum(step["seconds"] for step in steps)


def _picture(config: RunConfig) -> str:
    preprocessing = config.data.preprocessing
    if config.data.crop:
        height, width = config.data.crop
    elif preprocessing.resize == "none":
        return "pictures of their own size"
    else:
        height, width = preprocessing.size
    return f"{width} x {height} pixels"

"""What `workbench bench` measured: rows, kept as JSON, and compared with earlier ones."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.errors import UserError
from workbench.files import write_whole

FORMAT = 1
Key = tuple[str, int, int, str]


@dataclass(frozen=True)
class Row:
    """One variant at one batch."""

    model: str
    size: int
    batch: int
    variant: str
    images_per_second: float
    """Of the fastest call."""
    latency_median: float
    """Seconds a call,"""
    latency_95: float
    """and what 95 % of the calls stay below."""
    memory: int
    """Bytes that its first call added at its peak, beside the weights."""
    multiply_adds: int
    """Of one call, counted on direct convolutions; of a training step three times those of its forward pass."""
    share_of_peak: float
    """Of what the device reaches on a large matrix product in these numbers; 1 is no bound for Winograd, which
    multiplies less than is counted."""
    ratio: float
    """Images a second against plain PyTorch; of training against training in float32."""
    difference: float | None
    """Of probabilities, at most, against plain PyTorch; None of training."""
    bytes: int
    """Of its file, or of the weights in PyTorch."""
    setup: float
    """Seconds of making it ready, before its first call."""

    @property
    def key(self) -> Key:
        return self.model, self.size, self.batch, self.variant


@dataclass(frozen=True)
class Bench:
    """What was measured, and where."""

    machine: dict[str, Any]
    rows: list[Row]
    left_out: dict[str, str]
    """Back ends at hand that cannot run this network, and why."""


def save_bench(result: Bench, path: Path) -> None:
    """As JSON, whole or not at all."""
    write_whole(path, json.dumps({"format": FORMAT, **asdict(result)}, indent=1))


def load_bench(path: Path) -> Bench:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["format"] != FORMAT:
            raise UserError(f"{path} was written by another version of the workbench; measure again.")
        return Bench(stored["machine"], [Row(**row) for row in stored["rows"]], stored["left_out"])
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a result of `workbench bench --json` ({type(error).__name__}).") from error


def against(new: Bench, old: Bench) -> dict[Key, float]:
    """Images a second, new by old, of every row that both have."""
    before = {row.key: row.images_per_second for row in old.rows}
    return {row.key: row.images_per_second / before[row.key] for row in new.rows if row.key in before}

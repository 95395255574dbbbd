"""How a run is: what its worker writes into status.json, and what readers make of it."""

from __future__ import annotations

import socket
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from workbench.runs.files import read_json, write_json
from workbench.runs.processes import is_there

State = Literal["queued", "preparing", "running", "stopping", "stopped", "finished", "failed", "lost"]

ENDED = ("stopped", "finished", "failed", "lost")

BEAT = 2.0
"""Seconds between a worker's signs of life."""
STALE = 10.0
"""Without a sign of life for so long, a worker whose process is gone is lost."""
STALE_ELSEWHERE = 60.0
"""The same where the process cannot be asked for: on another host, or not yet started."""


@dataclass(frozen=True)
class Status:
    """One moment of a run."""

    state: State
    """`lost` is never written: readers conclude it."""
    heartbeat: float
    """When this was written, in seconds since 1970."""
    host: str
    created: float = 0.0
    """When the run was made, in seconds since 1970."""
    pid: int | None = None
    """The worker; None until it has started."""
    process_started: float | None = None
    device: str = ""
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    total: int = 0
    """Steps of the whole training."""
    prepared: int = 0
    """Pictures that are prepared, while that is what it does."""
    pictures: int = 0
    eta: float | None = None
    """Seconds that are left, as far as can be told."""
    images_per_second: float = 0.0
    detail: str = ""
    """What it does just now, in words."""
    error: str = ""
    """Why it failed: a sentence."""

    @property
    def ended(self) -> bool:
        """Whether no worker is at it."""
        return self.state in ENDED


def write_status(path: Path, status: Status) -> None:
    """Replace the file."""
    write_json(path, asdict(status))


def read_status(path: Path) -> Status | None:
    """What was last written; None where nothing was."""
    values = read_json(path)
    if values is None:
        return None
    known = {field.name for field in fields(Status)}
    return Status(**{name: value for name, value in values.items() if name in known})


def seen_now(status: Status, now: float | None = None) -> Status:
    """The same, or lost: no sign of life, and no such process."""
    if status.ended or not _is_lost(status, (time.time() if now is None else now) - status.heartbeat):
        return status
    told: dict[str, Any] = {"state": "lost", "eta": None, "images_per_second": 0.0}
    return replace(status, **told, detail="Its process is gone without a word, killed or crashed; it can be resumed.")


def _is_lost(status: Status, silence: float) -> bool:
    if status.pid is None or status.process_started is None or status.host != socket.gethostname():
        return silence > STALE_ELSEWHERE
    return silence > STALE and not is_there(status.pid, status.process_started)

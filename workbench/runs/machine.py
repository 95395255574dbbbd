"""What the devices do now: as the runs at work have it written down, else as the devices tell themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.devices import Reading, read_devices
from workbench.errors import UserError
from workbench.runs.records import Record
from workbench.runs.run import Run, list_runs

Answer = dict[str, Any]

FRESH = 12.0
"""Seconds for which a record of a run at work tells how the devices are; it makes one every 5."""
NOT_OFTENER = 1.0
"""Seconds between two readings, however many look."""
MOST_POINTS = 120
"""Of a history."""
FIGURES = ("utilisation", "memory_used", "temperature", "power", "process_memory")


def machine(runs: str | Path, since: float = 0.0, known: Sequence[str] = ()) -> Answer:
    """The figures of each device now, and of the runs at work their speed, from the moment `since` on.

    What never changes (names, sizes) is left out when these devices are `known`.
    """
    at_work = runs_at_work(runs)
    records = _records(at_work, since)
    now = time.time()
    fresh = records and now - records[-1]["time"] < FRESH
    devices = records[-1]["devices"] if fresh else [_figures_of(reading) for reading in _recent.readings()]
    answer: Answer = {
        "time": round(now, 1),
        "figures": [[_short(device[name]) for name in FIGURES] for device in devices],
        "runs": [{"run": run.name, "speed": round(run.status().images_per_second, 1)} for run in at_work],
        "history": _history(records),
    }
    if list(known) != [device["device"] for device in devices]:
        answer["devices"] = [{name: device[name] for name in ("device", "name", "memory_total")} for device in devices]
    return answer


def runs_at_work(runs: str | Path) -> list[Run]:
    """Those that train or prepare now, the newest first."""
    found = []
    for run in list_runs(runs):
        with suppress(UserError):  # one that cannot be read is not at work
            if run.status().state in ("preparing", "running", "stopping"):
                found.append(run)
    return found


def _records(at_work: Iterable[Run], since: float) -> list[Record]:
    """Of the newest run that has written any."""
    for run in at_work:
        records = [record for record in run.system().records if record["time"] > since]
        if records:
            return records[-MOST_POINTS:]
    return []


def _history(records: Iterable[Record]) -> list[list[float | None]]:
    """Time, images a second and the load of each device."""
    return [
        [
            round(record["time"], 1),
            _short(record["images_per_second"]),
            *(_short(device["utilisation"]) for device in record["devices"]),
        ]
        for record in records
    ]


def _figures_of(reading: Reading) -> Record:
    figures = asdict(reading)
    return {**figures, "device": str(reading.device), "name": reading.device.name}


def _short(value: float | None) -> float | None:
    return float(f"{value:.4g}") if isinstance(value, float) else value


class _Recent:
    """Readings that all who look share, since each takes a tenth of a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: list[Reading] = []
        self._when = float("-inf")

    def readings(self) -> list[Reading]:
        with self._lock:
            if time.monotonic() - self._when > NOT_OFTENER:
                self._read, self._when = read_devices(), time.monotonic()
            return self._read


_recent = _Recent()

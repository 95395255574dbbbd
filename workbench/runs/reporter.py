"""Keeps a run's status and its figures of the machine true while the worker lives, from a thread of its own."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from workbench.devices import Reading, read_devices
from workbench.runs.processes import this_process
from workbench.runs.records import Record, RecordWriter
from workbench.runs.status import BEAT, State, Status, read_status, write_status

SYSTEM_EVERY = 5.0
"""Seconds between two records of the machine's figures."""
NOT_OFTENER = 0.5
"""Seconds between two writings of the status, but for a change of state."""
RESERVE = 64 * 1024
"""Bytes that are given back when the disk is full, so that the last words can be written."""


class StopRequestedError(Exception):
    """Somebody wants the run to end; raised where no training loop could end by itself."""


class Reporter:
    """The worker's word to its watchers, and theirs to it: the request to stop."""

    def __init__(self, status: Path, system: Path, stop_file: Path) -> None:
        me = this_process()
        self._path = status
        self._stop_file = stop_file
        self._reserve = status.with_name(".reserve")
        self._system_file = system
        self._system: RecordWriter | None = None
        before = read_status(status) or Status("preparing", time.time(), me.host)
        self._status = replace(
            before,
            state="preparing",
            host=me.host,
            pid=me.pid,
            process_started=me.started,
            eta=None,
            images_per_second=0.0,
            detail="Starting.",
            error="",
        )
        self._written = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._signalled = False
        self._trouble: OSError | None = None
        self._thread = threading.Thread(target=self._keep_telling, daemon=True)

    def start(self) -> None:
        """Tell that the worker is there, and go on telling."""
        self._reserve.write_bytes(os.urandom(RESERVE))
        self._system = RecordWriter(self._system_file)
        self._write()
        self._thread.start()

    @property
    def status(self) -> Status:
        """What was told last."""
        return self._status

    def tell(self, state: State | None = None, **changes: Any) -> None:
        """Change the status; a new state or detail is written at once, numbers at most twice a second."""
        if self._trouble:
            raise self._trouble
        before, changes = self._status, changes | ({"state": state} if state else {})
        self._status = replace(before, **changes)
        urgent = (before.state, before.detail) != (self._status.state, self._status.detail)
        if urgent or time.monotonic() - self._written > NOT_OFTENER:
            self._write()

    def stop(self) -> None:
        """Take a signal for a request to stop."""
        self._signalled = True

    @property
    def stop_requested(self) -> bool:
        """Whether a signal or the stop file asked for the end."""
        return self._signalled or self._stop_file.exists()

    def check_stop(self) -> None:
        """Raise where the end was asked for."""
        if self.stop_requested:
            raise StopRequestedError

    def end(self, state: State, **changes: Any) -> None:
        """The last word; written even onto a full disk, as long as that little fits."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._reserve.unlink(missing_ok=True)
        self._status = replace(self._status, state=state, eta=None, images_per_second=0.0, **changes)
        self._write()
        if self._system:
            self._system.close()
        self._stop_file.unlink(missing_ok=True)

    def _write(self) -> None:
        with self._lock:
            write_status(self._path, replace(self._status, heartbeat=time.time()))
            self._written = time.monotonic()

    def _keep_telling(self) -> None:
        assert self._system
        measured = 0.0
        while not self._over.wait(BEAT):
            try:
                self._write()
                if time.monotonic() - measured >= SYSTEM_EVERY:
                    measured = time.monotonic()
                    self._system.append(_figures(read_devices(os.getpid()), self._status.images_per_second))
            except OSError as error:  # told where the training is, which then ends
                self._trouble = error
                return


def _figures(readings: list[Reading], images_per_second: float) -> Record:
    """A record of system.jsonl."""
    return {
        "time": time.time(),
        "process_memory": next((r.process_memory for r in readings if r.device.kind == "cpu"), None),
        "images_per_second": images_per_second,
        "devices": [
            {
                "device": str(reading.device),
                "name": reading.device.name,
                "utilisation": reading.utilisation,
                "memory_used": reading.memory_used,
                "memory_total": reading.memory_total,
                "process_memory": reading.process_memory,
                "temperature": reading.temperature,
                "power": reading.power,
            }
            for reading in readings
        ],
    }

"""Starts the process that fills a run's folder: one of its own, which outlives whoever started it. Knows no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import workbench
from workbench.config import HardwareConfig
from workbench.errors import UserError

WORKER = "workbench.runs.worker"
HELPER = "workbench.runs.helper"
GROUP = "workbench.runs.group"

LED = "WORKBENCH_LED_BY"
"""The variable that tells processes that train together who has started them: it holds the run's lock for them."""

OF_A_GROUP = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", LED)
"""Variables that would make a run a part of the training from which it is started."""


class Hosts(NamedTuple):
    """The machines that train together, and where they meet."""

    total: int = 1
    host: int = 0
    """Of this one; host 0 has the run's folder."""
    address: str | None = None
    """Of host 0, as all of them reach it."""
    port: int = 29500

    def checked(self) -> Hosts:
        """The same, or a sentence about what is missing."""
        if not 0 <= self.host < self.total:
            raise UserError(
                f"--hosts {self.total} --host-rank {self.host}: hosts are counted from 0, so give a smaller rank."
            )
        if self.total > 1 and not self.address:
            raise UserError("Several hosts need --address: that of host 0, as the others reach it.")
        return self


ONE_HOST = Hosts()


KEEP_FREED_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}
"""What glibc goes by; a step takes and frees the same hundreds of megabytes as the one before. To get them from the
system anew took a tenth of the time of U-Net and UNet++ on a CPU; to keep them took no more memory at its peak."""


def launch(folder: Path, hardware: HardwareConfig, hosts: Hosts = ONE_HOST) -> None:
    """Start the worker in the background; what it prints goes to log.txt."""
    start_in_background(worker_command(folder, hardware, hosts), folder / "log.txt")


def start_in_background(command: list[str], log_file: Path) -> None:
    """A process that outlives this one; what it prints is added to a file."""
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(),
        )
    threading.Thread(target=process.wait, daemon=True).start()  # takes note of its end, lest it stays as a zombie


def join(runs: Path, hardware: HardwareConfig, hosts: Hosts, data: str | None) -> int:
    """Train along with the run of host 0, in the foreground; the exit status."""
    words = {"runs": str(runs.absolute()), "devices": hardware.devices, "data": data}
    process = subprocess.Popen(
        [sys.executable, "-m", GROUP, "--join", json.dumps(words), json.dumps(hosts._asdict())],
        env=_environment(),
    )
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the process has heard it too, and ends in good order
            continue


def worker_command(folder: Path, hardware: HardwareConfig, hosts: Hosts = ONE_HOST) -> list[str]:
    """One process, or for several devices or hosts one that starts the others and watches over them."""
    if hardware.processes == 1 and hosts.total == 1:
        return [sys.executable, "-m", WORKER, str(folder)]
    return [sys.executable, "-m", GROUP, str(folder), json.dumps(hosts._asdict())]


def _environment() -> dict[str, str]:
    """The caller's, with this very package, and with no module from the folder where it happens to be started."""
    package = str(Path(workbench.__file__).parent.parent)
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), package)))
    own = {name: value for name, value in os.environ.items() if name not in OF_A_GROUP}
    return {**KEEP_FREED_MEMORY, **own, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}

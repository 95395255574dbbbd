"""Starts the process that fills a run's folder: one of its own, which outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import workbench
from workbench.config import HardwareConfig

WORKER = "workbench.runs.worker"


def launch(folder: Path, hardware: HardwareConfig) -> None:
    """Start the worker in the background; what it prints goes to log.txt."""
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            worker_command(folder, hardware),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(),
        )
    threading.Thread(target=process.wait, daemon=True).start()  # takes note of its end, lest it stays as a zombie


def worker_command(folder: Path, hardware: HardwareConfig) -> list[str]:
    """One process, or with several devices one each, brought together by Accelerate."""
    devices = hardware.devices.split(",")
    if len(devices) == 1:
        return [sys.executable, "-m", WORKER, str(folder)]
    several = [
        "--multi_gpu",
        "--num_processes",
        str(len(devices)),
        "--num_machines",
        "1",
        "--gpu_ids",
        ",".join(devices),
    ]
    fixed = ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    return [sys.executable, "-m", "accelerate.commands.launch", *several, *fixed, "-m", WORKER, str(folder)]


def _environment() -> dict[str, str]:
    """The caller's, with this very package, and with no module from the folder where it happens to be started."""
    package = str(Path(workbench.__file__).parent.parent)
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), package)))
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}

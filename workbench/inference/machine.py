"""What the machine does at best, and what a call takes of it."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil
import torch

import workbench
from workbench.devices import list_devices
from workbench.inference.timing import timed

NUMBERS = (torch.float32, torch.bfloat16)
"""What networks calculate in."""

Peaks = Mapping[torch.dtype, float]


def peaks(device: torch.device) -> Peaks:
    """Multiply-adds a second on a large matrix product: what this device can do at best."""
    return {dtype: _peak(device, dtype) for dtype in NUMBERS}


def _peak(device: torch.device, dtype: torch.dtype, rounds: int = 20) -> float:
    side = 1024 if device.type == "cpu" else 8192
    left, right = torch.randn(2, side, side, device=device).to(dtype)
    torch.mm(left, right)
    return side**3 / min(timed(lambda: torch.mm(left, right)) for _ in range(rounds))


@contextmanager
def memory_peak(interval: float = 0.002) -> Iterator[Callable[[], int]]:
    """Afterwards: how many bytes more than before the block were held at most.

    On an accelerator those that torch handed out there; without one what this process grew by, looked at every
    `interval` seconds.
    """
    if torch.accelerator.is_available():
        torch.accelerator.reset_peak_memory_stats()
        held = torch.accelerator.memory_allocated()
        yield lambda: torch.accelerator.max_memory_allocated() - held
        return
    process, done = psutil.Process(), threading.Event()
    before = most = process.memory_info().rss

    def watch() -> None:
        nonlocal most
        while not done.wait(interval):
            most = max(most, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: most - before
    finally:
        most = max(most, process.memory_info().rss)
        done.set()
        watcher.join()


def describe_machine(device: torch.device, at_best: Peaks) -> dict[str, Any]:
    """What measurements depend on."""
    here = next((one for one in list_devices() if one.kind == device.type and one.index == (device.index or 0)), None)
    return {
        "device": here.name if here else str(device),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "workbench": workbench.__version__,
        "torch": torch.__version__,
        "peak_multiply_adds": {str(dtype).removeprefix("torch."): value for dtype, value in at_best.items()},
    }

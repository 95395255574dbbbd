"""Which process is meant: its number alone is not enough, since the system gives it again to others."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import NamedTuple

import psutil

SAME_START = 2.0
"""Seconds by which two readings of one process's start may differ, when the clock is set meanwhile."""


class ProcessName(NamedTuple):
    """A process, wherever it is asked for."""

    pid: int
    started: float
    """Seconds since 1970."""
    host: str


def this_process() -> ProcessName:
    """The one that asks."""
    return ProcessName(os.getpid(), psutil.Process().create_time(), socket.gethostname())


def is_there(pid: int, started: float) -> bool:
    """Whether this very process of this host still works; one that only waits to be buried does not."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < SAME_START and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it is there, and another user's
        return True


def end_with(parent: int) -> None:
    """Let this process end when the one that started it is gone, which may have been killed without a word."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

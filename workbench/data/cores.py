"""How many processes or threads are worth starting."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Those that this process may use, which a container or a scheduler may have limited."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Files -> a prepared folder: everything is decoded and resized once, so that training only reads arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.config import DataConfig
from workbench.data.prepared import Prepared


def prepare(
    config: DataConfig,
    out: str | Path,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> Prepared:
    """Decode, resize and store the data set of a config; only what is new or changed is done."""
    raise NotImplementedError

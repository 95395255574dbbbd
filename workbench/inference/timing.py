"""Variants timed in turn in one process, so that a machine's moods hit all of them alike; quote ratios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median, quantiles
from time import perf_counter
from typing import Any, NamedTuple

import torch


class Timing(NamedTuple):
    """Of one variant, in seconds."""

    seconds: tuple[float, ...]
    """Of each call."""

    @property
    def fastest(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def percentile_95(self) -> float:
        return quantiles(self.seconds, n=20, method="inclusive")[-1] if len(self.seconds) > 1 else self.seconds[0]


def interleave(
    variants: Mapping[str, Callable[[], Any]],
    rounds: int = 5,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Timing]:
    """Call every variant once for warming up, then all of them in turn, `rounds` times."""
    for run in variants.values():
        run()
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds):
        for name, run in variants.items():
            taken[name].append(timed(run))
        if progress:
            progress(number + 1, rounds)
    return {name: Timing(tuple(seconds)) for name, seconds in taken.items()}


def timed(run: Callable[[], Any]) -> float:
    """Seconds until the result is there, also on an accelerator that only takes orders."""
    wait_for_devices()
    start = perf_counter()
    run()
    wait_for_devices()
    return perf_counter() - start


def wait_for_devices() -> None:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()

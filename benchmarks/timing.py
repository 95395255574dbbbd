"""Variants timed in turn in one process, so that a machine's moods hit all of them alike; quote ratios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any


def interleave(variants: Mapping[str, Callable[[], Any]], rounds: int = 5) -> dict[str, float]:
    """Seconds of each variant's fastest call, after one warm-up each."""
    for run in variants.values():
        run()
    fastest = dict.fromkeys(variants, float("inf"))
    for _ in range(rounds):
        for name, run in variants.items():
            start = perf_counter()
            run()
            fastest[name] = min(fastest[name], perf_counter() - start)
    return fastest


def print_ratios(title: str, seconds: Mapping[str, float]) -> None:
    """A table against the first variant."""
    print(f"\n{title}")
    reference = next(iter(seconds.values()))
    for name, value in seconds.items():
        print(f"  {name:<40} {value * 1000:9.1f} ms  {reference / value:6.2f} x")

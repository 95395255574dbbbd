"""Variants timed in turn, as `workbench bench` does it, for what it does not measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workbench.inference import timing


def interleave(variants: Mapping[str, Callable[[], Any]], rounds: int = 5) -> dict[str, float]:
    """Seconds of each variant's fastest call, after one warm-up each."""
    return {name: one.fastest for name, one in timing.interleave(variants, rounds).items()}


def print_ratios(title: str, seconds: Mapping[str, float]) -> None:
    """A table against the first variant."""
    print(f"\n{title}")
    reference = next(iter(seconds.values()))
    for name, value in seconds.items():
        print(f"  {name:<40} {value * 1000:9.1f} ms  {reference / value:6.2f} x")

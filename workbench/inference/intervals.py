"""How far a score may be chance: intervals by drawing the pictures again, with replacement."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DRAWS = 1000
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A score and the middle 95 % of what it is for other draws of as many pictures."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray], pictures: int, draws: int = DRAWS, seed: int = 0
) -> list[Interval]:
    """Intervals of one or several scores.

    `statistic` maps weights [draws, pictures] (how often each picture was drawn) to scores [draws, scores]; nan where
    a draw says nothing, which then takes no part.
    """
    everything = statistic(np.ones((1, pictures)))[0]
    rng = np.random.default_rng(seed)
    drawn = statistic(rng.multinomial(pictures, np.full(pictures, 1 / pictures), size=draws).astype(float))
    tail = 50 * (1 - CONFIDENCE)
    return [
        Interval(float(value), *(float(edge) for edge in _percentiles(column, tail)))
        for value, column in zip(everything, drawn.T, strict=True)
    ]


def _percentiles(values: np.ndarray, tail: float) -> np.ndarray:
    values = values[np.isfinite(values)]
    return np.percentile(values, [tail, 100 - tail]) if len(values) else np.array([np.nan, np.nan])


def weighted_mean(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The statistic of a mean over pictures; `values` is [pictures, scores] with nan for those that say nothing."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)

    def statistic(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return (weights @ filled) / (weights @ known)

    return statistic

"""Probabilities counted in 256 bins by truth: every threshold's scores and the calibration follow from them at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from workbench.task import IGNORE, Task

BINS = 256


def count_probabilities(probabilities: np.ndarray, mask: np.ndarray, task: Task) -> np.ndarray:
    """[scored classes, 2, 256] pixels by truth (0 not the class, 1 the class) and bin, of one picture.

    `probabilities` is [channels, h, w], `mask` as in Sample; bin b holds b/256 up to (b + 1)/256, so the threshold
    b/256 keeps exactly the bins from b on.
    """
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    counts = np.zeros((len(task.scored), 2, BINS), np.int64)
    for number in range(len(task.scored)):
        stored = mask[number] if task.mode == "multilabel" else mask
        truth = stored == (number if task.mode == "multiclass" else 1)
        used = stored != IGNORE
        joined = np.bincount(bins[number][used] + BINS * truth[used], minlength=2 * BINS)
        counts[number] = joined.reshape(2, BINS)
    return counts


def outcomes_at_thresholds(histogram: np.ndarray) -> np.ndarray:
    """[..., 2, 256] counts to [..., 256, 4] true positives, false positives, false negatives, true negatives.

    Entry b is the threshold b/256.
    """
    kept = np.flip(np.flip(histogram, -1).cumsum(-1), -1)
    total = histogram.sum(-1, keepdims=True)
    wrong, right = kept[..., 0, :], kept[..., 1, :]
    return np.stack([right, wrong, total[..., 1, :] - right, total[..., 0, :] - wrong], -1)


class Curve(NamedTuple):
    """Scores at the thresholds 0, 1/256 ... 255/256; nan where there is nothing to divide."""

    threshold: np.ndarray
    precision: np.ndarray
    sensitivity: np.ndarray
    dice: np.ndarray

    @property
    def best(self) -> int:
        """The place of the highest Dice; the threshold nearest to a half among equals."""
        dice = np.nan_to_num(self.dice, nan=-1.0)
        highest = np.flatnonzero(dice == dice.max())
        return int(highest[np.abs(self.threshold[highest] - 0.5).argmin()])


def curve(histogram: np.ndarray) -> Curve:
    """Of one class: [2, 256] counts of all pictures together."""
    tp, fp, fn, _ = np.moveaxis(outcomes_at_thresholds(histogram).astype(float), -1, 0)
    with np.errstate(invalid="ignore"):
        return Curve(np.arange(BINS) / BINS, tp / (tp + fp), tp / (tp + fn), 2 * tp / (2 * tp + fp + fn))


class Reliability(NamedTuple):
    """Whether pixels that are given a probability are the class so often; a row a bin that has pixels."""

    predicted: np.ndarray
    observed: np.ndarray
    pixels: np.ndarray

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the mean distance between the two, weighted by pixels; nan without pixels."""
        total = self.pixels.sum()
        return float((np.abs(self.predicted - self.observed) * self.pixels).sum() / total) if total else float("nan")


def reliability(histogram: np.ndarray, rows: int = 16) -> Reliability:
    """Of one class: [2, 256] counts gathered into `rows` bins, each with the mean of its probabilities.

    A probability counts as the middle of its 256th, which is at most 1/512 away.
    """
    by_row = histogram.reshape(2, rows, BINS // rows)
    middles = ((np.arange(BINS) + 0.5) / BINS).reshape(rows, -1)
    pixels = by_row.sum((0, 2))
    filled = pixels > 0
    predicted = (by_row.sum(0) * middles).sum(1)[filled] / pixels[filled]
    return Reliability(predicted, by_row[1].sum(1)[filled] / pixels[filled], pixels[filled])

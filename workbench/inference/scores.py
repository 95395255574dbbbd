"""From what an evaluation counted to what is told: scores with intervals, rows a picture, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from workbench.inference.evaluation import Counted, Evaluation
from workbench.inference.histograms import BINS, curve, outcomes_at_thresholds, reliability
from workbench.inference.intervals import Interval, bootstrap, weighted_mean
from workbench.metrics import RATIOS, accuracy, batch_iou, ratios
from workbench.task import Task

Statistic = Callable[[np.ndarray], np.ndarray]


def score_intervals(counts: np.ndarray, task: Task, seed: int = 0) -> dict[str, Interval]:
    """Every score of counts [pictures, classes, 4] under the names that `workbench.metrics` explains."""
    intervals: dict[str, Interval] = {}
    for names, statistic in _statistics(counts, task):
        intervals |= dict(zip(names, bootstrap(statistic, len(counts), seed=seed), strict=True))
    return {name: interval for name, interval in intervals.items() if np.isfinite(interval.value)}


def _statistics(counts: np.ndarray, task: Task) -> Iterator[tuple[list[str], Statistic]]:
    pooled = [*RATIOS, *(f"{name}_all_pixels" for name in RATIOS), "accuracy"]
    classes = task.scored if len(task.scored) > 1 else ()
    yield [*pooled, *(f"{name}[{cls}]" for name in RATIOS for cls in classes)], lambda w: _pooled(w, counts, task)
    rows = picture_scores(counts, task)
    yield [f"{name}_per_picture" for name in rows], weighted_mean(np.stack(list(rows.values()), -1))


def _pooled(weights: np.ndarray, counts: np.ndarray, task: Task) -> np.ndarray:
    """Scores [draws, scores] of the counts of all drawn pictures together."""
    summed = torch.from_numpy(np.tensordot(weights, counts.astype(float), axes=1))
    by_class = ratios(summed)
    every = [by_class.nanmean(1), ratios(summed.sum(1)), accuracy(summed, task)[:, None]]
    if len(task.scored) > 1:
        every.append(by_class.transpose(1, 2).flatten(1))
    return torch.cat(every, 1).numpy()


def picture_scores(counts: np.ndarray, task: Task) -> dict[str, np.ndarray]:
    """A value a picture: of each ratio the mean over its classes, and the accuracy; nan for nothing to nothing."""
    tensor = torch.from_numpy(counts)
    by_class = ratios(tensor).nanmean(1).numpy()
    return dict(zip(RATIOS, by_class.T, strict=True)) | {"accuracy": accuracy(tensor, task).numpy()}


def counted_of(evaluation: Evaluation) -> Counted:
    """What a whole evaluation counted; a part of one may have nothing."""
    assert evaluation.counted is not None
    return evaluation.counted


def summarise(evaluation: Evaluation, seed: int = 0) -> dict[str, Any]:
    """All that a report tells, as plain values; each score with its interval."""
    task, counted = evaluation.task, counted_of(evaluation)
    histograms = dict(zip(task.scored, counted.histograms.sum(0), strict=True))
    summary: dict[str, Any] = {
        "format": 1,
        "split": evaluation.split,
        "pictures": len(evaluation.names),
        "threshold": evaluation.threshold,
        "task": task.model_dump(mode="json"),
        "at_training_size": _plain(score_intervals(counted.at_training_size, task, seed)),
        "batch_iou": {"value": _batch_iou(counted.at_training_size, evaluation.batch), "batch": evaluation.batch},
    }
    if len(counted.at_own_size):
        summary["at_own_size"] = _plain(score_intervals(counted.at_own_size, task, seed))
    outlines = np.stack([_mean_of_classes(counted.hd95), _mean_of_classes(counted.boundary_f)], -1)
    names = ("hd95_per_picture", "boundary_f_per_picture")
    found = bootstrap(weighted_mean(outlines), len(outlines), seed=seed)
    summary["outlines"] = _plain(dict(zip(names, found, strict=True))) | {
        "pictures_without_hd95": int(np.isnan(outlines[:, 0]).sum())
    }
    errors = {name: reliability(histogram).expected_error for name, histogram in histograms.items()}
    summary["expected_calibration_error"] = {name: _number(error) for name, error in errors.items()}
    if task.mode != "multiclass":  # which takes the likeliest class, whatever the threshold
        summary["best_threshold"] = {name: _best_threshold(histogram) for name, histogram in histograms.items()}
    if task.mode == "multiclass":
        summary["confusion"] = counted.confusion.sum(0).tolist()
    return summary


def _best_threshold(histogram: np.ndarray) -> dict[str, float | None]:
    found = curve(histogram)
    return {"threshold": float(found.threshold[found.best]), "dice": _number(found.dice[found.best])}


def _batch_iou(counts: np.ndarray, batch: int) -> float:
    """As pytorch-nested-unet averages it: over batches in the order of the split, weighted by their pictures."""
    parts = [torch.from_numpy(counts[start : start + batch]) for start in range(0, len(counts), batch)]
    return float(sum(batch_iou(part) * len(part) for part in parts) / len(counts))


def _mean_of_classes(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(1) / known.sum(1)


def _plain(intervals: dict[str, Interval]) -> dict[str, Any]:
    return {name: {part: _number(value) for part, value in i._asdict().items()} for name, i in intervals.items()}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def picture_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """A row a picture, the worst (lowest Dice at the finest size) first and those that say nothing last."""
    task, counted = evaluation.task, counted_of(evaluation)
    counts = counted.finest
    scores = picture_scores(counts, task)
    coarse = picture_scores(counted.at_training_size, task)
    by_class = ratios(torch.from_numpy(counts)).numpy()
    dice = list(RATIOS).index("dice")
    hd95, boundary = _mean_of_classes(counted.hd95), _mean_of_classes(counted.boundary_f)
    rows = []
    for number, name in enumerate(evaluation.names):
        height, width = counted.sizes[number].tolist()
        row: dict[str, Any] = {"picture": name, "height": int(height), "width": int(width)}
        row |= {score: _number(values[number]) for score, values in scores.items() if score != "f1"}
        row |= {"hd95": _number(hd95[number]), "boundary_f": _number(boundary[number])}
        if len(task.scored) > 1:
            row |= {f"dice[{cls}]": _number(by_class[number, place, dice]) for place, cls in enumerate(task.scored)}
        if len(counted.at_own_size):
            row |= {f"{score}_at_training_size": _number(coarse[score][number]) for score in ("dice", "jaccard")}
        rows.append(row)
    return sorted(rows, key=lambda row: (row["dice"] is None, row["dice"] or 0.0, row["picture"]))


def scores_at_threshold(evaluation: Evaluation, threshold: float) -> dict[str, float]:
    """Scores of a binary or multilabel task at another threshold, instantly; it is taken down to a 256th."""
    counts = outcomes_at_thresholds(counted_of(evaluation).histograms)[:, :, place_of(threshold)]
    values = _pooled(np.ones((1, len(counts))), counts, evaluation.task)[0]
    return dict(zip([*RATIOS, *(f"{name}_all_pixels" for name in RATIOS), "accuracy"], values.tolist(), strict=False))


def scores_by_threshold(evaluation: Evaluation) -> dict[str, list[float | None]]:
    """Every score at the thresholds 0, 1/256 ... 255/256 of a binary or multilabel task, under its name of before."""
    counted, task = counted_of(evaluation), evaluation.task
    pooled = outcomes_at_thresholds(counted.histograms.sum(0))  # [classes, thresholds, 4]
    parts = [
        _by_picture(histograms, task)
        for histograms in np.array_split(counted.histograms, -(-len(counted.histograms) // 256))
    ]
    known, total = (np.stack(each).sum(0) for each in zip(*parts, strict=True))
    with np.errstate(invalid="ignore"):
        by_picture = total / known
    by_class = ratios(torch.from_numpy(pooled)).nanmean(0).numpy()
    found = {name: by_class[:, place] for place, name in enumerate(RATIOS)}
    found["accuracy"] = accuracy(torch.from_numpy(pooled).transpose(0, 1), task).numpy()
    found |= {f"{name}_per_picture": by_picture[:, place] for place, name in enumerate((*RATIOS, "accuracy"))}
    return {name: [_number(value) for value in values] for name, values in found.items()}


def _by_picture(histograms: np.ndarray, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Of each threshold and score how many pictures say something, and the sum of what they say."""
    outcomes = torch.from_numpy(outcomes_at_thresholds(histograms))
    right = accuracy(outcomes.transpose(1, 2), task)
    values = torch.cat([ratios(outcomes).nanmean(1), right[..., None]], -1).numpy()
    return np.isfinite(values).sum(0), np.nansum(values, 0)


def intervals_at_threshold(evaluation: Evaluation, threshold: float) -> dict[str, Interval]:
    """As `score_intervals`, at another threshold of a binary or multilabel task; it is taken down to a 256th."""
    outcomes = outcomes_at_thresholds(counted_of(evaluation).histograms)
    return score_intervals(outcomes[:, :, place_of(threshold)], evaluation.task)


def place_of(threshold: float) -> int:
    """Of the 256 thresholds the one that is taken for it."""
    return min(int(threshold * BINS), BINS - 1)

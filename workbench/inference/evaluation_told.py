"""An evaluation as a viewer wants it: plain values for tables, curves over all thresholds, and pages of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.errors import choices
from workbench.inference.evaluation import Evaluation
from workbench.inference.histograms import curve, outcomes_at_thresholds, reliability
from workbench.inference.intervals import Interval
from workbench.inference.report import SIZES
from workbench.inference.scores import (
    counted_of,
    intervals_at_threshold,
    picture_rows,
    picture_scores,
    place_of,
    scores_by_threshold,
)
from workbench.overlays import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE, palette
from workbench.task import Task

Json = dict[str, Any]

SLID = ("dice", "jaccard", "sensitivity", "specificity", "precision", "accuracy")
"""The scores that are told at every threshold."""
ORDERS = ("dice", "jaccard", "sensitivity", "precision", "hd95", "boundary_f", "picture", "height", "width")
"""Columns that pictures may be sorted by, and `dice[CLASS]` for each class."""


def told(evaluation: Evaluation, summary: Json) -> Json:
    """All but the pictures; `summary` is what `summarise` gave."""
    task = evaluation.task
    classes = task.scored if len(task.scored) > 1 else ()
    histograms = counted_of(evaluation).histograms.sum(0)
    return {
        "split": evaluation.split,
        "pictures": len(evaluation.names),
        "threshold": evaluation.threshold,
        "mode": task.mode,
        "classes": list(task.scored),
        "sizes": [_size(summary[size], words, classes) for size, words in SIZES.items() if size in summary],
        "outlines": summary["outlines"],
        "batch_iou": summary["batch_iou"],
        "best_threshold": summary.get("best_threshold"),
        "by_threshold": None if task.mode == "multiclass" else _by_threshold(evaluation),
        "curves": [_curve(name, histogram) for name, histogram in zip(task.scored, histograms, strict=True)],
        "confusion": {"classes": list(task.classes), "counts": summary["confusion"]}
        if "confusion" in summary
        else None,
        "colours": _colours(evaluation.task),
        "orders": [*ORDERS, *(f"dice[{name}]" for name in classes)],
    }


def _colours(task: Task) -> Json:
    """RGB by name, of classes and of errors."""
    by_id = palette(task)
    return {
        "classes": {name: by_id[number].tolist() for number, name in task.foreground.items()},
        "errors": {"found": TRUE_POSITIVE, "found but not there": FALSE_POSITIVE, "missed": FALSE_NEGATIVE},
    }


def _size(scores: Json, words: str, classes: Sequence[str]) -> Json:
    names = [name for name in scores if f"{name}_per_picture" in scores and name != "f1"]
    rows = [
        {
            "score": name,
            "all": scores[name],
            "classes": [scores.get(f"{name}[{one}]", {}).get("value") for one in classes],
            "per_picture": scores[f"{name}_per_picture"],
        }
        for name in names
    ]
    return {"size": words, "classes": list(classes), "rows": rows}


def _by_threshold(evaluation: Evaluation) -> Json:
    scores = scores_by_threshold(evaluation)
    wanted = [*SLID, *(f"{name}_per_picture" for name in SLID)]
    return {name: _rounded(scores[name]) for name in wanted if name in scores}


def _curve(name: str, histogram: np.ndarray) -> Json:
    found, calibration = curve(histogram), reliability(histogram)
    error = calibration.expected_error
    return {
        "name": name,
        **{part: _rounded(getattr(found, part).tolist()) for part in ("precision", "sensitivity", "dice")},
        "predicted": _rounded(calibration.predicted.tolist()),
        "observed": _rounded(calibration.observed.tolist()),
        "pixels": calibration.pixels.tolist(),
        "calibration_error": error if np.isfinite(error) else None,
    }


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None or not np.isfinite(value) else round(value, 5) for value in values]


def told_at_threshold(evaluation: Evaluation, threshold: float) -> dict[str, list[float]]:
    """Value, low and high of each score that the slider tells."""
    found: dict[str, Interval] = intervals_at_threshold(evaluation, threshold)
    wanted = [*SLID, *(f"{name}_per_picture" for name in SLID)]
    return {name: list(found[name]) for name in wanted if name in found and np.isfinite(found[name]).all()}


def pictures(
    evaluation: Evaluation,
    order: str = "dice",
    descending: bool = False,
    named: str = "",
    least: float = 0.0,
    most: float = 1.0,
    start: int = 0,
    count: int = 12,
) -> Json:
    """A page of the table of pictures: those with `named` in their names and a Dice between `least` and `most`.

    Pictures of which the column says nothing come last, and are listed only where all are.
    """
    rows = picture_rows(evaluation)
    if order not in rows[0]:
        raise choices("order", order, rows[0])
    found = [row for row in rows if named.lower() in row["picture"].lower()]
    if least > 0 or most < 1:
        found = [row for row in found if row["dice"] is not None and least <= row["dice"] <= most]
    known = [row for row in found if row[order] is not None]
    known.sort(key=lambda row: row[order], reverse=descending)
    found = known + [row for row in found if row[order] is None]
    return {"total": len(found), "of": len(rows), "rows": found[start : start + count]}


def dice_at_threshold(evaluation: Evaluation, name: str, threshold: float) -> float | None:
    """Of one picture; the mean over its classes."""
    counted, place = counted_of(evaluation), evaluation.names.index(name)
    if evaluation.task.mode == "multiclass":
        dice = picture_scores(counted.finest[[place]], evaluation.task)["dice"][0]
        return float(dice) if np.isfinite(dice) else None
    histogram = counted.histograms[place]
    tp, fp, fn, _ = outcomes_at_thresholds(histogram)[:, place_of(threshold)].T.astype(float)
    known = 2 * tp + fp + fn > 0
    return float((2 * tp[known] / (2 * tp + fp + fn)[known]).mean()) if known.any() else None

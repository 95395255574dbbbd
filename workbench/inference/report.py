"""An evaluation as one HTML file: scores with intervals, curves, the worst and best pictures, and where it is from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from workbench.inference.evaluation import Counted, Evaluation
from workbench.inference.histograms import curve, reliability
from workbench.inference.scores import counted_of, picture_rows, summarise
from workbench.page import Line, document, figure, line_chart, table

SIZES = {"at_own_size": "at the pictures' own size", "at_training_size": "at training size"}


class Case(NamedTuple):
    """A picture that is shown: a caption, and RGB pictures [h, w, 3] side by side."""

    caption: str
    pictures: Sequence[np.ndarray]


def report(
    evaluation: Evaluation,
    title: str,
    *,
    worst: Iterable[Case] = (),
    best: Iterable[Case] = (),
    attention: Iterable[Case] = (),
    curves: Mapping[str, Sequence[Line]] | None = None,
    details: Mapping[str, str] | None = None,
) -> str:
    """The page. `curves` are those of the training, by the name of their value; `details` are folded texts such as the
    configuration and the environment."""
    summary = summarise(evaluation)
    parts = [f"<h1>{escape(title)}</h1>", _headline(summary), _scores(summary), _outlines(summary)]
    parts += [_thresholds(evaluation, summary), _calibration(evaluation, summary), _confusion(evaluation)]
    parts += [_gallery("The worst pictures", worst), _gallery("The best pictures", best)]
    parts += [_gallery("Attention", attention), _training(curves or {}), _rows(evaluation)]
    parts += [_folded(name, f"<pre>{escape(text)}</pre>") for name, text in (details or {}).items()]
    return document(title, "".join(parts))


def _headline(summary: dict[str, Any]) -> str:
    where = "own" if "at_own_size" in summary else "training"
    return (
        f"<p>{summary['pictures']} pictures of the split <b>{escape(summary['split'])}</b>, threshold "
        f"{summary['threshold']:g}. Intervals hold the middle 95 % of 1000 draws of as many pictures. Outlines, "
        f"thresholds and calibration are counted at the pictures' {where} size.</p>"
    )


def _scores(summary: dict[str, Any]) -> str:
    """Each size a table: the classes side by side, and the mean over pictures beside the mean over classes."""
    classes = summary["task"]["classes"] if summary["task"]["mode"] != "binary" else []
    parts = []
    for size, words in SIZES.items():
        if size not in summary:
            continue
        scores = summary[size]
        names = [name for name in scores if f"{name}_per_picture" in scores and name != "f1"]
        rows = [
            [
                "dice, which is f1" if name == "dice" else name,
                _told(scores[name]),
                *(scores.get(f"{name}[{one}]", {}).get("value") for one in classes),
                _told(scores[f"{name}_per_picture"]),
            ]
            for name in names
        ]
        together = "all pictures together" + (", mean over classes" if classes else "")
        parts += [f"<h2>Scores {words}</h2>", table(("score", together, *classes, "mean over pictures"), rows)]
    batch = summary["batch_iou"]
    return "".join(parts) + (
        f"<p>batch_iou, as pytorch-nested-unet counts it at training size: {batch['value']:.4f} (batches of "
        f"{batch['batch']}).</p>"
    )


def _told(interval: Mapping[str, float | None]) -> str:
    value, low, high = (interval[part] for part in ("value", "low", "high"))
    if value is None:
        return "–"
    return f"{value:.4f}" + (f" ({low:.4f} to {high:.4f})" if low is not None and high is not None else "")


def _outlines(summary: dict[str, Any]) -> str:
    outlines = summary["outlines"]
    without = outlines["pictures_without_hd95"]
    left_out = f"Pictures without a distance, since a class is in truth or prediction alone or in neither: {without}."
    return (
        "<h2>Outlines</h2>"
        + table(
            ("score", "mean over pictures"),
            [
                ["95 % Hausdorff distance (pixels, or mm where the files tell)", _told(outlines["hd95_per_picture"])],
                ["boundary F-score (within 0.75 % of the diagonal)", _told(outlines["boundary_f_per_picture"])],
            ],
        )
        + (f"<p>{left_out}</p>" if without else "")
    )


def _thresholds(evaluation: Evaluation, summary: dict[str, Any]) -> str:
    histograms = _by_class(evaluation)
    curves = {name: curve(histogram) for name, histogram in histograms.items()}
    parts = ["<h2>Thresholds</h2>"]
    if "best_threshold" in summary:
        rows = [[name, best["threshold"], best["dice"]] for name, best in summary["best_threshold"].items()]
        parts.append(table(("class", "best threshold", "its Dice"), rows))
        parts.append(
            line_chart([Line(name, c.threshold, c.dice) for name, c in curves.items()], "threshold", "Dice", True)
        )
    parts.append(
        line_chart(
            [Line(name, c.sensitivity, c.precision) for name, c in curves.items()], "sensitivity", "precision", True
        )
    )
    return "".join(parts)


def _calibration(evaluation: Evaluation, summary: dict[str, Any]) -> str:
    lines = [Line("as it should be", (0, 1), (0, 1))]
    for name, histogram in _by_class(evaluation).items():
        found = reliability(histogram)
        lines.append(Line(name, found.predicted, found.observed))
    errors = summary["expected_calibration_error"].items()
    return (
        "<h2>Calibration</h2><p>Of the pixels that are given a probability, how many are the class.</p>"
        + line_chart(lines, "probability", "share that is the class", True)
        + table(("class", "expected calibration error"), [[name, error] for name, error in errors])
    )


def _confusion(evaluation: Evaluation) -> str:
    if evaluation.task.mode != "multiclass":
        return ""
    counts = counted_of(evaluation).confusion.sum(0)
    total = counts.sum(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        shares = counts / total
    names = evaluation.task.classes
    rows = [
        [name, *(f"{share:.1%}" if np.isfinite(share) else "–" for share in row)]
        for name, row in zip(names, shares, strict=True)
    ]
    return "<h2>Confusion</h2><p>A row a true class: what its pixels were taken for.</p>" + table(["", *names], rows)


def _gallery(title: str, cases: Iterable[Case]) -> str:
    figures = "".join(figure(case.pictures, case.caption) for case in cases)
    return f"<h2>{escape(title)}</h2>{figures}" if figures else ""


def _training(curves: Mapping[str, Sequence[Line]]) -> str:
    charts = "".join(line_chart(lines, "step", name) for name, lines in curves.items())
    return f"<h2>Training</h2>{charts}" if charts else ""


def _rows(evaluation: Evaluation) -> str:
    rows = picture_rows(evaluation)
    return _folded(f"All {len(rows)} pictures, worst first", table(list(rows[0]), [list(row.values()) for row in rows]))


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def _by_class(evaluation: Evaluation) -> dict[str, np.ndarray]:
    counted: Counted = counted_of(evaluation)
    return dict(zip(evaluation.task.scored, counted.histograms.sum(0), strict=True))

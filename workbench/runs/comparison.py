"""Several runs side by side: what differs in their configurations, how good they are, and their curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from workbench.errors import UserError
from workbench.inference.evaluation import Evaluation
from workbench.inference.evaluation_folder import load_evaluation
from workbench.inference.intervals import Interval, bootstrap, weighted_mean
from workbench.inference.scores import counted_of, picture_scores, score_intervals
from workbench.page import Line, document, line_chart, table
from workbench.plots import loss_and_score_curves
from workbench.runs.evaluated import evaluation_folder, is_evaluated
from workbench.runs.run import Run

TOLD = ("dice", "jaccard", "dice_per_picture", "sensitivity", "precision", "accuracy")


class Row(NamedTuple):
    """A run and its scores on the split; `scores` is empty where that was not evaluated."""

    run: str
    model: str
    epochs: int
    best_epoch: int | None
    scores: dict[str, Interval]


class Difference(NamedTuple):
    """How much higher the second run's Dice is on the same pictures, with its interval."""

    first: str
    second: str
    pictures: int
    interval: Interval

    @property
    def sentence(self) -> str:
        """What may be concluded from it."""
        mean, low, high = self.interval
        told = f"{self.second} against {self.first}: Dice a picture {mean:+.4f} ({low:+.4f} to {high:+.4f})"
        if low > 0 or high < 0:
            return f"{told}, more than chance in the choice of the {self.pictures} pictures explains."
        return f"{told}; with {self.pictures} pictures that may be chance."


def knob_differences(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every knob that is not the same everywhere, by its dotted path, with each run's value."""
    flat = {name: dict(_flattened(config)) for name, config in configs.items()}
    paths = dict.fromkeys(path for knobs in flat.values() for path in knobs)
    inner = {path for path in paths if any(other.startswith(f"{path}.") for other in paths)}  # mappings in some runs
    by_path = {path: {name: knobs.get(path) for name, knobs in flat.items()} for path in paths if path not in inner}
    return {path: values for path, values in by_path.items() if len({repr(value) for value in values.values()}) > 1}


def _flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class Comparison(NamedTuple):
    """What `compare_runs` found."""

    split: str
    rows: list[Row]
    knobs: dict[str, dict[str, Any]]
    differences: list[Difference]
    """Of the runs after the first against the first."""
    notes: list[str]


def compare_runs(runs: Sequence[Run], split: str = "test") -> Comparison:
    """Scores are those of `evaluation/SPLIT`; a run without that is listed without scores, and a note says how to mend
    it. Scores are at the pictures' own size, or all at training size where one run has no other."""
    if len(runs) < 2:
        raise UserError("Name at least two runs to compare.")
    if len({run.name for run in runs}) < len(runs):
        raise UserError("Name each run once.")
    evaluations = {run.name: load_evaluation(evaluation_folder(run, split)) for run in runs if is_evaluated(run, split)}
    notes = [
        f"{run.name} is not evaluated on {split}: workbench evaluate {run.name} --split {split}"
        for run in runs
        if run.name not in evaluations
    ]
    own = all(len(counted_of(evaluation).at_own_size) > 0 for evaluation in evaluations.values())
    if evaluations:
        notes.append("Scores are at the pictures' own size." if own else "Scores are at training size.")
    rows = [_row(run, evaluations.get(run.name), own) for run in runs]
    first, *others = [run.name for run in runs]
    differences = []
    for name in others:
        if first in evaluations and name in evaluations:
            found = difference(first, evaluations[first], name, evaluations[name], own)
            if found is None:
                notes.append(f"{name} and {first} were evaluated on other pictures, so they are not compared in pairs.")
            else:
                differences.append(found)
    configs = {run.name: run.config.model_dump(mode="json") for run in runs}
    return Comparison(split, rows, knob_differences(configs), differences, notes)


def _row(run: Run, evaluation: Evaluation | None, own: bool) -> Row:
    best, config = run.best(), run.config
    scores: dict[str, Interval] = {}
    if evaluation is not None:
        found = score_intervals(_counts(evaluation, own), evaluation.task)
        scores = {name: found[name] for name in TOLD if name in found}
    return Row(run.name, config.model.name, run.status().epochs, best["epoch"] if best else None, scores)


def _counts(evaluation: Evaluation, own: bool) -> np.ndarray:
    counted = counted_of(evaluation)
    return counted.at_own_size if own else counted.at_training_size


def difference(first: str, a: Evaluation, second: str, b: Evaluation, own: bool) -> Difference | None:
    """In pairs over the pictures that both were evaluated on; None where those are not the same."""
    if set(a.names) != set(b.names) or a.task != b.task:
        return None
    order = [b.names.index(name) for name in a.names]
    ours = picture_scores(_counts(b, own), b.task)["dice"][order]
    theirs = picture_scores(_counts(a, own), a.task)["dice"]
    (interval,) = bootstrap(weighted_mean((ours - theirs)[:, None]), len(order))
    return Difference(first, second, len(order), interval)


def comparison_page(comparison: Comparison, runs: Sequence[Run]) -> str:
    """Everything on one HTML page, with the validation curves of all runs together."""
    titles = ["run", "model", "epochs", "best epoch", *TOLD]
    rows = [
        [row.run, row.model, row.epochs, row.best_epoch, *(_told(row.scores.get(name)) for name in TOLD)]
        for row in comparison.rows
    ]
    names = [run.name for run in runs]
    knobs = [[path, *(str(values[name]) for name in names)] for path, values in comparison.knobs.items()]
    parts = [f"<h1>{escape(', '.join(names))}</h1><h2>Scores on {comparison.split}</h2>", table(titles, rows)]
    parts += [f"<p>{escape(sentence)}</p>" for sentence in sentences(comparison)]
    parts.append("<h2>Training</h2>")
    for panel in ("validation", "validation dice"):
        lines = [
            Line(run.name, curve.steps, curve.values)
            for run in runs
            for curve in loss_and_score_curves(run.records())
            if curve.name == panel
        ]
        parts.append(line_chart(lines, "step", "validation loss" if panel == "validation" else panel))
    parts.append("<h2>What differs in their configurations</h2>")
    parts.append(table(["knob", *names], knobs) if knobs else "<p>Nothing.</p>")
    return document("Comparison", "".join(parts))


def sentences(comparison: Comparison) -> list[str]:
    """What may be concluded, and what is missing."""
    return [*(found.sentence for found in comparison.differences), *comparison.notes]


def _told(interval: Interval | None) -> str:
    return "–" if interval is None else str(interval)

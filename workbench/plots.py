"""Curves of a training: records in, a plotly figure or a static picture out. Knows no run and no folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go

Record = Mapping[str, Any]

MOST_POINTS = 2000
"""A longer curve is drawn by the means of neighbouring points."""

PANELS = ("Loss", "Score")
SCORES = ("dice", "jaccard")

FAINT, TRAIN, VALID, OTHER = "#c7cbe5", "#4f5bd5", "#d9480f", "#2b8a3e"


class Curve(NamedTuple):
    """One line of a figure."""

    name: str
    panel: str
    """One of PANELS."""
    colour: str
    steps: np.ndarray
    values: np.ndarray


def loss_and_score_curves(records: Sequence[Record]) -> list[Curve]:
    """Loss by step and by epoch, validation loss and validation scores; those that there are records of."""
    steps = [r for r in records if r.get("split") == "train" and not r.get("complete")]
    train = [r for r in records if r.get("split") == "train" and r.get("complete")]
    valid = [r for r in records if r.get("split") == "valid" and r.get("complete")]
    curves = [
        _curve("training, by step", "Loss", FAINT, steps, "losses", "loss"),
        _curve("training", "Loss", TRAIN, train, "losses", "loss"),
        _curve("validation", "Loss", VALID, valid, "losses", "loss"),
        *(
            _curve(f"validation {score}", "Score", colour, valid, "metrics", score)
            for score, colour in zip(SCORES, (VALID, OTHER), strict=True)
        ),
    ]
    return [curve for curve in curves if len(curve.steps)]


def loss_figure(curves: Sequence[Curve], title: str = "") -> go.Figure:
    """Losses above, scores below, over the same steps."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=len(PANELS), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    for curve in curves:
        line = {"color": curve.colour, "width": 1 if curve.colour == FAINT else 2}
        trace = go.Scatter(x=curve.steps, y=curve.values, name=curve.name, mode=_mode(curve), line=line)
        figure.add_trace(trace, row=PANELS.index(curve.panel) + 1, col=1)
    for row, panel in enumerate(PANELS, start=1):
        figure.update_yaxes(title_text=panel, row=row, col=1)
    figure.update_yaxes(range=[0, 1], row=PANELS.index("Score") + 1, col=1)
    figure.update_xaxes(title_text="Step", row=len(PANELS), col=1)
    figure.update_layout(title=title, template="plotly_white", hovermode="x unified")
    return figure


def write_html(curves: Sequence[Curve], path: Path, title: str = "") -> None:
    """A page with the figure that needs no network."""
    loss_figure(curves, title).write_html(path, include_plotlyjs=True, full_html=True)


def write_png(curves: Sequence[Curve], path: Path, title: str = "") -> None:
    """The same figure as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = dict(zip(PANELS, figure.subplots(len(PANELS), 1, sharex=True), strict=True))
    for curve in curves:
        marker = "o" if len(curve.steps) == 1 else ""
        width = 0.8 if curve.colour == FAINT else 1.8
        axes[curve.panel].plot(
            curve.steps, curve.values, label=curve.name, color=curve.colour, linewidth=width, marker=marker
        )
    for panel, axis in axes.items():
        axis.set_ylabel(panel)
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend(frameon=False)
    axes["Score"].set_ylim(0, 1)
    axes["Score"].set_xlabel("Step")
    figure.suptitle(title)
    figure.savefig(path, dpi=150, format="png")


def _curve(name: str, panel: str, colour: str, records: Sequence[Record], group: str, key: str) -> Curve:
    points = [(r["step"], r[group][key]) for r in records if r.get(group, {}).get(key) is not None]
    steps, values = np.array(points, np.float64).reshape(-1, 2).T
    return Curve(name, panel, colour, *thinned(steps, values))


def thinned(steps: np.ndarray, values: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points: each the mean of its neighbours."""
    if len(steps) <= most:
        return steps, values
    starts = np.linspace(0, len(steps), most, endpoint=False).astype(int)
    sizes = np.diff([*starts, len(steps)])
    return np.add.reduceat(steps, starts) / sizes, np.add.reduceat(values, starts) / sizes


class Series(NamedTuple):
    """One line of the live curves."""

    panel: str
    """loss, score, learning_rate or images_per_second."""
    name: str
    steps: np.ndarray
    values: np.ndarray


def live_series(records: Iterable[Record], score: str = "dice", most: int = MOST_POINTS) -> list[Series]:
    """Losses, one score with that of each class, learning rate and speed; long ones keep their extremes.

    Given new records alone, it gives what is to be added to the lines of before.
    """
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for record in records:
        for panel, name, value in _live_points(record, score):
            if value is not None:
                points.setdefault((panel, name), []).append((record["step"], value))
    series = []
    for (panel, name), pairs in points.items():
        steps, values = np.array(pairs, np.float64).T
        series.append(Series(panel, name, *extremes(steps, values, most)))
    return series


def _live_points(record: Record, score: str) -> Iterator[tuple[str, str, float | None]]:
    complete, loss = record.get("complete", False), record.get("losses", {}).get("loss")
    if record.get("split") == "train" and not complete:
        yield "loss", "training", loss
        yield "learning_rate", "learning rate", record.get("learning_rate")
        yield "images_per_second", "images a second", record.get("images_per_second")
    elif record.get("split") == "train":
        yield "loss", "epoch mean", loss
    elif complete:
        yield "loss", "validation", loss
        for name, value in record.get("metrics", {}).items():
            if name == score or name.startswith(f"{score}["):
                yield "score", name, value


def scores_of(records: Iterable[Record]) -> list[str]:
    """The scores that validations were given, without those of single classes."""
    names = (name for record in records if record.get("split") == "valid" for name in record.get("metrics", {}))
    return [name for name in dict.fromkeys(names) if "[" not in name]


def extremes(steps: np.ndarray, values: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most so many points: of each stretch the least and the largest, so that no peak is lost."""
    if len(steps) <= most:
        return steps, values
    stretches = np.array_split(np.arange(len(steps)), most // 2)
    kept = sorted({int(stretch[find(values[stretch])]) for stretch in stretches for find in (np.argmin, np.argmax)})
    return steps[kept], values[kept]


def _mode(curve: Curve) -> str:
    return "markers" if len(curve.steps) == 1 else "lines"

"""Stills: pictures and plotly figures as notebooks show them wherever they are opened, with or without JavaScript."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Bundle = dict[str, Any]
"""What a notebook's output holds: a kind of data to the data."""

Pictures = Mapping[str, np.ndarray] | Iterable[tuple[str, np.ndarray]]
"""Names and pictures; the same name may stand twice in pairs."""

COLOURS = ("#4f5bd5", "#d9480f", "#2b8a3e", "#cc79a7", "#e69f00", "#56b4e9", "#7f5f9f", "#5b6b7b")
WIDTH, HEIGHT = 8.0, 4.2
"""Of a figure in inches, unless its layout tells."""
DOTS = 80
"""An inch."""


class Still:
    """Something to look at; the last line of a cell shows it."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def __repr__(self) -> str:
        return "a still picture"  # without an address, so that it is the same in every run

    def _repr_mimebundle_(self, **_: Any) -> Bundle:
        return self.bundle


def show(figure: go.Figure) -> Still:
    """A plotly figure where plotly is, and a picture of it everywhere else; without plotly's megabytes."""
    return Still({"application/vnd.plotly.v1+json": json.loads(figure.to_json()), "image/png": figure_png(figure)})


def pictures(
    shown: Mapping[str, np.ndarray] | Iterable[tuple[str, np.ndarray]],
    title: str = "",
    columns: int = 4,
    side: float = 2.2,
) -> Still:
    """Pictures under their names: RGB [h, w, 3] as they are, maps [h, w] in colours from 0 to 1, with a scale."""
    from matplotlib.figure import Figure

    pairs = list(shown.items() if isinstance(shown, Mapping) else shown)
    columns = min(columns, len(pairs))
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(columns * side + 0.6, rows * (side + 0.35) + 0.4 * bool(title)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    maps = []
    for axis, (name, picture) in zip(axes, pairs, strict=False):
        drawn = axis.imshow(picture, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(name, fontsize=9)
        if picture.ndim == 2:
            maps.append(drawn)
    for axis in axes:
        axis.set_axis_off()
    if maps:
        figure.colorbar(maps[0], ax=list(axes), shrink=0.8, ticks=[0, 0.5, 1])
    figure.suptitle(title, fontsize=11)
    return Still({"image/png": as_png(figure)})


def as_png(figure: Figure, dots: int = DOTS) -> bytes:
    """A matplotlib figure as a small file, of 256 colours."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=dots, format="png", facecolor="white")
    small = io.BytesIO()
    Image.open(drawn).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    return small.getvalue()


def figure_png(figure: go.Figure) -> bytes:
    """A plotly figure drawn by matplotlib: lines, markers, bars and heatmaps with their titles, axes and legends."""
    from matplotlib.figure import Figure

    layout = figure.layout
    drawn = Figure(figsize=((layout.width or 100 * WIDTH) / 100, (layout.height or 100 * HEIGHT) / 100))
    subplots: dict[str, Axes] = {}
    for number, trace in enumerate(figure.data):
        x_name, y_name = trace.xaxis or "x", trace.yaxis or "y"
        if y_name not in subplots:
            x, y = (layout[f"{name[0]}axis{name[1:]}"] for name in (x_name, y_name))
            subplots[y_name] = _add_axes(drawn, x, y)
        DRAW[trace.type](subplots[y_name], trace, COLOURS[number % len(COLOURS)])
    for axis in subplots.values():
        if layout.showlegend is not False and len(axis.get_legend_handles_labels()[1]) > 1:
            axis.legend(frameon=False, fontsize=8)
    if any(layout[name].matches for name in layout if name.startswith("xaxis")):
        ends = np.array([axis.get_xlim() for axis in subplots.values()])
        for axis in subplots.values():
            axis.set_xlim(ends.min(), ends.max())
    drawn.suptitle(layout.title.text or "", fontsize=11)
    return as_png(drawn, 100)


def _add_axes(figure: Figure, x: Any, y: Any) -> Axes:
    """At the place that a subplot has in plotly, within margins."""
    (left, right), (bottom, top) = (axis.domain or (0.0, 1.0) for axis in (x, y))
    inner = (0.11 + 0.86 * left, 0.15 + 0.72 * bottom, 0.86 * (right - left), 0.72 * (top - bottom))
    axis = figure.add_axes(inner)
    axis.set_xlabel(x.title.text or "")
    axis.set_ylabel(y.title.text or "")
    axis.grid(alpha=0.3)
    axis.set_axisbelow(True)
    if x.type == "log":
        axis.set_xscale("log")
    if y.type == "log":
        axis.set_yscale("log")
    if x.range:
        axis.set_xlim(*x.range)
    if y.range:
        axis.set_ylim(*y.range)
    if x.showticklabels is False or x.matches:
        axis.tick_params(labelbottom=False)
    return axis


def _draw_line(axis: Axes, trace: Any, colour: str) -> None:
    mode = trace.mode or "lines"
    axis.plot(
        trace.x,
        trace.y,
        color=trace.line.color or trace.marker.color or colour,
        linestyle=("--" if trace.line.dash else "-") if "lines" in mode else "",
        linewidth=trace.line.width or 1.8,
        marker="o" if "markers" in mode else "",
        markersize=4,
        label=trace.name,
    )
    if trace.error_y.array is not None:
        axis.errorbar(trace.x, trace.y, trace.error_y.array, fmt="none", ecolor=trace.line.color or colour, capsize=3)


def _draw_bars(axis: Axes, trace: Any, colour: str) -> None:
    axis.bar(trace.x, trace.y, width=trace.width or 0.8, color=trace.marker.color or colour, label=trace.name)


def _draw_heatmap(axis: Axes, trace: Any, colour: str) -> None:
    values = np.asarray(trace.z, float)
    axis.imshow(values, cmap="viridis", vmin=trace.zmin, vmax=trace.zmax, aspect="auto")
    axis.grid(False)
    for names, ticks in ((trace.x, axis.set_xticks), (trace.y, axis.set_yticks)):
        if names is not None:
            ticks(range(len(names)), [str(name) for name in names])


DRAW: dict[str, Callable[[Axes, Any, str], None]] = {
    "scatter": _draw_line,
    "bar": _draw_bars,
    "heatmap": _draw_heatmap,
}
"""The kinds of traces that have a still."""

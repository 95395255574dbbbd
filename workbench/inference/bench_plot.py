"""A bench as a picture: images a second of every variant, a panel a batch."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import UserError, choices
from workbench.files import whole
from workbench.inference.bench_results import Bench

SUFFIXES = (".png", ".svg", ".pdf")


def check_plot_path(path: Path) -> None:
    """Before minutes of measuring."""
    if path.suffix not in SUFFIXES:
        raise choices("kind of picture", path.suffix, SUFFIXES)
    if not path.parent.is_dir():
        raise UserError(f"Cannot write {path}: the folder {path.parent} does not exist.")


def save_plot(result: Bench, path: Path) -> None:
    """Bars from the fastest down, each with its ratio to plain PyTorch; PNG, SVG or PDF, whole or not at all."""
    from matplotlib.figure import Figure

    cases = list(dict.fromkeys((row.model, row.size, row.batch) for row in result.rows))
    figure = Figure(figsize=(9, 0.8 + 0.35 * (len(result.rows) + 2 * len(cases))), layout="constrained")
    panels = figure.subplots(len(cases), 1, squeeze=False)[:, 0]
    for axis, case in zip(panels, cases, strict=True):
        rows = [row for row in result.rows if row.key[:3] == case]
        rows.sort(key=lambda row: row.images_per_second)
        colours = ["#d9480f" if row.variant.startswith("training") else "#4f5bd5" for row in rows]
        bars = axis.barh([row.variant for row in rows], [row.images_per_second for row in rows], color=colours)
        axis.bar_label(bars, [f"{row.images_per_second:.3g} ({row.ratio:.2f} x)" for row in rows], padding=3)
        axis.margins(x=0.2)
        axis.set_title(f"{case[0]} at {case[1]} x {case[1]}, batch {case[2]}", loc="left")
    panels[-1].set_xlabel("images a second (against plain PyTorch; training against float32)")
    with whole(path) as part:
        figure.savefig(part, dpi=150, format=path.suffix[1:])

"""The tables that the command line and the app both show: titles with units, and plain values under them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from workbench.errors import UserError

if TYPE_CHECKING:
    from workbench.devices import Reading
    from workbench.inference.attention import GateMap
    from workbench.inference.bench_results import Bench
    from workbench.inference.export import Exported
    from workbench.inference.gate_effects import GateEffect
    from workbench.models import ModelFacts
    from workbench.runs.comparison import Row
    from workbench.runs.run import Run

UNKNOWN = "–"
GIB = 2**30

Value = str | float | None


class Table(NamedTuple):
    """Printed, it is aligned text; numbers are told by their unit in the title, to two digits behind the point."""

    titles: tuple[str, ...]
    rows: list[tuple[Value, ...]]

    def __str__(self) -> str:
        lines = [self.titles, *self.texts]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(map(_aligned, line, widths, self.numeric)).rstrip() for line in lines)

    @property
    def texts(self) -> list[tuple[str, ...]]:
        """The rows as people read them."""
        return [tuple(map(_text, row)) for row in self.rows]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold no words and so belong to the right."""
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.titles)
        return tuple(not any(isinstance(value, str) for value in column) for column in columns)


def _aligned(text: str, width: int, numeric: bool) -> str:
    return text.rjust(width) if numeric else text.ljust(width)


def _text(value: Value) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,.2f}" if isinstance(value, float) else f"{value}"


def model_table(models: Iterable[ModelFacts], size: int) -> Table:
    """A row a model; the multiply-adds are those of one picture of this size."""
    titles = ("Model", "Parameters (M)", f"Multiply-adds at {size} x {size} (G)", "Gates", "What it is", "Source")
    return Table(titles, [_model_row(model) for model in models])


def _model_row(model: ModelFacts) -> tuple[Value, ...]:
    millions, billions = model.parameters / 1e6, model.multiply_adds / 1e9
    return (model.name, millions, billions, model.attention_gates, model.summary, model.source)


def device_table(readings: Iterable[Reading]) -> Table:
    """A row a device."""
    titles = ("Device", "Name", "Busy (%)", "Memory (GiB)", "used", "by this process", "Temperature (°C)", "Power (W)")
    return Table(titles, [_device_row(reading) for reading in readings])


def _device_row(reading: Reading) -> tuple[Value, ...]:
    device = reading.device
    return (
        str(device),
        f"{device.name}, {device.cores} cores" if device.cores else device.name,
        None if reading.utilisation is None else round(100 * reading.utilisation),
        _gib(reading.memory_total),
        _gib(reading.memory_used),
        _gib(reading.process_memory),
        None if reading.temperature is None else round(reading.temperature),
        None if reading.power is None else round(reading.power),
    )


def run_table(runs: Iterable[Run]) -> Table:
    """A row a run."""
    titles = ("Run", "State", "Epoch", "of", "Best score", "Device", "Age")
    return Table(titles, [_run_row(run) for run in runs])


def _run_row(run: Run) -> tuple[Value, ...]:
    try:
        status, best, age = run.status(), run.best(), time.time() - run.created
    except UserError as error:  # one damaged run must not hide the others
        return (run.name, f"unreadable: {error}", None, None, None, UNKNOWN, UNKNOWN)
    score = best.get("score") if best else None
    return (run.name, status.state, status.epoch, status.epochs, score, status.device or UNKNOWN, _age(age))


def _age(seconds: float) -> str:
    """The two largest units, such as 3 h 20 min."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def comparison_table(rows: Iterable[Row]) -> Table:
    """A row a run; scores with their intervals."""
    from workbench.runs.comparison import TOLD

    shown = TOLD[:3]
    lines: list[tuple[Value, ...]] = [
        (
            *(row.run, row.model, row.epochs, row.best_epoch),
            *(str(row.scores[name]) if name in row.scores else None for name in shown),
        )
        for row in rows
    ]
    return Table(("Run", "Model", "Epochs", "Best", *shown), lines)


def knob_table(knobs: Mapping[str, Mapping[str, object]], runs: Sequence[str]) -> Table:
    """A row a knob that differs."""
    return Table(("Knob", *runs), [(path, *(str(values[run]) for run in runs)) for path, values in knobs.items()])


def _gib(size: int | None) -> float | None:
    return None if size is None else size / GIB


def check_table(exported: Exported) -> Table:
    """A row an input that an exported file was checked on."""
    titles = ("Checked on", "Batch", "Height", "Width", "Difference", "Allowed")
    allowed = f"{exported.bound:.0e}"
    rows: list[tuple[Value, ...]] = [
        (check.what, check.batch, check.height, check.width, f"{check.difference:.1e}", allowed)
        for check in exported.checks
    ]
    return Table(titles, rows)


def bench_table(result: Bench, before: Bench | None = None) -> Table:
    """A row a variant and batch; with an earlier result by how much each has become faster."""
    from workbench.inference.bench_results import against

    titles = (
        "Variant",
        "Batch",
        "Images/s",
        "Against plain",
        "Median (ms)",
        "95 % (ms)",
        "Memory (MiB)",
        "File (MB)",
        "Multiply-adds (G)",
        "Share of peak (%)",
        "Difference",
        "Ready in (s)",
    )
    ratios = against(result, before) if before else {}
    rows: list[tuple[Value, ...]] = []
    for row in result.rows:
        cells: tuple[Value, ...] = (
            row.variant,
            row.batch,
            row.images_per_second,
            row.ratio,
            1e3 * row.latency_median,
            1e3 * row.latency_95,
            row.memory / 2**20,
            row.bytes / 1e6,
            row.multiply_adds / 1e9,
            100 * row.share_of_peak,
            UNKNOWN if row.difference is None else f"{row.difference:.0e}",
            row.setup,
        )
        rows.append((*cells, ratios.get(row.key)) if before else cells)
    return Table((*titles, "Against before") if before else titles, rows)


def gate_table(maps: Iterable[GateMap]) -> Table:
    """A row a gate and class: the gate's true range, and how much of its mass lies inside the class's masks."""
    titles = (
        "Gate",
        "Cells",
        "Lowest",
        "Highest",
        "Entropy",
        "Class",
        "Area (%)",
        "Mass (%)",
        "True area",
        "True mass",
    )
    rows: list[tuple[Value, ...]] = []
    for gate in maps:
        height, width = gate.raw.shape
        for name, inside in gate.predicted.items():
            true = gate.true.get(name)
            rows.append(
                (
                    gate.gate,
                    f"{height} x {width}",
                    gate.low,
                    gate.high,
                    gate.entropy,
                    name,
                    100 * inside.area,
                    100 * inside.mass,
                    None if true is None else 100 * true.area,
                    None if true is None else 100 * true.mass,
                )
            )
    return Table(titles, rows)


def effect_table(effects: Iterable[GateEffect]) -> Table:
    """A row a gate and change."""
    titles = ("Gate", "Changed", "Pixels changed", "Dice between", "Mean change of probability", "Dice", "by")
    rows: list[tuple[Value, ...]] = [
        (e.gate, e.change, e.pixels, e.dice_between, f"{e.probability_change:.1e}", e.score, e.score_change)
        for e in effects
    ]
    return Table(titles, rows)

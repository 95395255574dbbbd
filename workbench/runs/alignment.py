"""Whether a training's losses follow those of a reference, by the rule of the Teco model zoo, and how far they are."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.errors import UserError
from workbench.runs.run import Run

RELATIVE, ABSOLUTE = 0.05, 0.0002
"""Either mean error at or below its limit is a PASS."""

PRINTED = r"[\"']?\b{column}\b[\"']?\s*[:=]?\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)"
"""A name and a number after it, as logs print them: `loss: 0.25`, `Loss=0.25`, `Loss 2.5e-1`."""


class Alignment(NamedTuple):
    """Mean errors of our losses against a reference's, pairwise."""

    pairs: int
    relative: float
    """mean((ours - reference) / reference): signed, so that errors of both kinds cancel out,"""
    absolute: float
    """and mean(ours - reference), signed too: any lower loss passes."""
    unsigned_relative: float
    unsigned_absolute: float
    dropped: int
    """Losses at the end of the longer list, which have no partner."""

    @property
    def passed(self) -> bool:
        """The original's rule, on the signed errors."""
        return self.relative <= RELATIVE or self.absolute <= ABSOLUTE

    def __str__(self) -> str:
        limits = f"mean_relative_error <= {RELATIVE} or mean_absolute_error <= {ABSOLUTE}"
        name, value = min(
            (("mean_relative_error", self.relative), ("mean_absolute_error", self.absolute)), key=lambda pair: pair[1]
        )
        lines = [
            f"{self.pairs} losses compared"
            + (f", {self.dropped} of the longer list left out." if self.dropped else "."),
            f"mean_relative_error {self.relative:.6g} (without signs {self.unsigned_relative:.6g})",
            f"mean_absolute_error {self.absolute:.6g} (without signs {self.unsigned_absolute:.6g})",
            f"rule: {name} {value:.6g}",
            f"{'PASS' if self.passed else 'FAIL'}: {limits}",
        ]
        if self.passed and self.unsigned_relative > RELATIVE:
            lines.append("Without signs the losses are further apart than that: lower ones pass by the rule as it is.")
        return "\n".join(lines)


def align(ours: Sequence[float], reference: Sequence[float]) -> Alignment:
    """Compare two lists of losses, the first with the first, as far as both go."""
    pairs = min(len(ours), len(reference))
    if not pairs:
        raise UserError("There is nothing to compare: one of the two has no losses.")
    mine, theirs = (np.asarray(losses[:pairs], float) for losses in (ours, reference))
    if not (np.isfinite(mine).all() and np.isfinite(theirs).all()) or not theirs.all():
        raise UserError("Losses to compare must be numbers, and the reference's not 0: one of the lists has others.")
    difference = mine - theirs
    return Alignment(
        pairs,
        float((difference / theirs).mean()),
        float(difference.mean()),
        float(np.abs(difference / theirs).mean()),
        float(np.abs(difference).mean()),
        max(len(ours), len(reference)) - pairs,
    )


def losses_of_run(run: Run, by: str = "epoch") -> list[float]:
    """The training losses of a run, an epoch or a step each."""
    wanted = [record for record in run.records() if record["split"] == "train"]
    whole = [record["losses"]["loss"] for record in wanted if bool(record.get("complete")) == (by == "epoch")]
    if not whole:
        raise UserError(f"{run.name} has no training losses by {by} yet.")
    return [float("nan") if loss is None else loss for loss in whole]


def read_losses(path: Path, column: str = "loss") -> list[float]:
    """Losses from a log of any system: CSV with a header, JSON or JSON lines (mmengine), or printed text.

    `column` is the name of the value; in text it is the word before the number. A text of bare numbers is taken as it
    is.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"There is no run and no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no text that losses can be read from ({error}).") from None
    readers = (_from_json, _from_csv, _from_text, _from_numbers)
    found: list[float] = next(filter(None, (read(text, column) for read in readers)), [])
    if not found:
        raise UserError(f"{path} has no losses called {column!r}: name the column, key or printed word with --column.")
    return found


def _from_json(text: str, column: str) -> list[float]:
    """A list of objects, or an object a line; those without the key (such as validations) are passed over."""
    try:
        whole = json.loads(text)
        objects = whole if isinstance(whole, list) else [whole]
    except ValueError:
        objects = [_object(line) for line in text.splitlines()]
    values = [entry.get(column) for entry in objects if isinstance(entry, dict)]
    return [float(value) for value in values if isinstance(value, int | float)]


def _object(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _from_csv(text: str, column: str) -> list[float]:
    lines = text.splitlines()
    if not lines or not re.search(r"[,;\t]", lines[0]):
        return []
    delimiter = max(",;\t", key=lines[0].count)
    rows = csv.DictReader(lines, delimiter=delimiter)
    names = {name.strip(): name for name in rows.fieldnames or ()}
    if column not in names:
        return []
    return [float(row[names[column]]) for row in rows if (row[names[column]] or "").strip()]


def _from_text(text: str, column: str) -> list[float]:
    found = re.findall(PRINTED.format(column=re.escape(column)), text, flags=re.IGNORECASE)
    return [float(number) for number in found]


def _from_numbers(text: str, column: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return []

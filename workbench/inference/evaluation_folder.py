"""An evaluation on disk: what was counted, a table of pictures, a summary and a report; written whole, read again."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import UserError
from workbench.files import whole, write_whole
from workbench.inference.evaluation import Counted, Evaluation
from workbench.inference.scores import counted_of, picture_rows, summarise
from workbench.task import Task

COUNTED, SUMMARY, PICTURES, REPORT = "counted.npz", "summary.json", "pictures.csv", "report.html"


def save_evaluation(evaluation: Evaluation, folder: Path, page: str | None = None) -> None:
    """Write summary.json last, which names the evaluation as whole."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole(folder / COUNTED) as part, part.open("wb") as file:
        np.savez_compressed(file, names=np.array(evaluation.names), **counted_of(evaluation)._asdict())
    write_whole(folder / PICTURES, as_csv(picture_rows(evaluation)))
    if page is not None:
        write_whole(folder / REPORT, page)
    write_whole(folder / SUMMARY, json.dumps(summarise(evaluation), indent=1))


def load_evaluation(folder: Path) -> Evaluation:
    """What `save_evaluation` wrote."""
    summary = read_summary(folder)
    with np.load(folder / COUNTED, allow_pickle=False) as arrays:
        counted = Counted(**{name: arrays[name] for name in Counted._fields})
        names = tuple(arrays["names"].tolist())
    task = Task(**summary["task"])
    return Evaluation(task, summary["split"], summary["threshold"], summary["batch_iou"]["batch"], names, counted)


def read_summary(folder: Path) -> dict[str, Any]:
    """The scores alone."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no evaluation in {folder}; `workbench evaluate` makes one.") from None
    if summary["format"] != 1:
        raise UserError(f"{folder / SUMMARY} is of format {summary['format']}, newer than this version: update it.")
    return summary


def as_csv(rows: list[dict[str, Any]]) -> str:
    """A line a picture, in the order given; what is not known is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

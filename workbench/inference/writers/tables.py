"""Measurements of all pictures as two CSV files: a row an object, and a row a picture and class."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workbench.inference.measure import ObjectRow, PictureRow, measure_objects, summarise
from workbench.inference.prediction import Prediction
from workbench.inference.writers.files import replacing


class TableWriter:
    """objects.csv and pictures.csv, written when the last picture is done."""

    def __init__(self, out: Path):
        self._out = out
        self._objects: list[ObjectRow] = []
        self._pictures: list[PictureRow] = []

    def add(self, prediction: Prediction, base: Path) -> list[Path]:
        name = base.relative_to(self._out).as_posix() + prediction.slice_ending
        objects = measure_objects(prediction)
        self._objects += [row._replace(picture=name) for row in objects]
        self._pictures += [row._replace(picture=name) for row in summarise(prediction, objects)]
        return []

    def finish(self) -> list[Path]:
        written = []
        tables: tuple[tuple[str, type[NamedTuple], Sequence[Any]], ...] = (
            ("objects", ObjectRow, self._objects),
            ("pictures", PictureRow, self._pictures),
        )
        for name, kind, rows in tables:
            written.append(self._out / f"{name}.csv")
            titles = ["class" if field == "class_name" else field for field in kind._fields]
            _write(written[-1], titles, rows)
        return written


def _write(path: Path, titles: list[str], rows: Iterable[Sequence[Any]]) -> None:
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(titles)
        writer.writerows([f"{value:.6g}" if isinstance(value, float) else value for value in row] for row in rows)

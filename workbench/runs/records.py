"""Records: one JSON object a line, only ever appended, read on from a byte offset."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

Record = dict[str, Any]

RESUMED = "resumed_from"
"""The key of a record that takes back all records of later steps that stand before it."""


class Records(NamedTuple):
    """What was read, and where to go on reading."""

    records: list[Record]
    offset: int
    restarted: bool = False
    """The file is shorter than the offset asked for: another file, read from its beginning; forget what was before."""


def read_records(path: Path, offset: int = 0) -> Records:
    """The whole lines from a byte offset on; a line that is still being written is left for the next time."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            restarted = size < offset
            start = 0 if restarted else offset
            file.seek(start)
            whole = file.read().rpartition(b"\n")[0]
    except FileNotFoundError:
        return Records([], 0, restarted=offset > 0)
    if not whole:
        return Records([], start, restarted)
    records = [record for line in whole.split(b"\n") if (record := _parsed(line)) is not None]
    return Records(records, start + len(whole) + 1, restarted)


def _parsed(line: bytes) -> Record | None:
    """None for what a crash left of a line."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def current(records: Iterable[Record]) -> list[Record]:
    """The records that still hold: without those that a resumed run has left behind, or has made again.

    Given the result of before and new records, it gives the same as for all of them at once.
    """
    kept: dict[tuple, Record] = {}
    for record in records:
        if RESUMED in record:
            kept = {key: before for key, before in kept.items() if before["step"] <= record[RESUMED]}
        elif "step" in record:
            key = (record.get("split"), record["step"], record.get("complete", False))
            kept.pop(key, None)
            kept[key] = record
    return list(kept.values())


class RecordWriter:
    """Appends records to a file, each whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        if not self._ends_with_a_line():
            self._write(b"\n")  # ends what a crash has left, so that nothing is joined to it

    def append(self, record: Record) -> None:
        """Write one line; numbers that are none, such as nan, become null."""
        self._write(json.dumps(_plain(record), separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _ends_with_a_line(self) -> bool:
        size = os.lseek(self._file, 0, os.SEEK_END)
        if not size:
            return True
        os.lseek(self._file, -1, os.SEEK_END)
        return os.read(self._file, 1) == b"\n"

    def _write(self, line: bytes) -> None:
        end = os.lseek(self._file, 0, os.SEEK_END)
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, end)
            raise


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not isfinite(value) else value

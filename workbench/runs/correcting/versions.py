"""The corrected labels of a data set, version by version: whatever was drawn stays, and which one is in use is noted.

They lie beside the runs, since data may be for reading alone. Nothing is ever written over.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock

from workbench.config import DataConfig
from workbench.errors import UserError
from workbench.runs.datasets.known import FOLDER
from workbench.runs.files import full_disk_told
from workbench.runs.records import RecordWriter, read_records

ORIGINAL = 0
"""The number of the label that the data set came with."""
LABELS = "labels"


class Version(NamedTuple):
    """A label that was drawn, and how it came about."""

    number: int
    made: str
    """When, as ISO 8601."""
    begun_from: str
    """prediction, label (the one that the run was trained with), original, or `version 2`."""
    run: str
    """Whose model was looked at."""
    changed: int
    """Pixels that differ from the original."""
    note: str
    file: str


class Versions:
    """Those of one data set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "versions.jsonl"

    def of(self, picture: str) -> list[Version]:
        """The versions of a picture, the first one first; the original is not among them."""
        return self._read().get(picture, _Known()).versions

    def in_use(self, picture: str) -> int | None:
        """The number of the version that is in use; None for a picture that was never corrected here."""
        return self._read().get(picture, _Known()).in_use

    def all(self) -> dict[str, tuple[int, int | None]]:
        """How many versions each corrected picture has, and which one is in use."""
        return {picture: (len(known.versions), known.in_use) for picture, known in self._read().items()}

    def path(self, picture: str, number: int) -> Path:
        """The mask of a version."""
        for version in self.of(picture):
            if version.number == number:
                return self.folder / version.file
        raise UserError(f"{picture} has no version {number} of its label: choose one of its list.")

    def add(
        self, picture: str, ids: np.ndarray, *, made: str, begun_from: str, run: str, changed: int, note: str
    ) -> int:
        """Keep a new version, which is in use from now on."""
        from workbench.data.corrections import write_mask

        with full_disk_told(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock"):
                number = len(self.of(picture)) + 1
                path = self.folder / f"{_file_name(picture)}-{number}.tif"
                write_mask(path, ids)
                version = Version(number, made, begun_from, run, changed, note, path.name)
                self._append({"picture": picture, "version": version._asdict()})
        return number

    def use(self, picture: str, number: int) -> None:
        """Take another version, or the original, from now on."""
        if number != ORIGINAL:
            self.path(picture, number)
        with full_disk_told(self.folder), FileLock(self.folder / ".lock"):
            self._append({"picture": picture, "in_use": number})

    def write(self, pictures: Collection[str], before: str | None) -> Path | None:
        """The file of corrections that names what is in use now, for a training; None where there are none.

        Pictures that were never corrected here keep the masks of the file of corrections `before`. The file is called
        by what it holds and never changes, so that a run can be told by it later.
        """
        from workbench.data.corrections import read_corrections, write_corrections

        masks = read_corrections(before) if before else {}
        for picture, known in self._read().items():
            if known.in_use:
                masks[picture] = self.path(picture, known.in_use)
            elif known.in_use == ORIGINAL:
                masks.pop(picture, None)
        there = set(pictures)
        masks = {picture: path for picture, path in masks.items() if picture in there}
        if not masks:
            return None
        digest = _digest(json.dumps({picture: str(path) for picture, path in sorted(masks.items())}))
        file = self.folder / f"in-use-{digest}.json"
        with full_disk_told(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_corrections(file, masks)
        return file

    def _read(self) -> dict[str, _Known]:
        found: dict[str, _Known] = defaultdict(_Known)
        for record in read_records(self._file).records:
            known = found[record["picture"]]
            if "version" in record:
                version = Version(**record["version"])
                found[record["picture"]] = _Known([*known.versions, version], version.number)
            else:
                found[record["picture"]] = known._replace(in_use=record["in_use"])
        return found

    def _append(self, record: dict[str, object]) -> None:
        with closing(RecordWriter(self._file)) as writer:
            writer.append(record)


class _Known(NamedTuple):
    versions: list[Version] = []  # noqa: RUF012 - it is never added to
    in_use: int | None = None


def versions_of(data: DataConfig, runs: Path) -> Versions:
    """Those of the data set of a configuration; drawn pictures go by how they are drawn."""
    drawn = json.dumps(data.options, sort_keys=True) if data.drawn else ""
    path = data.path if data.drawn else str(Path(data.path).absolute())
    name = re.sub(r"[^\w.-]+", "-", Path(path).name, flags=re.ASCII).strip("-.") or "data"
    return Versions(runs / FOLDER / LABELS / f"{name}-{_digest(path + drawn)}")


def _file_name(picture: str) -> str:
    """One that tells pictures apart and that every file system takes."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', picture)[:60]}-{_digest(picture)}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()

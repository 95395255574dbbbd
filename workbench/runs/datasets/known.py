"""The data sets that may be named, and what was decided about each: a configuration beside the runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import count
from pathlib import Path

from workbench.config import DataConfig, RunConfig, load_config, save_config
from workbench.data.folders import data_folders
from workbench.errors import UserError

FOLDER = ".data"
"""Beside the runs; no run can be called so."""
UPLOADS = "uploads"
DRAWN = ("shapes", "shapes:multiclass", "shapes:multilabel")
"""Data sets that need no folder."""


class Datasets:
    """Whatever a page names is looked up here: folders in and below the roots, what was sent, and drawn pictures."""

    def __init__(self, runs: str | Path = "runs", roots: Iterable[Path] = ()) -> None:
        self.runs = Path(runs).absolute()
        self.roots = tuple(roots)

    @property
    def uploads(self) -> Path:
        """Where what is sent lies, a folder each; with the runs, since data roots may be for reading alone."""
        return self.runs / FOLDER / UPLOADS

    def folders(self) -> dict[str, Path]:
        """Names that are no paths, and the folders that they stand for."""
        sent = {name: folder for name, folder in data_folders([self.uploads]).items() if name != UPLOADS}
        return data_folders(self.roots) | {name: folder for name, folder in sent.items() if name.count("/") == 1}

    def path(self, name: object) -> str:
        """The path of a configuration."""
        if name in DRAWN:
            return str(name)
        folders = self.folders()
        if not isinstance(name, str) or name not in folders:
            raise UserError(f"There is no data set {name!r} here (any more): choose another one.")
        return str(folders[name])

    def name_of(self, folder: Path) -> str:
        """The name of a folder that was just received."""
        return next(name for name, known in self.folders().items() if known == folder.resolve())

    def is_sent(self, name: str) -> bool:
        """Whether it was sent to the app, and is no folder of a root."""
        folder = self.folders().get(name)
        return folder is not None and folder.parent == self.uploads.resolve()

    # --- what was decided ---

    def file(self, name: str) -> Path:
        """The configuration of a data set, whether it is there or not."""
        return self._file(self.path(name))

    def _file(self, path: str) -> Path:
        digest = hashlib.blake2b(path.encode(), digest_size=3).hexdigest()
        stem = re.sub(r"[^\w.-]+", "-", Path(path).name, flags=re.ASCII).strip("-.") or "data"
        return self.runs / FOLDER / f"{stem}-{digest}.yaml"

    def config(self, name: str) -> RunConfig:
        """What was decided, or else every knob at its default."""
        path = self.path(name)
        file = self._file(path)
        return _loaded(file, file.stat().st_mtime_ns) if file.is_file() else RunConfig(data=DataConfig(path=path))

    def decide(self, name: str, config: RunConfig) -> RunConfig:
        """Keep the configuration of a data set; the path stays what the name stands for."""
        path = self.path(name)
        decided = config.model_copy(update={"data": config.data.model_copy(update={"path": path})})
        file = self._file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        save_config(decided, file)
        return decided

    def forget(self, name: str) -> None:
        """Take back all that was decided; the files that mends wrote stay, since runs may go by them."""
        self.file(name).unlink(missing_ok=True)

    def file_of_check(self, name: str) -> Path:
        """What the doctor found last, whether it is there or not."""
        return self.file(name).with_suffix(".check.json")

    def file_of_mend(self, name: str) -> Path:
        """What the files of a new mend are called like; those of earlier ones are never written over."""
        file = self.file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        numbers = (file.with_name(f"{file.stem}-mend-{number}.yaml") for number in count(1))
        return next(path for path in numbers if not any(file.parent.glob(f"{path.stem}.*.json")))

    def decided(self) -> list[str]:
        """The data sets that something was decided about."""
        known = {name: str(folder) for name, folder in self.folders().items()} | {name: name for name in DRAWN}
        there = {path.name for path in (self.runs / FOLDER).glob("*.yaml")}
        return [name for name, path in known.items() if self._file(path).name in there]


@lru_cache(maxsize=64)
def _loaded(file: Path, changed: int) -> RunConfig:
    """`changed` is when it was written; views ask every second."""
    return load_config(file)

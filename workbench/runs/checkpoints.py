"""Checkpoints: states from which a training goes on exactly, and the best model.

A state is written whole into a folder of its own and only then named by last.json; the newest few are kept. Knows no
trainer: a state is what `torch.save` takes and reads back without running code from the file.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.models import SegmentationModel, save_model
from workbench.runs.files import ABOUT_BEST, BEST, LAST, read_json, write_json
from workbench.task import Task

STATE = "state.pt"
ABOUT = "about.json"


class Checkpoint(NamedTuple):
    """A state that was read back."""

    step: int
    state: dict[str, Any]
    fingerprint: str
    """Of the data that it was trained on."""


def save_checkpoint(folder: Path, step: int, state: dict[str, Any], fingerprint: str, keep: int) -> Path:
    """Write a state, name it as the newest, and take away all but the newest `keep`."""
    folder.mkdir(exist_ok=True)
    _sweep(folder)
    part = folder / f".step-{step}.{os.getpid()}.part"
    part.mkdir()
    try:
        with (part / STATE).open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        write_json(part / ABOUT, {"step": step, "fingerprint": fingerprint}, durable=True)
        target = _free_name(folder, step)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    write_json(folder / LAST, {"folder": target.name, "step": step}, durable=True)
    for old in _superfluous(folder, target, keep):
        _take_away(old)
    return target


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest state that can be read; None where there is none.

    Should the newest be damaged, the one before it serves.
    """
    problems = []
    for path in _newest_first(folder):
        about = read_json(path / ABOUT)
        try:
            state = torch.load(path / STATE, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            problems.append(f"{path.name}: {' '.join(str(error).split())[:120]}")
            continue
        assert about is not None
        return Checkpoint(about["step"], state, about["fingerprint"])
    if problems:
        raise UserError(f"No checkpoint in {folder} can be read ({'; '.join(problems)}): start a new run.")
    return None


def save_best(
    folder: Path, model: SegmentationModel, task: Task, preprocessing: Preprocessing, about: dict[str, Any]
) -> None:
    """Write the best model, ready for prediction, and what is known about it."""
    folder.mkdir(exist_ok=True)
    save_model(model, folder / BEST, task=task, preprocessing=preprocessing, source=about["source"])
    write_json(folder / ABOUT_BEST, about)


def _newest_first(folder: Path) -> list[Path]:
    """The whole states: the one that last.json names, then the others by their steps."""
    last = read_json(folder / LAST)
    named = last["folder"] if last else None
    return sorted(_whole(folder), key=lambda path: (path.name == named, _order(path)), reverse=True)


def _superfluous(folder: Path, newest: Path, keep: int) -> list[Path]:
    """All but the newest `keep`; and those of later steps, which a resumed run has left behind."""
    others = [path for path in _newest_first(folder) if path != newest]
    later = [path for path in others if _order(path) > _order(newest)]
    return later + [path for path in others if path not in later][max(keep - 1, 0) :]


def _whole(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("step-*") if (path / ABOUT).is_file())


def _order(path: Path) -> tuple[int, int]:
    """step-40-2 is the second state of step 40."""
    _, step, *again = path.name.split("-")
    return int(step), int(again[0]) if again else 1


def _free_name(folder: Path, step: int) -> Path:
    """Nothing is written over: the one that last.json names must stay whole until another is named."""
    target, number = folder / f"step-{step}", 1
    while target.exists():
        number += 1
        target = folder / f"step-{step}-{number}"
    return target


def _take_away(path: Path) -> None:
    """Renamed first, so that a half-deleted state never looks like a whole one."""
    gone = path.with_name(f".{path.name}.part")
    path.rename(gone)
    shutil.rmtree(gone)


def _sweep(folder: Path) -> None:
    """What a killed worker left."""
    for part in folder.glob(".step-*.part"):
        shutil.rmtree(part)

"""Mirrors of a run's losses and scores: TensorBoard event files, or any other tracker that Accelerate knows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers

from workbench.errors import UserError, choices
from workbench.runs.records import Record

PACKAGES = {"comet_ml": "comet-ml"}
"""What pip calls a tracker's package where it is not the tracker's name."""

PROJECT = "attention-unet-workbench"


class Mirrors:
    """The trackers of a run; those of a resumed one go on after the step that it was resumed from."""

    def __init__(self, names: tuple[str, ...], folder: Path, config: Mapping[str, Any], step: int = 0) -> None:
        check_trackers(names)
        self._trackers = [_start(name, folder, step) for name in names]
        for tracker in self._trackers:
            tracker.store_init_configuration(_flat(config))

    def tell(self, record: Record) -> None:
        """Pass a record of metrics.jsonl on."""
        values = {f"{record['split']}/{name}": value for name, value in _numbers(record).items()}
        for tracker in self._trackers:
            tracker.log(values, step=record["step"])

    def close(self) -> None:
        """Let them write what they still hold."""
        for tracker in self._trackers:
            tracker.finish()


def check_trackers(names: tuple[str, ...]) -> None:
    """Refuse a tracker that is unknown, or whose package is missing."""
    there = {str(name) for name in get_available_trackers()}
    known = {str(name) for name in LOGGER_TYPE_TO_CLASS}
    for name in names:
        if name not in known:
            raise choices("tracker", name, known)
        if name not in there:
            raise UserError(
                f"The tracker {name} needs a package that is not installed: pip install {PACKAGES.get(name, name)}, or "
                "leave it out of recording.trackers."
            )


def _start(name: str, folder: Path, step: int) -> GeneralTracker:
    kind = next(kind for known, kind in LOGGER_TYPE_TO_CLASS.items() if str(known) == name)
    if kind.requires_logging_directory:
        (folder / name).mkdir(exist_ok=True)
        resumed = {"purge_step": step + 1} if name == "tensorboard" and step else {}
        tracker = kind(folder.name, logging_dir=os.fspath(folder / name), **resumed)
    else:
        tracker = kind(PROJECT)
    tracker.start()
    return tracker


def _numbers(record: Record) -> dict[str, float]:
    """Losses and scores; those of whole epochs beside those of steps under another name."""
    suffix = "_epoch" if record.get("complete") and record["split"] == "train" else ""
    numbers = {**record["losses"], **record["metrics"], "learning_rate": record["learning_rate"]}
    return {f"{name}{suffix}": value for name, value in numbers.items() if value is not None}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Knobs by their dotted paths; what trackers cannot store as text."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, int | float | str | bool) else str(value)
    return flat

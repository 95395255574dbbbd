"""A run is a folder: whoever opens it, here or elsewhere, can read it, stop it and go on with it. Knows no torch."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from workbench.config import RunConfig, load_config, save_config
from workbench.errors import UserError, choices
from workbench.knobs import override
from workbench.runs.archive import pack
from workbench.runs.changes import refuse_another_run, with_whole_paths
from workbench.runs.files import ABOUT_BEST, BEST, LAST, full_disk_told, read_json
from workbench.runs.launch import ONE_HOST, Hosts, launch
from workbench.runs.naming import new_folder
from workbench.runs.records import Record, Records, current, read_records
from workbench.runs.status import State, Status, read_status, seen_now, write_status

if TYPE_CHECKING:
    from workbench.runs.previews import Previews

CONFIG = "config.yaml"

PATIENCE = 5.0
"""Seconds in which a worker that has told its end, or somebody who only looks for one, has let go of the lock."""


@dataclass(frozen=True)
class Run:
    """One training and all that is known of it."""

    folder: Path

    @classmethod
    def create(cls, config: RunConfig, runs: str | Path = "runs", name: str | None = None) -> Run:
        """A new folder in `runs`; nothing is started yet."""
        with full_disk_told(Path(runs)):
            run = cls(new_folder(Path(runs), name, config.model.name))
            save_config(with_whole_paths(config), run.folder / CONFIG)
            run.checkpoints.mkdir()
            run._note("stopped", "Not started yet.")
        return run

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """A run that is there, wherever it was made."""
        folder = Path(folder).absolute()
        if not (folder / CONFIG).is_file():
            raise UserError(f"{folder} is not the folder of a run: `workbench runs` lists those that there are.")
        run = cls(folder)
        run.status()  # refuses a newer format
        return run

    @classmethod
    def start(
        cls,
        config: RunConfig,
        runs: str | Path = "runs",
        name: str | None = None,
        *,
        devices: int | str | None = None,
        hosts: Hosts = ONE_HOST,
    ) -> Run:
        """Create a run and begin to train it in the background; returns at once.

        `devices` is the knob training.hardware.devices: 2 trains on two devices, or in two processes on the CPU.
        """
        if devices is not None:
            config = override(config, {"training.hardware.devices": devices})
        run = cls.create(config, runs, name)
        run.launch(hosts)
        return run

    # --- reading ---

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def created(self) -> float:
        """When it was made, in seconds since 1970."""
        status = read_status(self._status_file)
        return status.created if status and status.created else (self.folder / CONFIG).stat().st_mtime

    @property
    def config(self) -> RunConfig:
        """What was asked."""
        return load_config(self.folder / CONFIG)

    def status(self) -> Status:
        """How it is now; lost if its worker died without a word."""
        status = read_status(self._status_file)
        if status is None:
            return Status("stopped", self.folder.stat().st_mtime, "", detail="Nothing is known of its state.")
        seen = seen_now(status)
        if seen.state != "lost" or not self.is_at_work():  # else the one that started several finds out what happened
            status = seen
        return replace(status, state="stopping") if not status.ended and self._stop_file.exists() else status

    def history(self, offset: int = 0) -> Records:
        """The records of metrics.jsonl from a byte offset on, as they were written; see `current` for resumed runs."""
        return read_records(self.folder / "metrics.jsonl", offset)

    def records(self) -> list[Record]:
        """All records that hold, without those that a resumed run has left behind."""
        return current(self.history().records)

    def system(self, offset: int = 0) -> Records:
        """What the devices did, from a byte offset of system.jsonl on."""
        return read_records(self.folder / "system.jsonl", offset)

    def best(self) -> dict[str, Any] | None:
        """Epoch, step, score, losses and metrics of the best model; None while there is none."""
        return read_json(self.checkpoints / ABOUT_BEST)

    @property
    def checkpoints(self) -> Path:
        """The folder of the states and of the best model."""
        return self.folder / "checkpoints"

    @property
    def best_model(self) -> Path:
        """The file for `load_model`."""
        return self.checkpoints / BEST

    @property
    def last_step(self) -> int | None:
        """The step of the newest checkpoint; None while there is none."""
        last = read_json(self.checkpoints / LAST)
        return last["step"] if last else None

    @property
    def previews(self) -> Previews:
        """The maps of a few validation pictures, epoch after epoch."""
        from workbench.runs.previews import Previews  # lists of runs need no numpy

        return Previews(self.folder / "previews")

    def environment(self) -> list[dict[str, Any]]:
        """Versions, hardware, seeds and data of each start, the latest last."""
        return (read_json(self.folder / "environment.json") or {"starts": []})["starts"]

    @property
    def log(self) -> Path:
        """What the worker printed."""
        return self.folder / "log.txt"

    # --- doing ---

    def launch(self, hosts: Hosts = ONE_HOST) -> None:
        """Start the worker in the background; it goes on from the last checkpoint if there is one."""
        self._refuse_if_at_work()
        self._stop_file.unlink(missing_ok=True)
        with full_disk_told(self.folder):
            self._note("queued", "Starting.")
        launch(self.folder, self.config.training.hardware, hosts)

    def resume(self, changes: Mapping[str, Any] | None = None, hosts: Hosts = ONE_HOST) -> None:
        """Go on in the background, with some knobs changed: {"epochs": 100} for a longer training."""
        self._refuse_if_at_work()
        config = self.config
        changed = with_whole_paths(override(config, changes or {}))
        refuse_another_run(config, changed)
        if self.status().state == "finished" and changed.training == config.training:
            raise UserError(f"{self.name} has done all of its training: give it more with --epochs, or a new run.")
        if self.status().state == "finished" and self.last_step is None:
            raise UserError(
                f"{self.name} has no state to go on from: start a new run with its configuration, and with "
                f"--model.weights {self.best_model} if it is to begin from its model."
            )
        if changed != config:
            with full_disk_told(self.folder):
                save_config(changed, self.folder / CONFIG)
        self.launch(hosts)

    def request_stop(self) -> None:
        """Let it end after the step at work, with its best model and a state to go on from."""
        if not self.status().ended:
            self._stop_file.touch()

    def wait(self, seconds: float | None = None) -> Status:
        """Until it has ended, or so long."""
        until = None if seconds is None else time.monotonic() + seconds
        while not (status := self.status()).ended and (until is None or time.monotonic() < until):
            time.sleep(0.2)
        return status

    def delete(self) -> None:
        """Remove the folder with everything in it."""
        self._refuse_if_at_work()
        gone = self.folder.with_name(f".{self.name}.deleted")
        self.folder.rename(gone)
        shutil.rmtree(gone)

    def export(self, to: str | Path, progress: Callable[[int, int], None] | None = None) -> None:
        """Pack it into a ZIP, whole or not at all; unpacked anywhere, the folder in it opens as this one does."""
        self._refuse_if_at_work()
        with full_disk_told(Path(to).absolute().parent):
            pack(self.folder, Path(to), progress)

    @property
    def _stop_file(self) -> Path:
        return self.folder / "stop"

    def lock(self) -> FileLock:
        """Held by the worker as long as it lives."""
        return FileLock(self.folder / ".lock")

    def is_at_work(self, patience: float = 0.0) -> bool:
        """Whether a worker holds it, as the system of this machine knows at once, and still does after some seconds."""
        try:
            with self.lock().acquire(timeout=patience):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that may only be read holds no worker
            return False

    def _refuse_if_at_work(self) -> None:
        if self.is_at_work() and not (self.status().ended and not self.is_at_work(PATIENCE)):
            raise UserError(f"{self.name} is at work: stop it first, with `workbench runs stop {self.name}`.")

    def _note(self, state: State, detail: str) -> None:
        """What is known before the worker takes over."""
        now = time.time()
        before = read_status(self._status_file) or Status(state, now, "", created=now)
        anew: dict[str, Any] = {"state": state, "heartbeat": now, "host": socket.gethostname()}
        nobody: dict[str, Any] = {"pid": None, "process_started": None, "eta": None, "error": ""}
        write_status(self._status_file, replace(before, **anew, **nobody, detail=detail))

    @property
    def _status_file(self) -> Path:
        return self.folder / "status.json"


def list_runs(runs: str | Path = "runs") -> list[Run]:
    """The runs of a folder, the newest first."""
    folder = Path(runs).absolute()
    paths = [path for path in folder.iterdir() if _is_run(path)] if folder.is_dir() else []
    return sorted(map(Run, paths), key=_age_of, reverse=True)


def find_run(name: str, runs: str | Path = "runs") -> Run:
    """A run by its name in the folder of runs, or by the path of its own."""
    known = {run.name: run for run in list_runs(runs)}
    if name in known:
        return known[name]
    if (Path(name) / CONFIG).is_file():
        return Run.open(name)
    if not known:
        raise UserError(f"There is no run {name!r}: {Path(runs).absolute()} holds none; name their folder with --runs.")
    raise choices("run", name, known)


def _is_run(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and not folder.name.startswith(".")


def _age_of(run: Run) -> float:
    with suppress(UserError):  # one that cannot be read is listed too
        return run.created
    return 0.0

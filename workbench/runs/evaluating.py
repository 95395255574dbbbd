"""An evaluation in a process of its own, `python -m workbench.runs.evaluating RUN ASKED`, which outlives any page.

It waits for its device in the queue of the trainings. How far it is stands in a file beside what it will write. Nothing
of an earlier evaluation is touched before the new one is whole, so it may be stopped or killed at any time and begun
again.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from workbench.errors import UserError
from workbench.runs.evaluated import BEST, evaluation_folder
from workbench.runs.files import disk_is_full, full_disk_told
from workbench.runs.launch import start_in_background
from workbench.runs.processes import this_process
from workbench.runs.queue import name_in_queue, turn, waiting_told
from workbench.runs.run import Run
from workbench.runs.status import Status, read_status, seen_now, write_status

MODULE = "workbench.runs.evaluating"
BETWEEN = 0.3
"""Seconds at least between two lines of progress."""


class Asked(NamedTuple):
    """What is to be evaluated, and how."""

    split: str = "test"
    checkpoint: str = BEST
    threshold: float = 0.5
    data: str | None = None
    """Where the pictures lie now, if they have moved."""
    device: str = "auto"


class StopRequestedError(Exception):
    """Somebody asked it to end."""


def start_evaluation(run: Run, asked: Asked) -> None:
    """Begin in the background; `evaluation_status` tells how far it is."""
    folder = evaluation_folder(run, asked.split, asked.checkpoint)
    status = evaluation_status(run, asked.split, asked.checkpoint)
    if status is not None and not status.ended:
        raise UserError(f"{run.name} is being evaluated on {asked.split} just now: wait for it, or stop it first.")
    if not run.best_model.is_file():
        raise UserError(f"{run.name} has no best model yet: let it finish a validation first.")
    with full_disk_told(run.folder):
        folder.mkdir(parents=True, exist_ok=True)
        _stop_file(folder).unlink(missing_ok=True)
        write_status(_status_file(folder), Status("queued", time.time(), socket.gethostname(), detail="Starting."))
        (folder / "log.txt").unlink(missing_ok=True)
        command = [sys.executable, "-m", MODULE, str(run.folder), json.dumps(asked._asdict())]
        start_in_background(command, folder / "log.txt")


def stop_evaluation(run: Run, split: str, checkpoint: str = BEST) -> None:
    """Let it end after the batch at work; the evaluation of before stays."""
    status = evaluation_status(run, split, checkpoint)
    if status is not None and not status.ended:
        _stop_file(evaluation_folder(run, split, checkpoint)).touch()


def evaluation_status(run: Run, split: str, checkpoint: str = BEST) -> Status | None:
    """How the latest one is: `step` of `total` pictures; None where none was started in the background."""
    status = read_status(_status_file(evaluation_folder(run, split, checkpoint)))
    if status is None:
        return None
    seen = seen_now(status)
    return replace(seen, detail="Its process is gone without a word; evaluate again.") if seen.state == "lost" else seen


def main(folder: str, words: str) -> int:
    """Evaluate; the exit status."""
    run, asked = Run.open(folder), Asked(**json.loads(words))
    target = evaluation_folder(run, asked.split, asked.checkpoint)
    try:
        with FileLock(target / ".lock").acquire(timeout=5):
            return _evaluate(run, asked, _Reporter(target))
    except Timeout:
        print(f"error: another process evaluates {run.name} on {asked.split}.", file=sys.stderr)
        return 1


def _evaluate(run: Run, asked: Asked, reporter: _Reporter) -> int:
    reporter.tell(state="queued", detail="Starting.")
    try:
        # Seconds of importing.
        from workbench.inference.backend import find_device
        from workbench.runs.evaluation import evaluate_run

        device = find_device(asked.device)
        with turn([name_in_queue(device.type, device.index)], _in_queue(run, asked), reporter.waiting):
            reporter.tell(state="preparing", detail="Loading the model.")
            evaluate_run(run, **asked._asdict(), progress=reporter.evaluated, preparing=reporter.prepared)
    except StopRequestedError:
        reporter.tell(state="stopped", detail="Stopped; what was evaluated before is as it was.")
    except UserError as error:
        return _fail(reporter, str(error))
    except Exception as error:
        if disk_is_full(error):
            return _fail(reporter, f"The disk of {run.folder} is full: make room, then evaluate again.")
        from workbench.runs.helper import mistake_of_ours  # which knows torch

        _fail(reporter, mistake_of_ours(error, "", str(reporter.folder / "log.txt")))
        raise
    else:
        reporter.tell(state="finished", detail="")
    return 0


def _in_queue(run: Run, asked: Asked) -> str:
    """What those read who wait behind it."""
    return f"the evaluation of {run.name} on {asked.split}"


def _fail(reporter: _Reporter, sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    reporter.tell(state="failed", error=sentence, detail="")
    return 1


class _Reporter:
    """Writes the status, and hears of a wish to stop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        process = this_process()
        self._status = Status("preparing", time.time(), process.host, time.time(), process.pid, process.started)

    def waiting(self, device: str, ahead: list[str]) -> None:
        self._progress(False, state="queued", detail=waiting_told(device, ahead))

    def prepared(self, done: int, total: int) -> None:
        self._progress(done == total, state="preparing", detail="Preparing pictures.", step=done, total=total)

    def evaluated(self, done: int, total: int) -> None:
        detail = "Writing the report." if done == total else "Evaluating."
        self._progress(done == total, state="running", detail=detail, step=done, total=total)

    def _progress(self, last: bool, **changes: Any) -> None:
        if _stop_file(self.folder).exists():
            raise StopRequestedError
        if last or time.time() - self._status.heartbeat >= BETWEEN:
            self.tell(**changes)

    def tell(self, **changes: Any) -> None:
        self._status = replace(self._status, heartbeat=time.time(), **changes)
        write_status(_status_file(self.folder), self._status)


def _status_file(folder: Path) -> Path:
    return folder / "status.json"


def _stop_file(folder: Path) -> Path:
    return folder / "stop"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""The process that fills a run's folder: `python -m workbench.runs.worker FOLDER`. All training happens here.

It ends with status 0 when the run has finished or was stopped, and with 1 when it failed; the status tells why.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

from filelock import Timeout

from workbench.errors import UserError
from workbench.runs.files import disk_is_full
from workbench.runs.reporter import Reporter, StopRequestedError
from workbench.runs.run import Run

PATIENCE = 3.0
"""Seconds in which somebody who only looks whether a worker is there has let go of the lock."""


def main(folder: str) -> int:
    """Work on a run until it has ended; the exit status."""
    run = Run.open(folder)
    if int(os.environ.get("RANK", "0")):
        return _help(run)
    try:
        with run.lock().acquire(timeout=PATIENCE):
            return _work(run)
    except Timeout:
        print(f"error: another process is at work on {run.name}.", file=sys.stderr)
        return 1


def _work(run: Run) -> int:
    print(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}, process {os.getpid()}")
    reporter = Reporter(run.folder / "status.json", run.folder / "system.jsonl", run.folder / "stop")
    _listen(reporter)
    try:
        reporter.start()
        from workbench.runs.conduct import conduct  # seconds of importing, of which the status tells by now

        state, detail = conduct(run, reporter)
        reporter.end(state, detail=detail)
    except StopRequestedError:
        reporter.end("stopped", detail="Stopped before the training began.")
    except UserError as error:
        return _fail(reporter, str(error))
    except Exception as error:
        if disk_is_full(error):
            return _fail(reporter, _full_disk(run))
        kind = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        _fail(reporter, f"A mistake of the workbench itself, not yours ({kind}): {run.log} has the details.")
        raise
    return 0


def _help(run: Run) -> int:
    """Another device's process of the same training: it trains along, and tells nothing."""
    from workbench.runs.conduct import train_along

    train_along(run)
    return 0


def _listen(reporter: Reporter) -> None:
    """SIGTERM (a machine that is about to be taken away) and Ctrl-C ask for the same end as the stop file."""
    worker = os.getpid()

    def stop(signal_number: int, frame: FrameType | None) -> None:
        if os.getpid() != worker:  # a loader's process, which has inherited this
            sys.exit(128 + signal_number)
        reporter.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _fail(reporter: Reporter, sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    reporter.end("failed", error=sentence, detail="")
    return 1


def _full_disk(run: Run) -> str:
    step = run.last_step
    kept = f"its checkpoint of step {step} is whole" if step is not None else "there is no checkpoint yet"
    return f"The disk of {run.folder} is full, so the run has ended; {kept}. Make room, then resume it."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

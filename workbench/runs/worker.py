"""The process that fills a run's folder: `python -m workbench.runs.worker FOLDER`. All training happens here.

It ends with status 0 when the run has finished or was stopped, and with 1 when it failed; the status tells why.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING

from filelock import Timeout

from workbench.errors import UserError
from workbench.runs.files import disk_is_full
from workbench.runs.launch import LED
from workbench.runs.processes import end_with
from workbench.runs.reporter import Reporter, StopRequestedError
from workbench.runs.run import PATIENCE, Run

if TYPE_CHECKING:
    from workbench.runs.company import Company


def main(folder: str) -> int:
    """Work on a run until it has ended; the exit status."""
    run = Run.open(folder)
    if leader := os.environ.get(LED):
        end_with(int(leader))
    if int(os.environ.get("RANK", "0")):
        from workbench.runs.helper import main as train_along

        return train_along(run.folder.parent)
    if leader:  # which holds the lock
        return _work(run)
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
    reporter.start()
    members = None
    try:
        # Seconds of importing, of which the status tells by now.
        from workbench.runs.company import Company
        from workbench.runs.conduct import conduct

        members = Company.of_this_process()
        state, detail = conduct(run, reporter, members)
        reporter.end(state, detail=detail)
    except StopRequestedError:
        reporter.end("stopped", detail="Stopped before the training began.")
        if members:
            members.part()
    except UserError as error:
        return _fail(reporter, members, str(error))
    except Exception as error:
        if disk_is_full(error):
            return _fail(reporter, members, _full_disk(run))
        _fail_by_mistake(run, reporter, members, error)
        raise
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


def _fail(reporter: Reporter, members: Company | None, sentence: str) -> int:
    if members:
        sentence = members.fail(sentence)
    print(f"error: {sentence}", file=sys.stderr)
    reporter.end("failed", error=sentence, detail="")
    return 1


def _fail_by_mistake(run: Run, reporter: Reporter, members: Company | None, error: Exception) -> None:
    """Of ours, or only because another process is gone: then the one that started them all tells why."""
    from workbench.runs.company import is_a_consequence
    from workbench.runs.helper import mistake_of_ours

    if members and LED in os.environ and is_a_consequence(error):
        return
    _fail(reporter, members, mistake_of_ours(error, "", str(run.log)))


def _full_disk(run: Run) -> str:
    step = run.last_step
    kept = f"its checkpoint of step {step} is whole" if step is not None else "there is no checkpoint yet"
    return f"The disk of {run.folder} is full, so the run has ended; {kept}. Make room, then resume it."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

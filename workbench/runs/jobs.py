"""Long work in a thread of this process: it goes on whatever becomes of the page, and can be stopped.

Nothing is lost by stopping: preparing goes on where it was, and looking at pictures changes nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from workbench.errors import UserError

T = TypeVar("T")
Progress = Callable[[int, int], None]
State = Literal["waiting", "running", "finished", "stopped", "failed"]


class Stopped(Exception):  # noqa: N818 - it is no error
    """Raised within work that somebody stopped."""


@dataclass
class Job:
    """One piece of work, as far as it is."""

    title: str
    state: State = "waiting"
    done: int = 0
    total: int = 0
    error: str = ""
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    """It took, or has taken so far."""
    stop_asked: bool = False

    @property
    def at_work(self) -> bool:
        return self.state in ("waiting", "running")

    def tell(self, done: int, total: int) -> None:
        """The progress of the work; where it was stopped, this ends it."""
        self.done, self.total = done, total
        self.seconds = time.monotonic() - self.began
        if self.stop_asked:
            raise Stopped


class Jobs:
    """The last job of each key; all of them take turns."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def get(self, key: str) -> Job | None:
        return self._jobs.get(key)

    def start(self, key: str, title: str, work: Callable[[Progress], T], done: Callable[[T], None]) -> Job:
        """Do the work and hand its result to `done`; refused while this key has work going on."""
        with self._lock:
            self.refuse_at_work(key)
            job = self._jobs[key] = Job(title)
        threading.Thread(target=self._run, args=(job, work, done), name=title, daemon=True).start()
        return job

    def refuse_at_work(self, key: str) -> None:
        """Raise a sentence while this key has work going on."""
        job = self._jobs.get(key)
        if job and job.at_work:
            raise UserError(f"{job.title} is not done yet: wait for it, or stop it.")

    def stop(self, key: str) -> None:
        """At the next picture."""
        if job := self._jobs.get(key):
            job.stop_asked = True

    def _run(self, job: Job, work: Callable[[Progress], T], done: Callable[[T], None]) -> None:
        with self._turn:
            job.began, job.state = time.monotonic(), "running"
            state: State = "failed"
            try:
                job.tell(0, 0)
                done(work(job.tell))
                state = "finished"
            except Stopped:
                state = "stopped"
            except UserError as error:
                job.error = str(error)
            finally:  # what nobody foresaw ends the thread with a traceback, and the job all the same
                job.error = job.error or (
                    "Something went wrong; the app's log tells what." if state == "failed" else ""
                )
                job.seconds = time.monotonic() - job.began
                job.state = state

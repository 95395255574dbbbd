"""Watching a run from the terminal: a bar while it works, a line an epoch, and Ctrl-C to stop it properly."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from workbench.runs.records import RESUMED, Record
from workbench.runs.run import Run
from workbench.runs.status import Status

POLL = 0.3
SCORES = ("dice", "jaccard")


def watch(run: Run, offset: int, enough: Callable[[], bool] = lambda: False) -> Status:
    """Show what is recorded from a byte offset on, until the run has ended, or has done enough and is stopped.

    Ctrl-C or SIGTERM (a machine that is about to be taken away) stops it; a second one leaves it alone.
    """
    screen = Screen(run, offset, enough)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        try:
            return screen.follow()
        except KeyboardInterrupt:
            run.request_stop()
            screen.say(
                "\nStopping after this step, with the best model and the state kept. (Ctrl-C again: do not wait.)"
            )
            screen.follow()
            raise
    finally:
        signal.signal(signal.SIGTERM, before)
        screen.close()


def tell_end(run: Run, status: Status) -> None:
    """What became of it; ends with status 1 where that is a failure."""
    best = run.best()
    if best:
        score = f", {best['by']} {best['score']:.4f}" if best.get("score") is not None else f" ({best['by']})"
        print(f"Best model: epoch {best['epoch']}{score}: {run.best_model}")
    if status.state in ("failed", "lost"):
        print(f"error: {status.error or status.detail}", file=sys.stderr)
        raise SystemExit(1)
    if status.state == "stopped":
        print(f"Stopped at step {status.step} of {status.total}; go on with: workbench runs resume {run.name}")
    else:
        print(f"{status.detail or 'Finished.'} The curves as a picture: workbench runs plot {run.name}")


class Screen:
    """What is shown of a run: the bar only where somebody looks at it live."""

    def __init__(self, run: Run, offset: int, enough: Callable[[], bool]) -> None:
        self.run = run
        self.enough = enough
        self.offset = offset
        self.detail = "Starting."
        self.losses: dict[str, float] = {}
        self.bar: tqdm | None = None

    def follow(self) -> Status:
        """Show what happens until nothing more does."""
        while True:
            status = self.run.status()
            self._show(status)
            if status.ended:
                return status
            if self.enough():
                self.run.request_stop()
            time.sleep(POLL)

    def say(self, sentence: str) -> None:
        """A line above the bar."""
        tqdm.write(sentence)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _show(self, status: Status) -> None:
        if status.detail != self.detail and status.state in ("queued", "preparing"):
            self.say(status.detail)
        self.detail = status.detail
        news = self.run.history(self.offset)
        self.offset = news.offset
        for record in news.records:
            self._show_record(record)
        self._move_bar(status)

    def _show_record(self, record: Record) -> None:
        if RESUMED in record:
            self.say(f"Going on from step {record[RESUMED]}.")
            return
        for note in record.get("notes", ()):
            self.say(f"note: {note}")
        if record.get("complete"):
            self.say(line_of(record))
        else:
            self.losses = record["losses"]

    def _move_bar(self, status: Status) -> None:
        preparing = status.state == "preparing"
        done, total = (status.prepared, status.pictures) if preparing else (status.step, status.total)
        if not total or status.ended or status.state == "queued":
            self.close()
            return
        title = "preparing" if preparing else f"epoch {status.epoch}/{status.epochs}"
        if self.bar is None or self.bar.total != total or self.bar.n > done:
            self.close()
            form = "{desc}: {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
            self.bar = tqdm(total=total, bar_format=form, disable=None, leave=False)
        self.bar.set_description_str(title, refresh=False)
        self.bar.set_postfix_str(self._figures(status), refresh=False)
        self.bar.n = done
        self.bar.refresh()

    def _figures(self, status: Status) -> str:
        figures = [f"{name} {value:.4f}" for name, value in self.losses.items() if value is not None]
        if status.images_per_second:
            figures.append(f"{status.images_per_second:.1f} images/s")
        if status.eta is not None:
            figures.append(f"{tqdm.format_interval(status.eta)} left")
        return ", ".join(figures)


def line_of(record: Record) -> str:
    """A whole pass in a line."""
    scores = {name: record["metrics"][name] for name in SCORES if name in record["metrics"]}
    numbers = {name: value for name, value in {**record["losses"], **scores}.items() if value is not None}
    told = "  ".join(f"{name} {value:.4f}" for name, value in numbers.items())
    return f"epoch {record['epoch']:>3}  {record['split']}  {told}{'  best so far' if record.get('best') else ''}"

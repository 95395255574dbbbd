"""What live views ask of a run: how it is, and its curves from a byte offset on; plain values, as JSON has them."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from workbench.plots import Series, live_series, scores_of
from workbench.runs.records import RESUMED, current
from workbench.runs.run import Run
from workbench.runs.status import State, Status

Answer = dict[str, Any]

MOST_POINTS = 1500
"""Of one line, as it is sent."""
LOG_TAIL = 6000
"""Bytes of the log's end that are shown."""

NEXT: dict[State, str] = {
    "stopped": "Resume goes on where it stopped.",
    "failed": "Mend what it names, then resume, or start another run.",
    "lost": "Resume goes on from its last checkpoint.",
    "finished": "Extend gives it more epochs.",
}
"""What can be done with a run that has ended."""


def progress(run: Run, mark: str = "") -> Answer:
    """The status, the best model so far and the log's tail; of what has not changed since `mark` only the mark."""
    status, best = run.status(), run.best()
    can_go_on = status.ended and (status.state != "finished" or run.last_step is not None)
    answer = {
        **_figures(status),
        "at_work": not status.ended,
        "can_go_on": can_go_on,
        "next": NEXT.get(status.state, "") if can_go_on else "",
        "best": None if best is None else {"epoch": best["epoch"], "by": best["by"], "score": best.get("score")},
        "log": _tail(run),
    }
    new = hashlib.blake2b(json.dumps(answer).encode(), digest_size=6).hexdigest()
    return {"mark": mark} if new == mark else {**answer, "mark": new}


def _figures(status: Status) -> Answer:
    names = ("state", "detail", "error", "device", "epoch", "epochs", "step", "total", "prepared", "pictures")
    return {
        **{name: getattr(status, name) for name in names},
        "seconds_left": None if status.eta is None else round(status.eta),
        "images_per_second": round(status.images_per_second, 1),
    }


def _tail(run: Run) -> str:
    try:
        with run.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_TAIL))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return text if size <= LOG_TAIL else text.partition("\n")[2]


def curves(run: Run, offset: int = 0, score: str = "dice", most: int = MOST_POINTS) -> Answer:
    """The lines from a byte offset on; `anew` says that what was before no longer holds and all is in the answer."""
    news = run.history(offset)
    anew = not offset or news.restarted or any(RESUMED in record for record in news.records)
    if anew and offset:
        news = run.history()
    if not anew and not news.records:
        return {"offset": news.offset}
    records = current(news.records) if anew else news.records
    lines = [_plain(line) for line in live_series(records, score, most)]
    return {"offset": news.offset, "anew": anew, "lines": lines, "scores": scores_of(records)}


def _plain(line: Series) -> Answer:
    return {
        "panel": line.panel,
        "name": line.name,
        "x": [int(step) for step in line.steps],
        "y": [float(f"{value:.5g}") for value in line.values],
    }

"""One run a device at a time: a lock that the system takes back when its holder dies, and tickets that make a queue."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from workbench.files import write_whole
from workbench.runs.processes import is_there, this_process

POLL = 0.5
"""Seconds between two looks at the queue."""

WaitingFor = Callable[[str, list[str]], None]
"""Told the device and who is ahead, the one that holds it first; gives up the waiting by raising."""


def queue_folder() -> Path:
    """Of this user on this machine; the variable WORKBENCH_QUEUE names another one."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    default = Path(tempfile.gettempdir()) / f"attention-unet-workbench-queue-{user}"
    return Path(os.environ.get("WORKBENCH_QUEUE") or default)


def name_in_queue(kind: str, index: int | None = None) -> str:
    """A device by the name that all processes know it by, whichever of them CUDA_VISIBLE_DEVICES shows."""
    if kind == "cpu":
        return kind
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if kind == "cuda" else []
    shown = dict(enumerate(filter(None, map(str.strip, visible))))
    return f"{kind}:{shown.get(index or 0, index or 0)}"


def waiting_told(device: str, ahead: Sequence[str]) -> str:
    """A sentence for who waits."""
    place = f" behind {', '.join(ahead)}: number {len(ahead)} in the queue" if ahead else ""
    return f"Waiting for {device}{place}."


@contextmanager
def turn(devices: Sequence[str], name: str, waiting: WaitingFor) -> Iterator[None]:
    """Hold the devices, after those who came before; always taken in the same order, so that nobody waits in a ring."""
    with ExitStack() as stack:
        for device in sorted(devices):
            stack.enter_context(_turn(device, name, waiting))
        yield


@contextmanager
def _turn(device: str, name: str, waiting: WaitingFor) -> Iterator[None]:
    folder = queue_folder() / device.replace(":", "-").replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(folder / "lock")
    ticket = _draw_ticket(folder, name)
    try:
        while not _is_first(ticket) or not _taken(lock):
            waiting(device, _ahead_of(ticket))
            time.sleep(POLL)
        yield
    finally:
        ticket.unlink(missing_ok=True)
        lock.release()


def _draw_ticket(folder: Path, name: str) -> Path:
    """A file whose name sorts by time and whose content tells whose it is."""
    me = this_process()
    ticket = folder / f"{time.time_ns():020d}-{me.pid}.json"
    write_whole(ticket, json.dumps({"name": name, "pid": me.pid, "started": me.started}))
    return ticket


def _is_first(ticket: Path) -> bool:
    return not _ahead_of(ticket)


def _ahead_of(ticket: Path) -> list[str]:
    """The names on the tickets of living processes that were drawn before; the first one holds the device."""
    earlier = sorted(path for path in ticket.parent.glob("*.json") if path.name < ticket.name)
    return [name for path in earlier if (name := _living(path)) is not None]


def _living(ticket: Path) -> str | None:
    """Whose ticket it is; one of the dead is thrown away."""
    try:
        owner = json.loads(ticket.read_text(encoding="utf-8"))
    except FileNotFoundError:  # returned just now
        return None
    if is_there(owner["pid"], owner["started"]):
        return owner["name"]
    ticket.unlink(missing_ok=True)
    return None


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True

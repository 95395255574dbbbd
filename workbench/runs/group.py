"""Starts the processes of a training on one host, watches over them, and has the last word about why they ended.

`python -m workbench.runs.group FOLDER HOSTS` leads the run of a folder; on the other hosts `--join` comes before what
they know themselves. The processes are brought together by torch's own launcher, on GPUs and CPUs alike, each with one
device.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

import psutil
import torch
from filelock import Timeout
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from workbench.config import HardwareConfig
from workbench.data.cores import usable_cores
from workbench.errors import UserError
from workbench.runs import company
from workbench.runs.company import Company
from workbench.runs.launch import HELPER, LED, WORKER, Hosts
from workbench.runs.meeting import ALONE_AT, await_hosts, meet, open_store
from workbench.runs.processes import this_process
from workbench.runs.run import PATIENCE, Run
from workbench.runs.status import read_status, write_status

FOR_OTHERS = 10.0
"""Seconds in which the processes of other hosts end after those of this one."""

VISIBLE = {
    "cuda": "CUDA_VISIBLE_DEVICES",
    "npu": "ASCEND_RT_VISIBLE_DEVICES",
    "xpu": "ZE_AFFINITY_MASK",
    "musa": "MUSA_VISIBLE_DEVICES",
    "sdaa": "SDAA_VISIBLE_DEVICES",
    "mlu": "MLU_VISIBLE_DEVICES",
}
"""The variable by which each kind of accelerator shows some of its devices to a process."""


def lead(folder: str, hosts: Hosts) -> int:
    """Fill a run with several processes; the exit status."""
    run = Run.open(folder)
    try:
        with run.lock().acquire(timeout=PATIENCE):
            return _lead(run, hosts)
    except Timeout:
        print(f"error: another process is at work on {run.name}.", file=sys.stderr)
        return 1


def _lead(run: Run, hosts: Hosts) -> int:
    print(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}, process {os.getpid()}, which starts the others", flush=True)
    told = Teller(run)
    try:
        environment = device_environment(run.config.training.hardware)
        with told.listening_for_stop():
            store = open_store(hosts)
            members = Company(store, hosts=hosts.total)
            await_hosts(members, told.tell)
        where = hosts._replace(address=hosts.address or ALONE_AT, port=store.port)
        command = ["-m", WORKER, str(run.folder)]
        sentence = _run(where, run.config.training.hardware.processes, command, environment, members)
    except UserError as error:
        sentence = str(error)
    if sentence is None:
        told.end_if_open("stopped", "")
        return 0
    told.end_if_open("failed", sentence)
    print(f"error: {sentence}", file=sys.stderr)
    return 1


def help_first(words: str, hosts: Hosts) -> int:
    """Train along with the run of the first host until that ends; the exit status.

    Nothing but prepared data is written, into the folder `runs` of this host.
    """
    runs, devices, data = (json.loads(words)[name] for name in ("runs", "devices", "data"))
    hardware = HardwareConfig(devices=devices)
    try:
        environment = device_environment(hardware)
        print(f"Waiting for host 0 at {hosts.address}:{hosts.port}.", flush=True)
        members = meet(hosts)
        print("Training along; the run and all that it tells lie on host 0. Ctrl-C stops it everywhere.", flush=True)
        command = ["-m", HELPER, runs, *([data] if data else [])]
        sentence = _run(hosts, hardware.processes, command, environment, members)
    except UserError as error:
        sentence = str(error)
    except KeyboardInterrupt:
        return 130
    print(f"error: {sentence}" if sentence else "The training has ended on this host.", flush=True)
    return 1 if sentence else 0


def device_environment(hardware: HardwareConfig) -> dict[str, str]:
    """What the processes of one host must find in their environment to use these devices."""
    wanted, processes = hardware.devices, hardware.processes
    kind, _, index = wanted.partition(":")
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    share = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(max(1, usable_cores() // processes))}
    if kind == "cpu" or (accelerator is None and "," not in wanted and not index):
        return share | {"ACCELERATE_USE_CPU": "true"}
    count = torch.accelerator.device_count()
    numbers = [int(index)] if index else [int(n) for n in wanted.split(",")] if "," in wanted else range(processes)
    if accelerator is None or max(numbers) >= count or (index and kind != accelerator.type):
        there = f"only {count}, counted from 0" if count else "no accelerator"
        raise UserError(
            f"training.hardware.devices = {wanted}, but torch sees {there}; choose fewer, or cpu:{processes} for "
            "processes on the CPU."
        )
    variable = VISIBLE.get(accelerator.type)
    if variable is None:
        if list(numbers) != list(range(processes)):
            raise UserError(
                f"Devices of the kind {accelerator.type} can only be taken from the first on: say how many."
            )
        return share
    shown = [name for name in os.environ.get(variable, "").split(",") if name] or [str(n) for n in range(count)]
    return share | {variable: ",".join(shown[number] for number in numbers)}


def _run(
    hosts: Hosts, processes: int, command: Sequence[str], environment: dict[str, str], members: Company
) -> str | None:
    """Start the processes and wait for their end; the sentence of the first that failed."""
    logging.getLogger("torch.distributed.elastic").setLevel(logging.ERROR)
    os.environ.update(environment)
    os.environ[LED] = str(os.getpid())
    launch = LaunchConfig(
        min_nodes=hosts.total,
        max_nodes=hosts.total,
        nproc_per_node=processes,
        run_id="workbench",
        rdzv_backend="static",
        rdzv_endpoint=f"{hosts.address}:{hosts.port}",
        rdzv_configs={"rank": hosts.host, "timeout": 900},
        max_restarts=0,
    )
    launching = _Launching(launch, command)
    asked: list[int] = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        for worker in psutil.Process().children():
            worker.send_signal(signal.SIGTERM if len(asked) == 1 else signal.SIGKILL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hand_on)
    launching.start()
    launching.wait()
    if launching.broken:
        return (
            "The processes could not be started, by a mistake of the workbench or of PyTorch: the log has the details."
        )
    if launching.failed is None or (asked and members.failure() is None):
        return None
    return _why(launching.failed, members)


class _Launching(threading.Thread):
    """PyTorch's launcher in a thread, where it leaves signals to us: those who end on request have not failed."""

    def __init__(self, launch: LaunchConfig, command: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._launch = launch
        self._command = command
        self.failed: ChildFailedError | None = None
        self.broken = True

    def run(self) -> None:
        """Until all processes of this host have ended, and then the other hosts' too."""
        try:
            elastic_launch(self._launch, sys.executable)("-u", *self._command)
        except ChildFailedError as error:
            self.failed = error
        self.broken = False  # an error that nobody foresaw leaves its traceback in the log

    def wait(self) -> None:
        """Until it has ended; not for long for the other hosts, one of which may be gone without a word."""
        seen, idle_since = False, time.monotonic()
        while self.is_alive():
            self.join(company.POLL)
            if psutil.Process().children():
                seen, idle_since = True, time.monotonic()
            elif seen and time.monotonic() - idle_since > FOR_OTHERS:
                self.broken = False
                return


def _why(error: ChildFailedError, members: Company) -> str:
    """The first cause: what a process told, how one was killed here, or what is told from another host."""
    if word := members.failure():
        return word
    for process, failure in sorted(error.failures.items()):
        if failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM:
            name = signal.Signals(-failure.exitcode).name
            hint = ": the memory may have run short" if name == "SIGKILL" else ""
            return members.fail(
                f"Process {process} of the training was killed on {socket.gethostname()} by {name}{hint}. The run can "
                "be resumed from its last checkpoint."
            )
    word = members.failure(company.PATIENCE if members.hosts > 1 else 0)
    process, failure = error.get_first_failure()
    return word or (
        f"Process {process} of the training ended on {socket.gethostname()} with status {failure.exitcode}, because "
        "another had gone without a word or its connection broke; the log has the details."
    )


class Teller:
    """The word to the run's watchers before the first process speaks, and after it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._path = run.folder / "status.json"
        self._stop_file = run.folder / "stop"
        self.tell("Starting the processes.")

    def tell(self, detail: str) -> None:
        """What is waited for."""
        status, me = read_status(self._path), this_process()
        assert status
        if status.detail != detail:
            now = {"heartbeat": time.time(), "pid": me.pid, "process_started": me.started, "host": me.host}
            write_status(self._path, replace(status, state="queued", detail=detail, **now))  # type: ignore[arg-type]

    def listening_for_stop(self) -> _Listening:
        """While nothing runs, a request to stop ends this process."""
        return _Listening(self._stop_file, lambda: self.end_if_open("stopped", "Stopped before the training began."))

    def end_if_open(self, state: str, words: str) -> None:
        """Write the end, unless the first process has."""
        status = read_status(self._path)
        assert status
        if not status.ended:
            end = {"state": state, "heartbeat": time.time(), "eta": None, "images_per_second": 0.0}
            end |= {"error": words, "detail": ""} if state == "failed" else {"detail": words}
            write_status(self._path, replace(status, **end))  # type: ignore[arg-type]
        for name in ("stop", ".reserve"):
            (self._path.with_name(name)).unlink(missing_ok=True)


class _Listening:
    """A context in whose course a stop file or SIGTERM ends the process."""

    def __init__(self, stop_file: Path, end: Callable[[], None]) -> None:
        self._stop_file = stop_file
        self._end = end
        self._over = threading.Event()

    def __enter__(self) -> None:
        self._before = {number: signal.signal(number, self._leave) for number in (signal.SIGTERM, signal.SIGINT)}
        threading.Thread(target=self._watch, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _watch(self) -> None:
        while not self._over.wait(company.POLL):
            if self._stop_file.exists():
                self._leave()

    def _leave(self, *_: object) -> None:
        self._end()
        os._exit(0)


if __name__ == "__main__":
    *_words, _hosts = sys.argv[1:]
    sys.exit((help_first if _words[0] == "--join" else lead)(_words[-1], Hosts(**json.loads(_hosts))))

"""A process beside the first one of a training: it trains along on its share of the pictures, and tells nothing.

On other hosts than the first it is started as `python -m workbench.runs.helper RUNS [DATA]`, with the folder for
prepared data and where the pictures lie on this host.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import yaml

from workbench.config import RunConfig
from workbench.data.prepared import open_prepared
from workbench.errors import UserError
from workbench.runs.company import Company, CompanyOverError, is_a_consequence
from workbench.runs.conduct import create_trainer, devices_of
from workbench.runs.launch import LED
from workbench.runs.preparing import prepare_for, prepared_folder
from workbench.runs.processes import end_with
from workbench.runs.queue import turn
from workbench.training.hardware import take_leave


class Stop:
    """A request to end, by SIGTERM or Ctrl-C: handed on to the trainer, which agrees with the others."""

    def __init__(self) -> None:
        self.requested = False
        self.hand_on: Callable[[], None] = lambda: None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heard)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self.hand_on()

    def check(self) -> None:
        """Raise where nothing is trained yet."""
        if self.requested:
            raise CompanyOverError


def main(runs: Path, data: str | None = None) -> int:
    """Train along until the training ends; the exit status."""
    if leader := os.environ.get(LED):
        end_with(int(leader))
    members = Company.of_this_process()
    assert members, "it is started by workbench.runs.group or by torchrun"
    stop = Stop()
    try:
        _train_along(members, runs, data, stop)
    except CompanyOverError:
        return 0 if members.failure() is None else 1
    except UserError as error:
        print(f"error: process {members.process}: {members.fail(str(error))}", file=sys.stderr)
        return 1
    except Exception as error:
        if not is_a_consequence(error):
            where = f" in process {members.process} on {socket.gethostname()}"
            members.fail(mistake_of_ours(error, where, "the log"))
        raise
    return 0


def mistake_of_ours(error: Exception, where: str, log: str) -> str:
    """The sentence for what no user can mend."""
    kind = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return f"A mistake of the workbench itself, not yours ({kind}){where}: {log} has the details."


def _train_along(members: Company, runs: Path, data: str | None, stop: Stop) -> None:
    config = RunConfig(**yaml.safe_load(members.hear("config", stop.check)["yaml"]))
    if data:
        config = config.model_copy(update={"data": config.data.model_copy(update={"path": data})})
    with _place_of_host(members, config, runs, stop):
        members.hear("begin", stop.check)
        prepared = open_prepared(prepared_folder(config.data, runs))
        try:
            trainer = create_trainer(config, prepared, first=False)
            stop.hand_on = trainer.stop
            for _ in trainer:
                pass
        finally:
            take_leave()


@contextmanager
def _place_of_host(members: Company, config: RunConfig, runs: Path, stop: Stop) -> Iterator[None]:
    """On another host than the first: its data prepared, and its devices held."""
    if not members.host:
        yield
    elif not members.leads_host:
        members.await_own_host(stop.check)
        yield
    else:
        prepared = prepare_for(config.data, runs, lambda done, total: stop.check())
        name = f"a run of host 0, beside {socket.gethostname()}"
        with turn(devices_of(config.training.hardware), name, lambda device, ahead: stop.check()):
            members.host_is_ready(prepared.facts["fingerprint"], socket.gethostname())
            yield


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:3]))

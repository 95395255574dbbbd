"""What processes that train together tell each other before the training, and when one of them fails.

They speak through the small store that torch's launcher keeps at the first host. Knows no model, and no folder.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from torch.distributed import DistError, PrefixStore, Store, TCPStore

from workbench.errors import UserError

POLL = 0.2
"""Seconds between two looks for a word."""
PATIENCE = 5.0
"""Seconds in which the word of a process that failed reaches the others."""

OVER = "over"
FAILURE = "failure"

BROKEN = (
    "gloo",
    "NCCL",
    "Connection closed by peer",
    "Connection reset by peer",
    "connection was closed",
    "Broken pipe",
)
"""What errors say that only follow from the end of another process."""


class CompanyOverError(Exception):
    """The first process has ended, so there is nothing to wait for."""


def is_a_consequence(error: Exception) -> bool:
    """Whether an error only tells that another process is gone."""
    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in BROKEN)
    )


class Company:
    """The processes of one training, as one of them sees them."""

    def __init__(self, store: Store, process: int = 0, processes: int = 1, host: int = 0, hosts: int = 1) -> None:
        self._store = PrefixStore("workbench", store)
        self.process = process
        self.processes = processes
        self.host = host
        self.hosts = hosts

    @classmethod
    def of_this_process(cls) -> Company | None:
        """As torch's launcher tells it; None for one that trains alone."""
        told = os.environ
        processes = int(told.get("WORLD_SIZE", "1"))
        if processes == 1:
            return None
        store = TCPStore(told["MASTER_ADDR"], int(told["MASTER_PORT"]), is_master=False, wait_for_workers=False)
        host, hosts = int(told.get("GROUP_RANK", "0")), int(told.get("GROUP_WORLD_SIZE", "1"))
        return cls(store, int(told["RANK"]), processes, host, hosts)

    @property
    def leads_host(self) -> bool:
        """Whether this process speaks for its host."""
        return int(os.environ.get("LOCAL_RANK", "0")) == 0

    def say(self, about: str, what: Mapping[str, Any]) -> None:
        """Tell all who ask."""
        self._store.set(about, json.dumps(what))

    def say_first(self, about: str, what: Mapping[str, Any]) -> bool:
        """Tell it unless it was told before; whether it is now what was told."""
        text = json.dumps(what)
        return self._store.compare_set(about, "", text).decode() == text

    def heard(self, about: str) -> dict[str, Any] | None:
        """What was said; None while nothing was."""
        return json.loads(self._store.get(about)) if self._store.check([about]) else None

    def hear(self, about: str, meanwhile: Callable[[], None]) -> dict[str, Any]:
        """Wait until it is said; `meanwhile` is called now and then, and gives up the waiting by raising."""
        while True:
            try:
                if (word := self.heard(about)) is not None:
                    return word
                if self.process and self.heard(OVER) is not None:
                    raise CompanyOverError
            except DistError:  # the store is gone, and the first host with it
                raise CompanyOverError from None
            meanwhile()
            time.sleep(POLL)

    def part(self) -> None:
        """Said by the first process at its end, lest the others wait for it."""
        self.say(OVER, {})

    def fail(self, sentence: str) -> str:
        """Tell why this process fails, unless another has failed before; the sentence of the first."""
        try:
            return json.loads(self._store.compare_set(FAILURE, "", json.dumps(sentence)))
        except DistError:
            return sentence

    def failure(self, patience: float = 0.0) -> str | None:
        """Why the first one failed, as far as it could tell within so many seconds."""
        until = time.monotonic() + patience
        while True:
            try:
                word = self.heard(FAILURE)
            except DistError:
                return None
            if word is not None or time.monotonic() >= until:
                return str(word) if word is not None else None
            time.sleep(POLL)

    # --- before the training ---

    def gather_hosts(self, fingerprint: str, waiting: Callable[[str], None]) -> None:
        """Wait for the other hosts' data and devices, then let all begin; said by the first process."""
        for host in range(1, self.hosts):

            def meanwhile(host: int = host) -> None:
                waiting(f"Waiting for host {host}, which prepares the pictures or waits for its devices.")

            theirs = self.hear(_ready(host), meanwhile)
            if theirs["fingerprint"] != fingerprint:
                raise UserError(
                    f"The pictures, masks or splits on host {host} ({theirs['name']}) are not those on the first: give "
                    "every host the same data, and the same --data.split_file where they are split by hand."
                )
        self.say("begin", {})

    def host_is_ready(self, fingerprint: str, name: str) -> None:
        """Said by one process of each other host."""
        self.say(_ready(self.host), {"fingerprint": fingerprint, "name": name})

    def await_own_host(self, meanwhile: Callable[[], None]) -> None:
        """Wait until the data lies on this host."""
        self.hear(_ready(self.host), meanwhile)


def _ready(host: int) -> str:
    return f"ready-{host}"

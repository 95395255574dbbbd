"""One prediction after another: who waits, how far the one at work is, and which nobody wants any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from workbench.errors import UserError

MOST_WAITING = 8
MOST_PAGES = 1000
"""Of which it is remembered what they asked last."""


class Turns:
    """Pages tell a name and count their questions, so that a later one takes back those before it."""

    def __init__(self) -> None:
        self.done, self.total = 0, 0
        self._asked = 0
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._newest: dict[str, int] = {}
        self._page, self._number = "", 0

    @property
    def waiting(self) -> int:
        """How many have to wait for the one at work."""
        return max(self._asked - 1, 0)

    @contextmanager
    def take(self, page: str = "", number: int = 0) -> Iterator[None]:
        """Wait, at most so many at a time."""
        with self._lock:
            if self._asked >= MOST_WAITING:
                raise UserError(f"{MOST_WAITING} predictions are waiting already: try again in a moment.")
            self._asked += 1
            if len(self._newest) >= MOST_PAGES:
                self._newest.clear()
            self._newest[page] = max(number, self._newest.get(page, 0))
        try:
            with self._turn:
                self.done, self.total, self._page, self._number = 0, 0, page, number
                self._refuse_replaced()
                yield
        finally:
            with self._lock:
                self._asked -= 1

    def tell(self, done: int, total: int) -> None:
        """How many tiles are done; ends the work that nobody waits for any more."""
        self.done, self.total = done, total
        self._refuse_replaced()

    def _refuse_replaced(self) -> None:
        if self._newest.get(self._page, 0) > self._number:
            raise UserError("Something else was asked for meanwhile.")

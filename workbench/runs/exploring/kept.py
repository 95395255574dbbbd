"""The few results that were used last, by what they were made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """At most so many, and of several at most so many bytes together; what was not used for longest goes first."""

    def __init__(self, most: int, most_bytes: float = float("inf"), size: Callable[[T], int] = lambda value: 0) -> None:
        self._most, self._most_bytes, self._size = most, most_bytes, size
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under the key, or else what `make` makes now."""
        if key not in self._values:
            self._values[key] = make()
            while len(self._values) > self._most or (len(self._values) > 1 and self._bytes() > self._most_bytes):
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]

    def _bytes(self) -> int:
        return sum(map(self._size, self._values.values()))

"""Which pictures make which step: a function of seed and epoch alone, however many processes share the work.

A step takes batch x accumulation x processes pictures. What is left at the end of an epoch makes a smaller step or is
dropped; but no batch is left with one picture where larger ones were asked for, since batch normalisation may refuse
it: the last whole step then gives it some of its pictures, or takes it over.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Literal, NamedTuple

import numpy as np


class Step(NamedTuple):
    """The pictures of one step."""

    pictures: int
    """How many, over all processes."""
    batches: list[np.ndarray]
    """Their numbers, as this process takes them one batch after the other."""


class Order(NamedTuple):
    """How an epoch is cut into steps."""

    pictures: int
    seed: int
    batch: int
    accumulation: int = 1
    remainder: Literal["keep", "drop"] = "keep"
    processes: int = 1
    process: int = 0

    @property
    def whole(self) -> int:
        """Pictures of a whole step."""
        return self.batch * self.accumulation * self.processes

    @property
    def used(self) -> int:
        """Pictures that an epoch uses; a data set smaller than one step is used as it is."""
        whole_steps = self.pictures // self.whole
        return whole_steps * self.whole if self.remainder == "drop" and whole_steps else self.pictures

    def count(self, position: int = 0) -> int:
        """How many steps are left after this many pictures."""
        whole_steps, rest = self._sizes(self.used - position)
        return whole_steps + len(rest)

    def steps(self, epoch: int, position: int = 0) -> Iterator[Step]:
        """The steps that are left after this many pictures."""
        order = np.random.default_rng((self.seed, epoch)).permutation(self.pictures)
        whole_steps, rest = self._sizes(self.used - position)
        for number in range(whole_steps + len(rest)):
            size = self.whole if number < whole_steps else rest[number - whole_steps]
            share = np.array_split(order[position : position + size], self.processes)[self.process]
            yield Step(size, self._batches(share))
            position += size

    def _sizes(self, pictures: int) -> tuple[int, tuple[int, ...]]:
        """The number of whole steps, and the sizes of the steps after them."""
        whole_steps, rest = divmod(pictures, self.whole)
        fewest = self.processes * min(self.batch, 2)
        if not rest:
            return whole_steps, ()
        if rest >= fewest or not whole_steps:
            return whole_steps, (rest,)
        given = fewest - rest
        if self.whole - given >= fewest:
            return whole_steps - 1, (self.whole - given, fewest)
        return whole_steps - 1, (self.whole + rest,)

    def _batches(self, share: np.ndarray) -> list[np.ndarray]:
        most = max(1, len(share) // min(self.batch, 2))
        return np.array_split(share, min(ceil(len(share) / self.batch), most))


def validation_batches(pictures: int, batch: int, processes: int = 1, process: int = 0) -> Iterator[np.ndarray]:
    """Every picture once over all processes, in batches that do not depend on how many they are."""
    for start in range(process * batch, pictures, processes * batch):
        yield np.arange(start, min(start + batch, pictures))

"""What a trainer tells while it works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal, NamedTuple


class Took(NamedTuple):
    """What steps took, in the process that tells."""

    steps: int = 0
    pictures: int = 0
    """Of all processes."""
    seconds: float = 0.0
    loading: float = 0.0
    """Of these, in which it waited for pictures."""

    def and_of(self, other: Took) -> Took:
        """Both together."""
        return Took(
            self.steps + other.steps,
            self.pictures + other.pictures,
            self.seconds + other.seconds,
            self.loading + other.loading,
        )


NOTHING = Took()


@dataclass(frozen=True)
class Progress:
    """How far the training is, and what was measured since the last word.

    Three kinds come by: after each step of training, after each batch of a validation, and with `complete` at the end
    of a pass through a split. Steps and batches may come without numbers: steps because reading a number makes an
    accelerator wait (`report_every`), batches of a validation because they say nothing alone.
    """

    split: Literal["train", "valid"]
    epoch: int
    """The epoch at work, from 1."""
    epochs: int
    step: int
    """Steps done since the training began."""
    total_steps: int
    done: int
    """Pictures of this pass seen so far."""
    pictures: int
    """Pictures of a whole pass."""
    learning_rate: float
    complete: bool = False
    """Whether the numbers are those of a whole pass."""
    losses: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    """Of a complete validation: the value of `best`."""
    best: bool = False
    """Whether this validation is the best so far: keep the model."""
    notes: tuple[str, ...] = ()
    """Sentences about what looks wrong."""
    images_per_second: float = field(default=0.0, compare=False)
    """Of this epoch, by training alone; 0 until the sixth step since the start."""
    took: Took | None = field(default=None, compare=False)
    """Of a step with numbers: what it and those since the last report took."""


@dataclass
class Clock:
    """Pictures a second of an epoch, in the time that steps take; the first five steps do not count."""

    steps: int = 0
    pictures: int = 0
    seconds: float = 0.0
    since_report: Took = NOTHING

    def begin_epoch(self) -> None:
        """Forget the last epoch."""
        self.pictures, self.seconds = 0, 0.0

    def add(self, step: Took) -> None:
        """One step."""
        self.steps += 1
        self.since_report = self.since_report.and_of(step)
        if self.steps > 5:
            self.pictures += step.pictures
            self.seconds += step.seconds

    def report(self) -> Took:
        """The steps since it was asked before."""
        told, self.since_report = self.since_report, NOTHING
        return told

    @property
    def rate(self) -> float:
        """0 while nothing is known."""
        return self.pictures / self.seconds if self.seconds else 0.0


class Waited:
    """Things one after the other, and the seconds in which they were waited for."""

    def __init__(self, things: Iterable[Any]) -> None:
        self._things = things
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Any]:
        things = iter(self._things)
        while True:
            asked = perf_counter()
            try:
                thing = next(things)
            except StopIteration:
                return
            finally:
                self.seconds += perf_counter() - asked
            yield thing

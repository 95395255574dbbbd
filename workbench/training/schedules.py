"""The learning rate at any step: a closed form of how far the training is, and for plateau of the losses seen."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, cos, inf, pi
from typing import Any, NamedTuple

from workbench.config import ScheduleConfig


class Moment(NamedTuple):
    """How far a training is when a step begins; whole numbers where the rate changes by epoch."""

    epoch: float
    epochs: float


def _linear(config: ScheduleConfig, rate: float, now: Moment) -> float:
    length = min(config.decay_epochs or now.epochs / 2, now.epochs)
    fallen = max(0.0, now.epoch - (now.epochs - length)) / length
    return rate + (config.minimum - rate) * fallen


def _cosine(config: ScheduleConfig, rate: float, now: Moment) -> float:
    return config.minimum + (rate - config.minimum) * (1 + cos(pi * now.epoch / now.epochs)) / 2


def _poly(config: ScheduleConfig, rate: float, now: Moment) -> float:
    return config.minimum + (rate - config.minimum) * (1 - now.epoch / now.epochs) ** config.power


def _multistep(config: ScheduleConfig, rate: float, now: Moment) -> float:
    return rate * config.factor ** sum(now.epoch >= milestone for milestone in config.milestones)


def _constant(config: ScheduleConfig, rate: float, now: Moment) -> float:
    return rate


SCHEDULES: dict[str, Callable[[ScheduleConfig, float, Moment], float]] = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "poly": _poly,
    "multistep": _multistep,
    "plateau": _constant,
}
BY_STEP = ("poly",)
"""Schedules that change the rate at each step unless told otherwise; the others do so at each epoch."""


class Schedule:
    """A learning rate for each step of a training."""

    def __init__(self, config: ScheduleConfig, rate: float) -> None:
        self.config = config
        self.rate = rate
        self.by_step = config.every == "step" or (config.every == "auto" and config.name in BY_STEP)
        self.plateau = Plateau(config, rate) if config.name == "plateau" else None

    def learning_rate(self, step: int, total_steps: int, epoch: int, steps_per_epoch: int) -> float:
        """For the step after `step` others, in the epoch after `epoch` others."""
        epochs = total_steps / steps_per_epoch
        now = Moment(step / steps_per_epoch, epochs) if self.by_step else Moment(epoch, ceil(epochs))
        rate = self.plateau.rate if self.plateau else self.rate
        return SCHEDULES[self.config.name](self.config, rate, now) * self._warmup(step)

    def _warmup(self, step: int) -> float:
        if step >= self.config.warmup_steps:
            return 1.0
        start = self.config.warmup_start
        return start + (1 - start) * step / self.config.warmup_steps

    def validated(self, loss: float) -> None:
        """Tell the loss of a validation; only a plateau listens."""
        if self.plateau:
            self.plateau.see(loss)

    def state_dict(self) -> dict[str, Any]:
        """What the past has changed."""
        return self.plateau.state_dict() if self.plateau else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; a schedule that has no past takes none."""
        if self.plateau and state:
            self.plateau.load_state_dict(state)


class Plateau:
    """A rate that falls when the loss has stopped to fall by at least a ten-thousandth."""

    def __init__(self, config: ScheduleConfig, rate: float) -> None:
        self.config = config
        self.rate = rate
        self.lowest = inf
        self.waited = 0

    def see(self, loss: float) -> None:
        self.waited += 1
        if loss < self.lowest * (1 - 1e-4):
            self.lowest, self.waited = loss, 0
        if self.waited > self.config.patience:
            self.rate, self.waited = max(self.rate * self.config.factor, self.config.minimum), 0

    def state_dict(self) -> dict[str, Any]:
        return {"rate": self.rate, "lowest": self.lowest, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rate, self.lowest, self.waited = state["rate"], state["lowest"], state["waited"]

"""Where a training is, and what is due next. Knows no model."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from workbench.config import TrainingConfig
from workbench.training.order import Order


@dataclass
class Position:
    """Where a training is; all counted from 0."""

    epoch: int = 0
    picture: int = 0
    """Of the epoch."""
    step: int = 0
    validated: int = 0
    """The step of the last validation."""
    best: float | None = None
    since_best: int = 0
    """Validations since the best one."""


class Course:
    """The way from the first step to the last, and a position on it."""

    def __init__(self, config: TrainingConfig, order: Order, validates: bool, position: Position) -> None:
        self.config = config
        self.order = order
        self.validates = validates
        self.position = position

    @property
    def steps_per_epoch(self) -> int:
        return self.order.count()

    @property
    def epochs(self) -> int:
        if self.config.iterations:
            return ceil(self.config.iterations / self.steps_per_epoch)
        return self.config.epochs

    @property
    def total_steps(self) -> int:
        """Steps from the beginning of the training to its end."""
        if self.config.iterations:
            return self.config.iterations
        ahead = self.config.epochs - self.position.epoch
        done = self.steps_per_epoch - self.order.count(self.position.picture)
        return self.position.step + max(0, ahead * self.steps_per_epoch - done)

    @property
    def epoch_over(self) -> bool:
        """Whether all pictures of the epoch are used and it only waits to be closed."""
        return self.position.picture >= self.order.used

    @property
    def all_steps_done(self) -> bool:
        if self.config.iterations:
            return self.position.step >= self.config.iterations
        return self.position.epoch >= self.config.epochs

    @property
    def validation_due(self) -> bool:
        if not self.validates or self.position.validated == self.position.step:
            return False
        if self.config.validate_every and not self.all_steps_done:
            return self.position.step % self.config.validate_every == 0
        return self.position.picture == 0 or self.all_steps_done

    @property
    def out_of_patience(self) -> bool:
        patience = self.config.early_stopping
        return patience is not None and self.position.since_best >= patience

    @property
    def step_due(self) -> bool:
        """Whether a training step is what comes next."""
        return not (self.epoch_over or self.validation_due or self.all_steps_done or self.out_of_patience)

    def take_step(self, pictures: int) -> None:
        """A step with so many pictures is done."""
        self.position.step += 1
        self.position.picture += pictures

    def close_epoch(self) -> None:
        """The next epoch begins."""
        self.position.epoch += 1
        self.position.picture = 0

    def judge(self, score: float) -> bool:
        """A validation is done; whether it is the best so far, as the first one is in any case."""
        best = self.position.best is None or score > self.position.best
        if best:
            self.position.best = score
        self.position.since_best = 0 if best else self.position.since_best + 1
        self.position.validated = self.position.step
        return best

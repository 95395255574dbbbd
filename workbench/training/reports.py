"""Losses of the last steps, which stay on their device until they are read: reading makes an accelerator wait."""

from __future__ import annotations

import torch
from torch import Tensor


class LossNotFiniteError(Exception):
    """A loss of nan or infinity, how many steps after it it was noticed, and the numbers of its pictures."""

    def __init__(self, loss: float, steps_ago: int, pictures: list[int]) -> None:
        super().__init__(f"loss {loss}")
        self.loss = loss
        self.steps_ago = steps_ago
        self.pictures = pictures


class Reports:
    """The losses of up to `every` steps."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.losses: list[Tensor] = []
        self._pictures: list[list[int]] = []

    def add(self, losses: Tensor, pictures: list[int]) -> None:
        """The losses of a step, the whole one first, and the numbers of this process's pictures."""
        self.losses.append(losses)
        self._pictures.append(pictures)

    @property
    def due(self) -> bool:
        return len(self.losses) >= self.every

    def check(self) -> None:
        """Refuse losses that are no numbers."""
        if self.losses:
            totals = torch.stack(self.losses)[:, 0].tolist()
            for number, total in enumerate(totals):
                if not abs(total) < float("inf"):
                    raise LossNotFiniteError(total, len(totals) - 1 - number, self._pictures[number])

    def read(self) -> list[float]:
        """The means over the steps since the last reading, which are then forgotten."""
        self.check()
        means = torch.stack(self.losses).mean(0).tolist()
        self.losses, self._pictures = [], []
        return means

    def restore(self, losses: list[Tensor]) -> None:
        """Take up losses of before; whose pictures they were is no longer known."""
        self.losses = list(losses)
        self._pictures = [[] for _ in losses]

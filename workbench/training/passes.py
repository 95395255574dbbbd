"""What a pass through a split adds up: the losses and the scores of its pictures, on their device until asked."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from workbench.metrics import Tally
from workbench.task import Task


class Pass:
    """Sums over pictures; passes of other processes or of single steps are added up."""

    def __init__(self, task: Task, device: torch.device) -> None:
        self.task = task
        self.tally = Tally(task, device)
        self.losses: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, losses: dict[str, Tensor], logits: Tensor, mask: Tensor) -> None:
        """One batch: its losses are means over its pictures."""
        self.tally.add(self.task.labels(logits), mask)
        for name, loss in losses.items():
            self._add_loss(name, loss.detach() * len(mask))

    def add_pass(self, other: Pass) -> None:
        """Add what another pass has added up."""
        self.tally.add_sums(other.tally.sums)
        for name, total in other.losses.items():
            self._add_loss(name, total)

    def _add_loss(self, name: str, total: Tensor) -> None:
        exact = total.to(self.tally.sums["batch_iou"].dtype)
        self.losses[name] = self.losses[name] + exact if name in self.losses else exact

    def reduce(self, over_processes: Callable[[Tensor], Tensor]) -> None:
        """Replace the sums of this process by those of all."""
        self.tally.sums = {name: over_processes(total) for name, total in self.tally.sums.items()}
        self.losses = {name: over_processes(total) for name, total in self.losses.items()}

    def mean_losses(self) -> Tensor:
        """The means over pictures, in the order of `losses`."""
        return torch.stack(list(self.losses.values())) / self.tally.sums["pictures"]

    def numbers(self) -> tuple[dict[str, float], dict[str, float]]:
        """The mean losses and the scores."""
        losses = dict(zip(self.losses, self.mean_losses().tolist(), strict=True))
        return losses, self.tally.scores()

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """The sums."""
        return {"losses": self.losses, "tally": self.tally.sums}

    def load_state_dict(self, state: dict[str, dict[str, Tensor]]) -> None:
        """Take up the sums."""
        device = self.tally.sums["counts"].device
        self.losses = {name: total.to(device) for name, total in state["losses"].items()}
        self.tally.sums = {name: total.to(device) for name, total in state["tally"].items()}

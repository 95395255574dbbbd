"""A model that learns: the gradients of a step, and the weights after it. Knows no epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import default_collate

from workbench.config import TrainingConfig
from workbench.data.sample import Sample
from workbench.errors import UserError
from workbench.task import Task
from workbench.training import batch_finder, checks
from workbench.training.hardware import Hardware
from workbench.training.losses import Loss
from workbench.training.optimizers import create_optimizer, set_learning_rate
from workbench.training.passes import Pass


class Learner:
    """A model with its loss, its optimizer and its moving average, on its hardware."""

    def __init__(self, config: TrainingConfig, model: nn.Module, task: Task, hardware: Hardware) -> None:
        self.config = config
        self.task = task
        self.hardware = hardware
        self.loss = Loss(config.loss, task)
        self.model = hardware.place(model)
        self.average = (
            AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True)
            if config.ema
            else None
        )
        self.network = hardware.wrap(self.model)
        self.optimizer = create_optimizer(config.optimizer, self.model.parameters())

    @property
    def evaluated_model(self) -> nn.Module:
        """The model that is validated and worth keeping: the moving average if there is one."""
        return self.average.module if self.average else self.model

    def gradients(self, batches: Iterable[Sample], count: int, pictures: int) -> Pass:
        """Those of the mean over all pictures of a step, however it is cut into batches and processes."""
        self.network.train()
        self.optimizer.zero_grad()
        of_step = Pass(self.task, self.hardware.device)
        for number, batch in enumerate(batches, start=1):
            share = len(batch.mask) * self.hardware.processes / pictures
            with self.hardware.synchronised(self.network, number == count):
                losses, logits, mask = self._forward(self.network, batch)
                self.hardware.scaler.scale(losses["loss"] * share).backward()
            of_step.add(losses, logits, mask)
        self.hardware.sum_up(of_step)
        return of_step

    def update(self, learning_rate: float) -> None:
        """Follow the gradients."""
        set_learning_rate(self.optimizer, learning_rate)
        if self.config.optimizer.clip_norm:
            self.hardware.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip_norm)
        self.hardware.step(self.optimizer)
        if self.average:
            self.average.update_parameters(self.model)

    @torch.no_grad()
    def evaluate(self, batch: Sample, into: Pass) -> None:
        """Add a batch's losses and scores."""
        self.evaluated_model.eval()
        into.add(*self._forward(self.evaluated_model, batch))

    def _forward(self, network: nn.Module, batch: Sample) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        checks.check_masks(batch, self.task)
        image, mask = self.hardware.to_device(batch.image, batch.mask)
        with self.hardware.autocast():
            output = network(image)
        return self.loss(output, mask), output.logits, mask

    # --- memory ---

    def find_batch(self, sample: Sample, at_most: int) -> int:
        """The largest power of two of pictures like this one that fits into memory, for every process."""
        start = 1 << min(batch_finder.LARGEST, at_most).bit_length() - 1
        if self.hardware.device.type == "cpu":
            weights = sum(parameter.nbytes for parameter in self.model.parameters())
            fits = batch_finder.largest_for_cpu(lambda batch: self._attempt(sample, batch), 4 * weights)
        else:
            fits = batch_finder.largest_that_fits(lambda batch: self._attempt(sample, batch), start)
        return self.hardware.smallest(min(fits, start))

    def out_of_memory(self, sample: Sample, batch: int) -> UserError:
        """The sentence for a batch that did not fit, with one that does."""
        self.optimizer.zero_grad()
        fits = (
            batch_finder.largest_that_fits(lambda smaller: self._attempt(sample, smaller), batch // 2)
            if batch > 1
            else 0
        )
        return checks.out_of_memory(sample, batch, fits, self.hardware.device)

    def _attempt(self, sample: Sample, batch: int) -> None:
        """The memory of a step, without its consequences."""
        kept = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        self.model.train()
        try:
            losses, *_ = self._forward(self.model, default_collate([sample] * batch))
            self.hardware.scaler.scale(losses["loss"]).backward()
            moments = [torch.empty_like(p) for p in self.model.parameters() for _ in range(2)]
            del moments
        finally:
            self.optimizer.zero_grad()
            with torch.no_grad():
                for name, buffer in self.model.named_buffers():
                    buffer.copy_(kept[name])

    # --- state ---

    def state_dict(self) -> dict[str, Any]:
        """What steps have changed."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self.optimizer.state_dict()["state"],
            "scaler": self.hardware.scaler.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there, with this config's rates and decays."""
        try:
            self.model.load_state_dict(state["model"])
            if self.average and state["average"]:
                self.average.load_state_dict(state["average"])
        except RuntimeError as error:
            raise UserError(f"The state belongs to another model: {' '.join(str(error).split())[:300]}") from None
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        self.hardware.scaler.load_state_dict(state["scaler"])

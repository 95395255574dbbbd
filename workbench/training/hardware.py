"""The devices and processes that a training runs on, and the numbers they calculate in. Knows no epoch and no data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, broadcast_object_list, gather_object, set_seed
from torch import Tensor, nn

from workbench.config import HardwareConfig
from workbench.errors import UserError
from workbench.training.activations import checkpointed
from workbench.training.passes import Pass

Result = TypeVar("Result")

PRECISIONS = {"float32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def take_leave() -> None:
    """Leave the group of processes that train together, if any: none may end while its threads still listen."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class Hardware:
    """One device of this process, and the other processes beside it.

    Accelerate brings the processes together. Precision is torch's own autocast and loss scaler, because Accelerate
    fixes it once for a whole process, and a notebook trains one model after the other.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        self.accelerator = Accelerator(mixed_precision="no")
        self.processes = self.accelerator.num_processes
        self.process = self.accelerator.process_index
        self.is_main = self.accelerator.is_main_process
        self.device = self._choose_device()
        self.fixed_scale = None if config.loss_scale == "dynamic" else float(config.loss_scale)
        self.scaler = torch.amp.GradScaler(
            self.device.type, init_scale=self.fixed_scale or 65536.0, enabled=config.precision == "fp16"
        )
        self._check()

    def _choose_device(self) -> torch.device:
        offered = self.accelerator.device
        wanted = self.config.devices
        if self.processes > 1 or wanted in ("auto", "1"):
            return offered
        if self.config.processes > 1:
            raise UserError(
                f"training.hardware.devices = {wanted} needs a process for each device: start it as a run, with "
                "`workbench train` or Run.start."
            )
        kind, _, index = wanted.partition(":")
        if kind == "cpu":
            return torch.device("cpu")
        count = torch.accelerator.device_count()
        if kind != offered.type or int(index) >= count:
            there = f"only {count} of {offered.type}, counted from 0" if count else "no accelerator"
            raise UserError(f"training.hardware.devices = {wanted}, but torch sees {there}; choose auto or cpu.")
        return torch.device(wanted)

    def _check(self) -> None:
        if not self.config.compile:
            return
        if self.config.activation_checkpointing:
            raise UserError(
                "training.hardware.compile decides by itself which activations to keep; leave activation_checkpointing "
                "off, or compile."
            )
        if not any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++", "cl")):
            raise UserError(
                "training.hardware.compile needs a C++ compiler, and there is none: install g++ or clang++, or leave "
                "compile off."
            )

    def notes(self) -> tuple[str, ...]:
        """What was asked for and is not to be had."""
        if self.config.sync_batch_norm and self.processes > 1 and self.device.type == "cpu":
            return ("Batch normalisation is not synchronised: torch has no such layer for the CPU.",)
        return ()

    def place(self, model: nn.Module) -> nn.Module:
        """The model on the device, laid out and normalised as asked."""
        if self.config.sync_batch_norm and self.processes > 1 and self.device.type != "cpu":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        model = model.to(self.device)
        self._equalise(model.state_dict().values())
        return model.to(memory_format=self._layout)

    def wrap(self, model: nn.Module) -> nn.Module:
        """What is called for training: the same weights, compiled and kept equal over all processes if need be."""
        if self.config.compile:
            # Every model of a process is first called by the same lines of torch, which otherwise takes the second
            # one's pictures for the first one's in another size and writes slower code for any size.
            model.compile(dynamic=False)
        return self.accelerator.prepare_model(model, device_placement=False)

    @property
    def _layout(self) -> torch.memory_format:
        return torch.channels_last if self.config.channels_last else torch.contiguous_format

    def to_device(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """A batch where the model is, in the layout that it likes."""
        image = image.to(self.device, non_blocking=True, memory_format=self._layout)
        return image, mask.to(self.device, non_blocking=True)

    def autocast(self) -> AbstractContextManager:
        """The context of a forward pass."""
        dtype = PRECISIONS[self.config.precision]
        return torch.autocast(self.device.type, dtype, enabled=dtype is not None)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Update the weights, and the loss scale after them."""
        self.scaler.step(optimizer)
        self.scaler.update(self.fixed_scale)

    @contextmanager
    def settings(self, model: nn.Module) -> Iterator[None]:
        """How torch is to behave as long as the training runs."""
        with ExitStack() as stack:
            if self.config.activation_checkpointing:
                stack.enter_context(checkpointed(model))
            stack.enter_context(_algorithms(self.config.deterministic))
            yield

    def seed(self, *numbers: int) -> None:
        """Let all chance from here on follow from these numbers and this process."""
        set_seed(hashed(*numbers, self.process))

    def any(self, here: bool) -> bool:
        """Whether it holds in any process; all of them must ask."""
        if self.processes == 1:
            return here
        return self.accelerator.reduce(torch.tensor(float(here), device=self.device)).item() > 0

    def smallest(self, number: int) -> int:
        """The smallest of all processes' numbers; all of them must ask."""
        return min(gather_object([number]))

    def together(self, things: list) -> list:
        """The things of all processes in one list; all of them must ask."""
        return gather_object(things)

    def sum_up(self, of_process: Pass) -> None:
        """Replace the sums of a process by those of all, which some may have no part in."""
        if self.processes == 1:
            return
        names = dict.fromkeys(name for names in gather_object([list(of_process.losses)]) for name in names)
        zero = torch.zeros_like(of_process.tally.sums["batch_iou"])
        of_process.losses = {name: of_process.losses.get(name, zero) for name in names}
        of_process.reduce(self.accelerator.reduce)

    def synchronised(self, network: nn.Module, last: bool) -> AbstractContextManager:
        """The context of a backward pass; only the last one of a step brings the processes' gradients together."""
        return nullcontext() if last else self.accelerator.no_sync(network)

    def equalise_buffers(self, model: nn.Module) -> None:
        """Give every process the running statistics of the first."""
        self._equalise(model.buffers())

    def _equalise(self, tensors: Iterable[Tensor]) -> None:
        if self.processes > 1:
            for tensor in tensors:
                broadcast(tensor)

    def of_first(self, thing: Result | None) -> Result | None:
        """The first process's thing, in all of them; all of them must ask, the others with None."""
        return broadcast_object_list([thing])[0] if self.processes > 1 else thing


def hashed(*numbers: int) -> int:
    """A seed below 2^32 that follows from the numbers, and looks like no other."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@contextmanager
def _algorithms(deterministic: bool) -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = not deterministic
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]

"""Data sets as batches of samples, in an order that is known beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, default_collate

from workbench.data.dataset import Batch
from workbench.data.sample import Sample
from workbench.training.hardware import Hardware, hashed
from workbench.training.order import Order, Step, validation_batches


class Pictures(Protocol):
    """A data set: samples by number. One that has a `set_epoch` is told the epoch, from 0, before each pass."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


def training_steps(
    pictures: Pictures, order: Order, epoch: int, position: int, hardware: Hardware
) -> Iterator[tuple[Step, Iterator[Sample]]]:
    """The steps of an epoch that are left after so many pictures, each with its batches as they are read."""
    if callable(tell := getattr(pictures, "set_epoch", None)):
        tell(epoch)
    numbers = (batch for step in order.steps(epoch, position) for batch in step.batches)
    batches = iter(_loader(pictures, numbers, hardware, seed=hashed(order.seed, epoch)))
    for step in order.steps(epoch, position):
        yield step, islice(batches, len(step.batches))


def validation_steps(pictures: Pictures, batch: int, hardware: Hardware) -> Iterator[Sample]:
    """This process's share of all pictures."""
    numbers = validation_batches(len(pictures), batch, hardware.processes, hardware.process)
    yield from _loader(pictures, numbers, hardware, seed=0)


def _loader(pictures: Pictures, numbers: Iterable[np.ndarray], hardware: Hardware, seed: int) -> DataLoader:
    # A generator of its own, since the loader would otherwise draw from the one that dropout draws from.
    return DataLoader(
        pictures,  # type: ignore[arg-type]
        batch_sampler=(batch.tolist() for batch in numbers),  # type: ignore[arg-type]
        num_workers=hardware.config.workers,
        collate_fn=_collate,
        pin_memory=hardware.device.type != "cpu",
        generator=torch.Generator().manual_seed(seed),
    )


def _collate(samples: list[Sample]) -> Sample:
    return samples.whole if isinstance(samples, Batch) else default_collate(samples)

"""Less memory for activations: blocks keep only their input and calculate the rest again on the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm, nn.InstanceNorm2d, nn.GroupNorm)
LARGEST_BLOCK = 4
"""Convolutions that a block may have: more, and calculating one block again takes the memory that it saved."""


@contextmanager
def checkpointed(model: nn.Module) -> Iterator[None]:
    """Keep few activations within this context; the model computes and learns the same."""
    blocks = list(_blocks(model))
    for block in blocks:
        block.forward = partial(  # type: ignore[method-assign]
            checkpoint, block.forward, use_reentrant=False, context_fn=partial(_contexts, block)
        )
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def _blocks(model: nn.Module) -> Iterator[nn.Module]:
    """The largest modules with a norm and few convolutions."""
    for child in model.children():
        modules = list(child.modules())
        convolutions = sum(isinstance(module, nn.Conv2d | nn.ConvTranspose2d) for module in modules)
        norms = sum(isinstance(module, NORMS) for module in modules)
        container = isinstance(child, nn.ModuleList | nn.ModuleDict)
        if norms and convolutions <= LARGEST_BLOCK and not container:
            yield child
        else:
            yield from _blocks(child)


def _contexts(block: nn.Module) -> tuple[AbstractContextManager, AbstractContextManager]:
    return nullcontext(), _without_statistics(block)


@contextmanager
def _without_statistics(block: nn.Module) -> Iterator[None]:
    """Running statistics were updated on the way forward; once is enough."""
    tracking: list[Any] = [module for module in block.modules() if getattr(module, "track_running_stats", False)]
    before = [(norm.momentum, norm.num_batches_tracked.clone()) for norm in tracking]
    for norm in tracking:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(tracking, before, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(batches)

"""Changing what gates let through for the length of a `with` block; afterwards the network is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from workbench.errors import UserError, choices
from workbench.models.base import SegmentationModel

Change = Callable[[Tensor], Tensor]
"""A gate's map [N, 1, h, w] to the one that takes its place."""


@contextmanager
def changed_gates(model: SegmentationModel, changes: Mapping[str, Change]) -> Iterator[None]:
    """Inside the block the named gates use, and the model returns, what `changes` make of their maps."""
    gates = model.gates()
    if changes and not gates:
        raise UserError("This model has no attention gates that could be changed.")
    with ExitStack() as hooks:
        for name, change in changes.items():
            if name not in gates:
                raise choices("gate", name, gates)
            # first of all hooks, so that smp's maps are kept as changed
            hooks.enter_context(gates[name].register_forward_hook(_changing(change), prepend=True))
        yield


def _changing(change: Change) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
    return lambda module, inputs, attention: change(attention)

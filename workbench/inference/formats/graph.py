"""A network as exporters take it: one tensor in, a flat tuple of tensors out, of any batch and size."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn

from workbench.models import SegmentationModel, optimize_for_inference
from workbench.models.base import Core


class Graph(nn.Module):
    """The inference form of a network, with float32 in and out whatever it calculates in."""

    def __init__(self, model: SegmentationModel, gates: tuple[str, ...], half: bool) -> None:
        super().__init__()
        fast = optimize_for_inference(model).cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.core = Core(fast.half() if half else fast)
        self.gates = gates
        self.half_precision = half
        self.in_channels, self.multiple = model.in_channels, model.size_multiple
        self.least = ceil(model.smallest_size / model.size_multiple)
        """Of the multiples, the smallest that the network takes."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        output = self.core(image.half() if self.half_precision else image)
        return (output.logits.float(), *(output.attention[gate].float() for gate in self.gates))

    @property
    def outputs(self) -> list[str]:
        return ["logits", *self.gates]

    def example(self, batch: int = 2, more: int = 0) -> Tensor:
        """Noise of a size that it takes, different in both directions."""
        tall, wide = max(3, self.least + 1) + more, max(4, self.least + 2) + more
        size = (batch, self.in_channels, self.multiple * tall, self.multiple * wide)
        return torch.randn(size, generator=torch.Generator().manual_seed(more))

    def dynamic_shapes(self) -> tuple[dict[int, Any], ...]:
        """Any batch, and any height and width that are fitting multiples."""
        batch = torch.export.Dim("batch")
        height, width = (torch.export.Dim(name, min=self.least) for name in ("height", "width"))
        return ({0: batch, 2: self.multiple * height, 3: self.multiple * width},)

    def exported(self) -> torch.export.ExportedProgram:
        with torch.no_grad(), without_warnings():
            return torch.export.export(self, (self.example(),), dynamic_shapes=self.dynamic_shapes())


@contextmanager
def without_warnings() -> Iterator[None]:
    """Exporters warn of their own deprecations, which no user can mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

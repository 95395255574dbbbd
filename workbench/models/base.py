"""What every network shares: any picture size goes in, a ModelOutput comes out."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.errors import UserError
from workbench.models.output import ModelOutput

if TYPE_CHECKING:
    from workbench.models.weights import ModelCard


class ModelSpec(NamedTuple):
    """All it takes to build a network again, but for its weights."""

    name: str
    arguments: dict[str, Any]


class SegmentationModel(nn.Module):
    """A network that pads its input to what its core can take, runs `core`, and crops what comes out.

    Both sides are brought to a multiple of `size_multiple`, and to `smallest_size` at least.

    Subclasses define `core`, which may rely on fitting sizes and is what exports see.
    """

    size_multiple: int = 1
    smallest_size: int = 1
    spec: ModelSpec | None = None
    card: ModelCard | None = None

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.classes = classes

    def core(self, image: Tensor) -> ModelOutput:
        """The network itself, for images of fitting sizes."""
        raise NotImplementedError(f"{type(self).__name__} defines no core")

    def gates(self) -> dict[str, nn.Module]:
        """The modules whose outputs are the attention maps, by the maps' names; {} without gates that can be told."""
        return {}

    def drop_auxiliary(self) -> None:
        """Calculate no auxiliary logits any more: they are for training."""

    def deepest(self) -> str | None:
        """The name of the module that gives the coarsest, deepest features; None where the class cannot tell."""
        return None

    def forward(self, image: Tensor) -> ModelOutput:
        self._check(image)
        height, width = image.shape[-2:]
        fitting = pad(image, self.size_multiple, self.smallest_size)
        output = self.core(fitting) if torch.compiler.is_compiling() else self._core_or_sentence(fitting)
        return crop_output(output, (fitting.shape[-2], fitting.shape[-1]), (height, width))

    def _check(self, image: Tensor) -> None:
        if image.ndim != 4:
            raise UserError(
                f"An image batch has four dimensions [N, {self.in_channels}, height, width], not {image.ndim} "
                f"{list(image.shape)}; for a single picture use image[None]."
            )
        if image.shape[1] != self.in_channels:
            raise UserError(
                f"This model takes {self.in_channels} channels, but the image has {image.shape[1]} "
                f"{list(image.shape)}; convert it, or build the model with in_channels={image.shape[1]}."
            )
        if not image.is_floating_point():
            raise UserError(f"An image batch holds floating-point numbers, not {image.dtype}; normalise it first.")

    def _core_or_sentence(self, image: Tensor) -> ModelOutput:
        try:
            return self.core(image)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise UserError(
                f"Batch normalisation cannot train on {len(image)} picture of {image.shape[-2]} x {image.shape[-1]} "
                "pixels, because a layer is left with one value a channel; use a larger batch, or larger pictures."
            ) from error


def pad(image: Tensor, multiple: int, smallest: int = 1) -> Tensor:
    """Repeat the last row and column until both sides are multiples, and no smaller than `smallest`."""
    height, width = image.shape[-2:]
    down = max(smallest - height, -height % multiple)
    right = max(smallest - width, -width % multiple)
    return F.pad(image, (0, right, 0, down), mode="replicate") if down or right else image


def crop_output(output: ModelOutput, padded: tuple[int, int], size: tuple[int, int]) -> ModelOutput:
    """Cut the padding off; auxiliary logits of a lower resolution are brought to the padded size first."""
    height, width = size

    def full(logits: Tensor) -> Tensor:
        if logits.shape[-2:] != padded:
            logits = F.interpolate(logits, padded, mode="bilinear", align_corners=False)
        return logits[..., :height, :width]

    def at_own_stride(attention: Tensor) -> Tensor:
        down, right = padded[0] / attention.shape[-2], padded[1] / attention.shape[-1]
        return attention[..., : ceil(height / down), : ceil(width / right)]

    return ModelOutput(
        full(output.logits),
        {name: at_own_stride(attention) for name, attention in output.attention.items()},
        tuple(full(logits) for logits in output.auxiliary),
    )


class Core(nn.Module):
    """A model's core as a module of its own: what compilers and exports take, since padding depends on the picture."""

    def __init__(self, model: SegmentationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> ModelOutput:
        return self.model.core(image)

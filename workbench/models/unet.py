"""The U-Net family as one trunk with exchangeable parts: blocks, gates and upsampling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.attention_gate import AttentionGate
from workbench.models.base import SegmentationModel
from workbench.models.blocks import (
    BilinearUpsampling,
    DoubleConvolution,
    PixelHead,
    RecurrentResidualBlock,
    UpConvolution,
    join,
)
from workbench.models.output import ModelOutput

Part = Callable[[int, int], nn.Module]
"""Builds a part from its input and output channels."""


class DecoderStage(nn.Module):
    """Doubles the resolution and joins the skip of that level, through a gate if there is one."""

    def __init__(self, in_channels: int, out_channels: int, block: Part, upsampling: Part, gated: bool) -> None:
        super().__init__()
        self.upsampling = upsampling(in_channels, out_channels)
        gating_channels: int = self.upsampling.out_channels  # type: ignore[assignment]
        self.gate = AttentionGate(out_channels, gating_channels, max(1, out_channels // 2)) if gated else None
        self.block = block(out_channels + gating_channels, out_channels)

    def forward(self, deeper: Tensor, skip: Tensor) -> tuple[Tensor, Tensor | None]:
        upsampled, attention = self.upsampling(deeper), None
        if self.gate is not None:
            skip, attention = self.gate(skip, upsampled)
        return self.block(join(skip, upsampled)), attention


class UNetTrunk(nn.Module):
    """Encoder, decoder and gates; knows no head.

    Level i has width * 2**i channels at 1 / 2**i of the resolution.
    """

    def __init__(self, in_channels: int, width: int, depth: int, block: Part, upsampling: Part, gated: bool) -> None:
        super().__init__()
        self.width = width
        self.size_multiple = 2 ** (depth - 1)
        widths = [width * 2**level for level in range(depth)]
        self.encoder = nn.ModuleList(
            block(before, after) for before, after in zip([in_channels, *widths[:-1]], widths, strict=True)
        )
        self.decoder = nn.ModuleList(
            DecoderStage(widths[level + 1], widths[level], block, upsampling, gated)
            for level in reversed(range(depth - 1))
        )

    def forward(self, image: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The features of every decoder stage, deepest first, and the gates' maps by the name of their stride."""
        skips = []
        x = image
        for level, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        features, attention = [], {}
        for (name, stage), skip in zip(self._stages(), reversed(skips[:-1]), strict=True):
            x, gate_map = stage(x, skip)
            features.append(x)
            if gate_map is not None:
                attention[name] = gate_map
        return features, attention

    def gates(self) -> dict[str, nn.Module]:
        """The modules whose outputs are the gates' maps, by the same names."""
        return {name: stage.gate.sigmoid for name, stage in self._stages() if stage.gate is not None}

    def deepest(self) -> str:
        return f"encoder.{len(self.encoder) - 1}"

    def _stages(self) -> Iterator[tuple[str, DecoderStage]]:
        for level, stage in zip(reversed(range(len(self.decoder))), self.decoder, strict=True):
            yield f"stride_{2**level}", stage  # type: ignore[misc]


class UNet(SegmentationModel):
    """A trunk with one head at full resolution."""

    def __init__(self, trunk: UNetTrunk, in_channels: int, classes: int, dropout: float) -> None:
        super().__init__(in_channels, classes)
        self.size_multiple = trunk.size_multiple
        self.trunk = trunk
        self.head = PixelHead(trunk.width, classes, dropout)

    def core(self, image: Tensor) -> ModelOutput:
        features, attention = self.trunk(image)
        return ModelOutput(self.head(features[-1]), attention, ())

    def gates(self) -> dict[str, nn.Module]:
        return self.trunk.gates()

    def deepest(self) -> str:
        return f"trunk.{self.trunk.deepest()}"


def _assemble(
    in_channels: int, classes: int, width: int, depth: int, dropout: float, block: Part, upsampling: Part, gated: bool
) -> UNet:
    trunk = UNetTrunk(in_channels, width, depth, block, upsampling, gated)
    return UNet(trunk, in_channels, classes, dropout)


def unet(in_channels: int, classes: int, width: int = 64, depth: int = 5, dropout: float = 0.0) -> UNet:
    return _assemble(in_channels, classes, width, depth, dropout, DoubleConvolution, UpConvolution, gated=False)


def attention_unet(in_channels: int, classes: int, width: int = 64, depth: int = 5, dropout: float = 0.0) -> UNet:
    return _assemble(in_channels, classes, width, depth, dropout, DoubleConvolution, UpConvolution, gated=True)


def r2unet(
    in_channels: int, classes: int, width: int = 64, depth: int = 5, dropout: float = 0.0, recurrent_steps: int = 2
) -> UNet:
    block = partial(RecurrentResidualBlock, steps=recurrent_steps)
    return _assemble(in_channels, classes, width, depth, dropout, block, UpConvolution, gated=False)


def r2_attention_unet(
    in_channels: int, classes: int, width: int = 64, depth: int = 5, dropout: float = 0.0, recurrent_steps: int = 2
) -> UNet:
    block = partial(RecurrentResidualBlock, steps=recurrent_steps)
    return _assemble(in_channels, classes, width, depth, dropout, block, UpConvolution, gated=True)


def bilinear_unet(in_channels: int, classes: int, width: int = 32, depth: int = 5, dropout: float = 0.0) -> UNet:
    return _assemble(in_channels, classes, width, depth, dropout, DoubleConvolution, BilinearUpsampling, gated=False)

"""The additive attention gate of Attention U-Net."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Projection(nn.Sequential):
    """1x1 convolution and batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels))


class AttentionGate(nn.Module):
    """Weighs a skip connection by how much the decoder below asks for each pixel.

    attention = sigmoid(score(relu(from_gating(gating) + from_skip(skip))))

    One map for all channels, each value for itself in 0..1 (a sigmoid, as in the paper and its code; not a softmax
    over the picture, which some descriptions name). Both inputs have the same height and width here, as in the
    code of the original that the checkpoints come from.
    """

    def __init__(self, skip_channels: int, gating_channels: int, inner_channels: int) -> None:
        super().__init__()
        self.from_gating = Projection(gating_channels, inner_channels)
        self.from_skip = Projection(skip_channels, inner_channels)
        self.score = Projection(inner_channels, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, skip: Tensor, gating: Tensor) -> tuple[Tensor, Tensor]:
        """The gated skip [N, skip_channels, h, w] and the attention [N, 1, h, w]."""
        agreement = F.relu(self.from_gating(gating) + self.from_skip(skip), inplace=True)
        attention = self.sigmoid(self.score(agreement))
        return skip * attention, attention

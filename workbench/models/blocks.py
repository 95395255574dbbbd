"""The parts that the own networks are put together from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.upsampling import bilinear, nearest


class ConvUnit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=bias)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)), inplace=True)


class DoubleConvolution(nn.Sequential):
    """Two 3x3 units one after the other: the block of U-Net and UNet++."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(
            ConvUnit(in_channels, out_channels, bias=bias),
            ConvUnit(out_channels, out_channels, bias=bias),
        )


class RecurrentUnit(nn.Module):
    """One unit whose weights are used steps + 1 times: on x, then on x plus what came before."""

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.unit = ConvUnit(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        state = self.unit(x)
        for _ in range(self.steps):
            state = self.unit(x + state)
        return state


class RecurrentResidualBlock(nn.Module):
    """The block of R2U-Net: a 1x1 projection, and two recurrent units beside it."""

    def __init__(self, in_channels: int, out_channels: int, steps: int = 2) -> None:
        super().__init__()
        self.project = nn.Conv2d(in_channels, out_channels, 1)
        self.recurrent = nn.Sequential(RecurrentUnit(out_channels, steps), RecurrentUnit(out_channels, steps))

    def forward(self, x: Tensor) -> Tensor:
        x = self.project(x)
        return x + self.recurrent(x)


class UpConvolution(nn.Module):
    """Nearest upsampling by 2, then a 3x3 unit.

    Its phase form computes the same with 2.25 times fewer multiplications: every output pixel of the 3x3 kernel sees
    only 2x2 different inputs, so one stride-2 transposed convolution of kernel 4 does both steps. The parameters
    stay those of the 3x3 kernel. `phase_form` None takes it where it is known to be the faster one.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)
        self.phase_form: bool | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self._is_phased(x):
            x = F.conv_transpose2d(x, phase_weight(self.conv.weight), stride=2, padding=1)
            assert self.conv.bias is not None
            # Added here: within the convolution, torch takes as long for its gradient as for half of all others.
            x = x + self.conv.bias[:, None, None].to(x.dtype)
        else:
            x = self.conv(nearest(x))
        return F.relu(self.norm(x), inplace=True)

    def _is_phased(self, x: Tensor) -> bool:
        """In training only where it was measured, on CPUs, and where pixels enough share the making of its kernel."""
        if self.phase_form is not None:
            return self.phase_form
        return not self.training or (x.device.type == "cpu" and x[:, 0].numel() > self.out_channels)


def phase_weight(weight: Tensor) -> Tensor:
    """The kernel [in, out, 4, 4] of the transposed convolution that equals nearest x2, then `weight` [out, in, 3, 3].

    Upsampling spreads each input over ones(2, 2); a transposed convolution flips; so it is the flipped kernel,
    convolved in full with ones(2, 2).
    """
    padded = F.pad(weight.flip(2, 3), (1, 1, 1, 1))
    rows = padded[:, :, :-1] + padded[:, :, 1:]
    return (rows[..., :-1] + rows[..., 1:]).transpose(0, 1)


class BilinearUpsampling(nn.Module):
    """Bilinear upsampling by 2 with aligned corners and no weights, as pytorch-nested-unet does."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.out_channels = in_channels  # `out_channels` is what a block with weights would make of them

    def forward(self, x: Tensor) -> Tensor:
        return bilinear(x, align_corners=True)


class BilinearProjection(nn.Module):
    """Bilinear upsampling by 2, then a 1x1 unit, as mmsegmentation's UNet does."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.project = ConvUnit(in_channels, out_channels, kernel=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.project(bilinear(x, align_corners=False))


class PixelHead(nn.Module):
    """Channel dropout, then a 1x1 convolution to one logit a class."""

    def __init__(self, in_channels: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout2d(dropout)
        self.conv = nn.Conv2d(in_channels, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.dropout(x))


def join(skip: Tensor, upsampled: Tensor) -> Tensor:
    """Concatenate channels in the order of all four originals."""
    return torch.cat((skip, upsampled), dim=1)

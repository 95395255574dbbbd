"""Upsampling by 2 without weights, in a form that a compiled training can differentiate fast.

torch's compiler takes the backward of `interpolate` apart into additions to scattered places, one at a time: that cost
330 of 700 ms of a compiled step of UNet++ on a CPU. Sums of shifted pictures have a backward that it runs in parallel.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def nearest(x: Tensor) -> Tensor:
    """Each pixel four times."""
    return _Nearest.apply(x) if _compiled_for_training(x) else F.interpolate(x, scale_factor=2, mode="nearest")


def bilinear(x: Tensor, align_corners: bool) -> Tensor:
    """Between pixels their mean, weighted by nearness."""
    if not _compiled_for_training(x):
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=align_corners)
    return _Bilinear.apply(x, align_corners)


class _Nearest(torch.autograd.Function):
    """The gradient of a pixel is the sum of those of its four copies."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="nearest")

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return F.avg_pool2d(gradient, 2, divisor_override=1)


def _compiled_for_training(x: Tensor) -> bool:
    return torch.compiler.is_compiling() and not torch.compiler.is_exporting() and x.requires_grad


class _Bilinear(torch.autograd.Function):
    """The gradient of a pixel is a sum of those of the results that it is in, along the rows and then the columns."""

    @staticmethod
    def forward(context: Any, x: Tensor, align_corners: bool) -> Tensor:
        context.align_corners = align_corners
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=align_corners)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _gathered(_gathered(gradient, 3, context.align_corners), 2, context.align_corners), None


def _gathered(gradient: Tensor, along: int, align_corners: bool) -> Tensor:
    """Half as long: of the two results at a pixel one leans to the pixel before it, the other to the one after it."""
    size = gradient.shape[along] // 2
    where = torch.arange(size, device=gradient.device).view([-1 if axis == along else 1 for axis in range(4)])
    if align_corners:
        before = where / (2 * size - 1)
        after = (size - 1 - where) / (2 * size - 1)
    else:  # beyond the border there is nothing to lean to
        before = torch.where(where > 0, 0.25, 0.0)
        after = torch.where(where < size - 1, 0.25, 0.0)
    first, second = gradient.unflatten(along, (size, 2)).unbind(along + 1)
    to_previous = _shifted(first * before, along, -1)
    to_following = _shifted(second * after, along, 1)
    return (first * (1 - before) + second * (1 - after) + to_previous + to_following).to(gradient.dtype)


def _shifted(x: Tensor, along: int, by: int) -> Tensor:
    """Moved by a place, with zeros where nothing came from."""
    size = x.shape[along]
    kept = x.narrow(along, max(0, -by), size - 1)
    nothing = torch.zeros_like(x.narrow(along, 0, 1))
    return torch.cat((kept, nothing) if by < 0 else (nothing, kept), along)

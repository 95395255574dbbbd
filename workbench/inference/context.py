"""How far a network looks: found by following nan from one spot of the input to what it spoils of the output."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from workbench.models import SegmentationModel

SEARCHED = (512, 2048)
"""Pixels in a row that are tried; a network that spoils even the last of them is taken to look at the whole picture."""
EQUAL = 1e-9
"""Of the largest logit, in float64: rounding stays far below it, and a shift deep down in a new network above."""


@torch.inference_mode()
def context_of(model: SegmentationModel) -> int | None:
    """Pixels on each side of a pixel that can change its result, as a multiple of `size_multiple`.

    None where that is the whole picture (global pooling, self-attention), or where the result also depends on where
    in the picture a pixel lies (bilinear upsampling with aligned corners).
    """
    model = copy.deepcopy(model).cpu().double().eval()
    multiple, height = model.size_multiple, fitting(1, model.size_multiple, model.smallest_size)
    for width in SEARCHED:
        reach = _reach(model, height, fitting(width, multiple, model.smallest_size))
        if reach is not None:
            return reach if _is_the_same_elsewhere(model, height, reach) else None
    return None


def fitting(size: int, multiple: int, smallest: int = 1) -> int:
    """The least size from this one on that a network takes."""
    return -(-max(size, smallest) // multiple) * multiple


def _reach(model: SegmentationModel, height: int, width: int) -> int | None:
    """None where what is spoiled reaches the end of a strip that is `width` long."""
    multiple = model.size_multiple
    start = width // 2 // multiple * multiple
    strip = torch.zeros(1, model.in_channels, height, width, dtype=torch.float64)
    strip[..., start : start + multiple] = torch.nan
    columns = model(strip).logits.isnan().flatten(0, 2).any(0).nonzero()[:, 0]
    first, last = int(columns[0]), int(columns[-1])
    if first == 0 or last == width - 1:
        return None
    return fitting(max(start - first, last - start - multiple + 1), multiple)


def _is_the_same_elsewhere(model: SegmentationModel, height: int, reach: int) -> bool:
    """Whether a part of a strip gives what the whole gives, away from its ends."""
    multiple = model.size_multiple
    width = fitting(2 * reach + 8 * multiple, multiple, model.smallest_size)
    strip = torch.randn(
        1, model.in_channels, height, 2 * width, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    start = 3 * multiple
    whole, part = (model(x).logits for x in (strip, strip[..., start : start + width]))

    def inner(logits: Tensor, start: int) -> Tensor:
        return logits[..., start + reach : start + width - reach]

    difference = (inner(whole, start) - inner(part, 0)).abs().max()
    return bool(difference <= EQUAL * whole.abs().max())

"""What every model returns."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class ModelOutput(NamedTuple):
    """One forward pass: always all three, whatever the model."""

    logits: Tensor
    """[N, classes, h, w] at the image's size."""

    attention: dict[str, Tensor]
    """A gate's name to its map [N, 1, ceil(h / stride), ceil(w / stride)] in 0..1, deepest first; {} without gates."""

    auxiliary: tuple[Tensor, ...]
    """Logits of deep supervision or auxiliary heads, shallowest first, at the image's size; () without any."""

"""What data hands out: one picture with its mask, or a batch of them."""

from __future__ import annotations

from typing import Any, NamedTuple


class Sample(NamedTuple):
    """A picture and its mask; in a batch, `name` is a list and the arrays have a leading N.

    image is [channels, h, w] float32, normalised; mask is uint8 class ids [h, w] with 255 for pixels to ignore,
    or for a multilabel task 0/1 (255 to ignore) as [classes, h, w].
    """

    name: Any
    image: Any
    mask: Any

"""Test-time augmentation: a picture seen in several ways, the answers turned back and averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.errors import choices


class Pose(NamedTuple):
    """First scaled, then mirrored left to right, then turned by quarters."""

    scale: float = 1.0
    mirrored: bool = False
    quarters: int = 0

    def apply(self, picture: Tensor) -> Tensor:
        """[channels, h, w] as this pose shows it."""
        if self.scale != 1:
            size = [max(1, round(side * self.scale)) for side in picture.shape[-2:]]
            picture = _resized(picture, size)
        if self.mirrored:
            picture = picture.flip(-1)
        return picture.rot90(self.quarters, (-2, -1))

    def undo(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """What was calculated on the pose, as maps of the picture of that size."""
        maps = maps.rot90(-self.quarters, (-2, -1))
        if self.mirrored:
            maps = maps.flip(-1)
        return maps if maps.shape[-2:] == size else _resized(maps, list(size))


def _resized(maps: Tensor, size: list[int]) -> Tensor:
    return F.interpolate(maps[None], size, mode="bilinear", align_corners=False, antialias=True)[0]


TURNS = tuple(Pose(mirrored=mirrored, quarters=quarters) for mirrored in (False, True) for quarters in range(4))
SCALES = (Pose(scale=0.75), Pose(scale=1.25))

AUGMENTATIONS: dict[str, tuple[Pose, ...]] = {
    "none": (Pose(),),
    "flips": (Pose(), Pose(mirrored=True), Pose(quarters=2), Pose(mirrored=True, quarters=2)),
    "rotations": tuple(Pose(quarters=quarters) for quarters in range(4)),
    "scales": (Pose(), *SCALES),
    "all": (*TURNS, *SCALES),
}
"""The picture as it is comes first; all: the eight ways of laying it, and two more scales."""


def poses_of(name: str) -> tuple[Pose, ...]:
    """The poses behind a name of the table."""
    if name not in AUGMENTATIONS:
        raise choices("augmentation", name, AUGMENTATIONS)
    return AUGMENTATIONS[name]


class Spread(NamedTuple):
    """What several poses say together."""

    mean: Tensor
    """[channels, h, w]."""
    deviation: Tensor | None
    """[h, w]: the standard deviation over the poses, that of the channel where it is largest; None for one pose."""


def average(picture: Tensor, poses: tuple[Pose, ...], probabilities: Callable[[Tensor], Tensor]) -> Spread:
    """Mean and deviation of probabilities [channels, h, w] over the poses, one pose in memory at a time."""
    size = (picture.shape[-2], picture.shape[-1])
    mean, squares = torch.zeros(()), torch.zeros(())
    for count, pose in enumerate(poses, 1):
        seen = pose.undo(probabilities(pose.apply(picture)), size)
        step = seen - mean
        mean = mean + step / count
        squares = squares + step * (seen - mean)
    deviation = (squares / len(poses)).clamp(min=0).sqrt().amax(0) if len(poses) > 1 else None
    return Spread(mean, deviation)

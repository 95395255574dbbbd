"""A model's input to probabilities: in all poses, whole or in tiles, and how much the tiles change.

It knows neither files nor labels at the picture's own size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.data.geometry import Size
from workbench.errors import UserError
from workbench.inference.augmentation import average, poses_of
from workbench.inference.backend import Array, Backend
from workbench.inference.context import fitting
from workbench.inference.inputs import Input
from workbench.inference.tiling import TILE, Mosaic, Span, Tiling, choose_tiling, plan_tiles, stitched
from workbench.models.base import pad

Progress = Callable[[int, int], None]

WHOLE_PIXELS = 2 * TILE**2
"""An input of at most so many pixels goes through the network whole, unless a tile's size was asked for."""


class Calculated(NamedTuple):
    """Of a tile, or of a picture that is none."""

    maps: np.ndarray
    """Probabilities and, of several poses, their deviation: [channels or one more, h, w]."""
    attention: dict[str, np.ndarray]
    """[h / stride, w / stride], of the tile padded to what the network takes."""


class Calculation:
    """How a back end is asked: in which poses, and in tiles of which size."""

    def __init__(self, backend: Backend, augmentation: str, tile: int | None, overlap: int | None):
        for name, value, least in (("tile", tile, 1), ("overlap", overlap, 0)):
            if value is not None and value < least:
                raise UserError(f"{name} must be a number of pixels from {least} on, not {value}.")
        self._backend, self._facts = backend, backend.facts
        self._poses = poses_of(augmentation)
        self._tile, self._overlap = tile, overlap

    def bands(
        self, model_input: Input, mosaic: Mosaic | None, progress: Progress | None, notes: list[str]
    ) -> Iterator[np.ndarray]:
        """Probabilities and, of several poses, their deviation: [channels or one more, rows, width]."""
        tiling = self._tiling(model_input.size)
        if tiling is not None and not tiling.exact:
            notes.append(self._told_difference(model_input, tiling))
        maps = self._facts.task.channels + (len(self._poses) > 1)
        plan = plan_tiles(model_input.size, tiling, self._facts.size_multiple, maps)

        def calculate(row: Span, column: Span) -> np.ndarray:
            part = model_input.read(row.start, column.start, row.stop - row.start, column.stop - column.start)
            calculated = self._calculate(part)
            if mosaic is not None:
                mosaic.add(row, column, calculated.attention, self.padded((part.shape[-2], part.shape[-1])))
            return calculated.maps

        yield from stitched(plan, calculate, progress)

    def _tiling(self, size: Size) -> Tiling | None:
        """None where the input goes through the network whole."""
        whole = max(size) <= self._tile if self._tile else size[0] * size[1] <= WHOLE_PIXELS
        if whole:
            return None
        context, multiple = self._backend.context, self._facts.size_multiple
        smallest_scale = min(pose.scale for pose in self._poses)
        if context is not None:
            context = fitting(round(context / smallest_scale), multiple)
        tiling = choose_tiling(context, multiple, self._tile, self._overlap)
        return tiling._replace(exact=tiling.exact and smallest_scale == 1)

    def _calculate(self, part: Tensor) -> Calculated:
        """What the model says of [channels, h, w] in all poses; the attention is that of the picture as it is."""
        if len(part) != self._facts.in_channels:
            raise UserError(f"it has {len(part)} channels, but the model takes {self._facts.in_channels}")
        height, width = part.shape[-2:]
        first: dict[str, np.ndarray] = {}

        def probabilities(posed: Tensor) -> Tensor:
            nonlocal first
            tall, wide = posed.shape[-2:]
            logits, attention = self._backend(self._fitting(posed)[None])
            first = first or {name: _array(gate) for name, gate in attention.items()}
            return self._facts.task.probabilities(torch.as_tensor(logits))[0, :, :tall, :wide].cpu()

        # Padded before it is turned, so that the network's coarser grids lie alike in a tile and in the whole.
        spread = average(self._fitting(part), self._poses, probabilities)
        maps = spread.mean if spread.deviation is None else torch.cat((spread.mean, spread.deviation[None]))
        return Calculated(maps[:, :height, :width].numpy(), first)

    def _fitting(self, picture: Tensor) -> Tensor:
        return pad(picture[None], self._facts.size_multiple, self._facts.smallest_size)[0]

    def padded(self, size: Size) -> Size:
        """What the network is given for a picture of that size."""
        multiple, smallest = self._facts.size_multiple, self._facts.smallest_size
        return fitting(size[0], multiple, smallest), fitting(size[1], multiple, smallest)

    def _told_difference(self, model_input: Input, tiling: Tiling) -> str:
        """Tiled against whole on two tiles from the middle of the picture, in a sentence."""
        height, width = model_input.size
        task = self._facts.task
        tall, wide = min(tiling.size, height), min(2 * tiling.size - tiling.overlap, width)
        top, left = (height - tall) // 2, (width - wide) // 2
        part = model_input.read(top, left, tall, wide)
        plan = plan_tiles((tall, wide), tiling, self._facts.size_multiple, task.channels)

        def calculate(row: Span, column: Span) -> np.ndarray:
            return self._calculate(part[:, row.start : row.stop, column.start : column.stop]).maps

        whole = self._calculate(part).maps
        tiled = np.concatenate([*stitched(plan, calculate)], axis=1)
        difference = np.abs(whole - tiled)[: task.channels]
        labels = [task.labels_of(torch.from_numpy(maps[None, : task.channels])) for maps in (whole, tiled)]
        changed = float((labels[0] != labels[1]).float().mean())
        return (
            f"predicted in tiles of {tiling.size} pixels that overlap by {tiling.overlap}, while the model's result "
            f"depends on more of the picture than that: on {wide}x{tall} pixels of it, probabilities differ from those "
            f"of the whole by {difference.mean():.2g} on average and {difference.max():.2g} at most, and "
            f"{changed:.2%} of the labels"
        )


def _array(gate: Array) -> np.ndarray:
    """A map [1, 1, h, w] as float32 [h, w]."""
    return torch.as_tensor(gate)[0, 0].float().cpu().numpy()

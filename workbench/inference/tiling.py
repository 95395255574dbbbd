"""A large picture in tiles: where they lie, how their answers are put together, and when that equals the whole.

It knows sizes and arrays; not what calculates a tile, nor where a picture comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from workbench.errors import UserError
from workbench.inference.context import fitting

Size = tuple[int, int]

TILE = 896
"""Side of a tile unless asked otherwise."""
LARGEST_MARGIN = 512
"""A network that looks further is tiled like one that looks at the whole picture."""
BAND_BYTES = 256 << 20
"""What a row of tiles may need until it is finished."""


class Tiling(NamedTuple):
    """How a picture is cut; all in pixels of the model's input."""

    size: int
    """Side of a tile."""
    margin: int
    """What is left out of a tile at each side where it has a neighbour."""
    blend: int
    """How wide two neighbours cross-fade, between their margins."""
    exact: bool
    """Whether the result is that of the whole picture."""

    @property
    def overlap(self) -> int:
        """How far neighbours lie over each other."""
        return 2 * self.margin + self.blend


class Span(NamedTuple):
    """A tile along one axis."""

    start: int
    stop: int
    """What the network sees."""
    first: int
    last: int
    """What of it is used, the blend included."""
    fades_in: int = 0
    fades_out: int = 0
    """How much of what is used is blended with the neighbour."""

    @property
    def used(self) -> slice:
        """In the tile's own pixels."""
        return slice(self.first - self.start, self.last - self.start)

    @property
    def weights(self) -> np.ndarray:
        """Of the used pixels; those of two neighbours add up to 1."""
        weights = np.ones(self.last - self.first, np.float32)
        weights[: self.fades_in] = _ramp(self.fades_in)
        if self.fades_out:
            weights[-self.fades_out :] = 1 - _ramp(self.fades_out)
        return weights


def _ramp(length: int) -> np.ndarray:
    return (np.arange(length, dtype=np.float32) + 0.5) / max(length, 1)


def choose_tiling(context: int | None, multiple: int, size: int | None = None, overlap: int | None = None) -> Tiling:
    """Tiles that overlap by as much as the network looks around, or, where that is the whole picture, by a quarter.

    A size or an overlap that is asked for is kept, rounded to what the network takes.
    """
    if context is not None and context <= LARGEST_MARGIN and (overlap is None or overlap >= 2 * context):
        margin, blend, exact = context, 0, True
        size = fitting(size or max(TILE, 4 * margin), multiple)
    else:
        size = fitting(size or TILE, multiple)
        overlap = size // 4 if overlap is None else overlap
        blend = overlap // 2 // (2 * multiple) * 2 * multiple
        margin, exact = (overlap - blend) // 2 // multiple * multiple, False
    tiling = Tiling(size, margin, blend, exact)
    smallest = tiling.overlap + max(multiple, 2 * blend)
    if size < smallest:
        raise UserError(
            f"Tiles of {size} pixels are too small for an overlap of {tiling.overlap}: "
            f"choose tiles of at least {smallest}, or a smaller overlap."
        )
    return tiling


def spans(length: int, tiling: Tiling, multiple: int, size: int | None = None) -> list[Span]:
    """Tiles of about equal length along an axis; each begins at a multiple, none is longer than the tiling's size."""
    size = size or tiling.size
    if length <= size:
        return [Span(0, length, 0, length)]
    overlap = tiling.overlap
    longest = (size - overlap) // multiple * multiple
    count = -(-(length - overlap) // longest)
    step = min(longest, fitting(-(-(length - overlap) // count), multiple))
    count = -(-(length - overlap) // step)
    found = []
    for number in range(count):
        start = number * step
        first = start + tiling.margin if number else 0
        fades_in = tiling.blend if number else 0
        if number < count - 1:
            stop = start + step + overlap
            found.append(Span(start, stop, first, stop - tiling.margin, fades_in, tiling.blend))
        else:
            found.append(Span(start, length, first, length, fades_in, 0))
    return found


class Plan(NamedTuple):
    """All tiles of a picture: every row with every column."""

    rows: list[Span]
    columns: list[Span]

    @property
    def tiles(self) -> int:
        return len(self.rows) * len(self.columns)


def plan_tiles(size: Size, tiling: Tiling | None, multiple: int, maps: int) -> Plan:
    """Without a tiling the whole picture is one tile. Rows are lower where `maps` wide ones would need much memory."""
    height, width = size
    if tiling is None:
        return Plan([Span(0, height, 0, height)], [Span(0, width, 0, width)])
    affordable = BAND_BYTES // (4 * maps * width)
    lowest = max(multiple, 2 * tiling.blend)
    tallest = min(tiling.size, fitting(tiling.overlap + max(affordable, lowest), multiple))
    return Plan(spans(height, tiling, multiple, tallest), spans(width, tiling, multiple))


def stitched(
    plan: Plan, calculate: Callable[[Span, Span], np.ndarray], progress: Callable[[int, int], None] | None = None
) -> Iterator[np.ndarray]:
    """The maps [maps, h, w] that `calculate` gives for each tile, blended, as finished rows [maps, rows, width]
    from top to bottom.

    Only one row of tiles is in memory at a time.
    """
    done, width, carried = 0, plan.columns[-1].last, None
    for row in plan.rows:
        band: np.ndarray | None = None
        for column in plan.columns:
            tile = calculate(row, column)[:, row.used, column.used]
            done += 1
            if progress:
                progress(done, plan.tiles)
            if plan.tiles == 1:
                yield tile
                return
            if band is None:
                band = np.zeros((len(tile), row.last - row.first, width), np.float32)
                if carried is not None:
                    band[:, : row.fades_in] = carried
            band[..., column.first : column.last] += tile * (row.weights[:, None] * column.weights)
        assert band is not None
        finished = row.last - row.fades_out - row.first
        yield band[:, :finished]
        carried = band[:, finished:].copy()


class Mosaic:
    """Maps that are coarser than the picture, put together from tiles at their own resolution; each cell is one tile's.

    Filled while the tiles are calculated: {name: [h / stride, w / stride]}.
    """

    def __init__(self, size: Size):
        self.size = size
        """Of the picture, padded to what the network takes."""
        self.maps: dict[str, np.ndarray] = {}

    def add(self, row: Span, column: Span, maps: dict[str, np.ndarray], padded: Size) -> None:
        """The maps of one tile, which was padded to that size."""
        for name, tile in maps.items():
            strides = padded[0] // tile.shape[0], padded[1] // tile.shape[1]
            if name not in self.maps:
                cells = [side // stride for side, stride in zip(self.size, strides, strict=True)]
                self.maps[name] = np.zeros(cells, np.float32)
            whole, part = zip(
                *(_own_cells(*axis) for axis in zip((row, column), strides, tile.shape, strict=True)), strict=True
            )
            self.maps[name][whole] = tile[part]


def _own_cells(span: Span, stride: int, cells: int) -> tuple[slice, slice]:
    """Which cells of the whole and of the tile's map; neighbours share the blend half and half."""
    begin = (span.first - span.start + span.fades_in // 2) // stride
    end = (span.last - span.start - span.fades_out // 2) // stride if span.fades_out or span.last < span.stop else cells
    offset = span.start // stride
    return slice(offset + begin, offset + end), slice(begin, end)

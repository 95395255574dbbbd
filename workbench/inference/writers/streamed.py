"""Results of pictures that are too large for memory: tiled, packed TIFFs that grow row by row."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tifffile import TiffWriter

from workbench.data.reading import Facts
from workbench.errors import UserError
from workbench.inference.predictor import Rows, Stream
from workbench.inference.writers.files import replacing, with_ending, words
from workbench.inference.writers.pictures import WHOLE, ascii_only, class_list, resolution
from workbench.overlays import palette
from workbench.task import Task

TILE = 512
"""Side of the tiles in the files."""


class Layer(NamedTuple):
    """What one file holds of the result."""

    ending: str
    dtype: type
    description: str
    take: Callable[[Rows], np.ndarray]
    """[rows, width] of the file's numbers."""
    colours: np.ndarray | None = None


def _labels(task: Task, ending: str, dtype: type, coloured: bool) -> list[Layer]:
    if task.mode == "multilabel":
        named = enumerate(zip(task.classes, words(task.classes), strict=True))
        return [_class_labels(number, name, f"{ending}_{word}.tif", dtype) for number, (name, word) in named]
    colours = palette(task) if coloured else None
    return [Layer(f"{ending}.tif", dtype, class_list(task), lambda rows: rows.labels.astype(dtype), colours)]


def _class_labels(number: int, name: str, ending: str, dtype: type) -> Layer:
    return Layer(ending, dtype, name, lambda rows: rows.labels[number].astype(dtype))


def _probabilities(task: Task) -> list[Layer]:
    endings = [f"_probability_{word}.tif" for word in words(task.scored)]
    if task.channels == 1:
        endings = ["_probability.tif"]
    named = enumerate(zip(task.scored, endings, strict=True))
    return [_class_probability(number, name, ending) for number, (name, ending) in named]


def _class_probability(number: int, name: str, ending: str) -> Layer:

    def take(rows: Rows) -> np.ndarray:
        return (rows.probabilities[number] * WHOLE).round().astype(np.uint16)

    return Layer(ending, np.uint16, name, take)


LAYERS: dict[str, Callable[[Task], list[Layer]]] = {
    "label": lambda task: _labels(task, "_label", np.uint8, True),
    "tiff16": lambda task: _labels(task, "_label16", np.uint16, False),
    "probability": _probabilities,
}
"""What can be written of a picture that is never in memory as a whole; a file a class where classes overlap."""


def write_stream(stream: Stream, task: Task, base: Path, names: Sequence[str]) -> list[Path]:
    """The files of those names from LAYERS, all in one pass."""
    chosen = [layer for name in names for layer in LAYERS[name](task)]
    if not chosen:
        raise UserError(
            f"it is too large to be in memory as a whole, and of such only {', '.join(LAYERS)} can be written: choose "
            "one of them, or cut the picture into parts"
        )
    with ExitStack() as stack:
        files = [
            stack.enter_context(growing_tiff(with_ending(base, layer.ending), stream.facts, layer)) for layer in chosen
        ]
        for rows in stream.rows:
            for file, layer in zip(files, chosen, strict=True):
                file.append(layer.take(rows))
    return [with_ending(base, layer.ending) for layer in chosen]


@contextmanager
def growing_tiff(path: Path, facts: Facts, layer: Layer) -> Iterator[GrowingTiff]:
    """A tiled BigTIFF to append rows to; it takes its name when the block ends well."""
    options = {
        "photometric": "minisblack" if layer.colours is None else "palette",
        "colormap": None if layer.colours is None else layer.colours.T.astype(np.uint16) * 257,
        "description": ascii_only(layer.description),
        **resolution(facts),
    }
    with replacing(path) as part, ThreadPoolExecutor(1) as thread:
        file = GrowingTiff(part, (facts.height, facts.width), layer.dtype, options, thread)
        try:
            yield file
        except BaseException:
            file.give_up()
            raise
        file.finish()


class GrowingTiff:
    """Takes rows from top to bottom, and packs and writes them in a thread."""

    def __init__(
        self, path: Path, shape: tuple[int, int], dtype: type, options: dict[str, Any], thread: ThreadPoolExecutor
    ):
        self._width, self._dtype = shape[1], dtype
        self._waiting: np.ndarray = np.zeros((0, shape[1]), dtype)
        self._queue: queue.Queue[np.ndarray | None] = queue.Queue(maxsize=1)
        self._written: Future[None] = thread.submit(self._write, path, shape, options)

    def append(self, rows: np.ndarray) -> None:
        """The next rows [any number, width]."""
        self._waiting = np.concatenate((self._waiting, rows))
        whole = len(self._waiting) // TILE * TILE
        for top in range(0, whole, TILE):
            self._put(self._waiting[top : top + TILE])
        self._waiting = self._waiting[whole:].copy()

    def finish(self) -> None:
        """Writes what is left, and raises what went wrong on the way."""
        if len(self._waiting):
            self._put(self._waiting)
        self._put(None)
        self._written.result()

    def give_up(self) -> None:
        """Ends the thread, whatever it says about the rows that are missing."""
        self._put(None)
        wait([self._written])

    def _put(self, rows: np.ndarray | None) -> None:
        while not self._written.done():
            try:
                return self._queue.put(rows, timeout=0.2)
            except queue.Full:
                continue
        return None

    def _write(self, path: Path, shape: tuple[int, int], options: dict[str, Any]) -> None:
        with TiffWriter(path, bigtiff=True) as tiff:
            tiff.write(
                self._tiles(),
                shape=shape,
                dtype=self._dtype,
                tile=(TILE, TILE),
                compression="zlib",
                maxworkers=1,
                metadata=None,
                **options,
            )

    def _tiles(self) -> Iterator[np.ndarray]:
        while (rows := self._queue.get()) is not None:
            for left in range(0, self._width, TILE):
                tile: np.ndarray = np.zeros((TILE, TILE), self._dtype)
                part = rows[:, left : left + TILE]
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile

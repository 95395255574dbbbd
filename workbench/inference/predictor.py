"""A model and a picture of any size to a prediction at the picture's own size.

It knows no files but the pictures it is given, and writes none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from workbench.config import Preprocessing
from workbench.data.geometry import take_back
from workbench.data.reading import Facts, Limits, read_facts, read_picture
from workbench.errors import UserError
from workbench.inference.backend import Backend
from workbench.inference.backends import open_backend
from workbench.inference.calculation import Calculation, Progress
from workbench.inference.filters import Filters, filter_labels
from workbench.inference.inputs import Input, streamed_input, whole_input
from workbench.inference.prediction import AttentionMaps, Origin, Prediction, slice_ending
from workbench.inference.tiling import Mosaic
from workbench.models import SegmentationModel
from workbench.task import Task

MEMORY = 2 << 30
"""Bytes that a prediction may have in memory; a larger one is streamed or refused."""
STREAMED_ROWS = 128
NO_LIMITS = Limits(pixels=1 << 62, bytes=1 << 62, memory=1 << 62)


class Rows(NamedTuple):
    """Finished rows of a picture that is too large for a Prediction."""

    top: int
    labels: np.ndarray
    """As in a Prediction, but of these rows."""
    probabilities: np.ndarray
    deviation: np.ndarray | None


class Stream(NamedTuple):
    """A large picture's result, from top to bottom."""

    facts: Facts
    rows: Iterator[Rows]
    notes: list[str]


class Predictor:
    """Predicts one picture after another; calls from several threads wait for each other."""

    def __init__(
        self,
        source: SegmentationModel | str | Path | Backend,
        *,
        backend: str = "own",
        device: str = "auto",
        filters: Filters | None = None,
        augmentation: str = "none",
        tile: int | None = None,
        overlap: int | None = None,
        task: Task | None = None,
        preprocessing: Preprocessing | None = None,
    ):
        """`source` is a model, a run's folder, a file of weights, an exported file, or a back end.

        `backend` is a name from `workbench.inference.backends`: own is PyTorch for weights and for an exported file the
        runtime it was made for; auto is the fastest at hand.

        Pictures larger than a tile of that side are tiled; by default those of over two million pixels. `overlap` is
        how many pixels tiles share; by default as many as it takes to be exact. Task and preprocessing are those saved
        with the weights unless given.
        """
        if isinstance(source, SegmentationModel | str | Path):
            source = open_backend(source, backend, device, task=task, preprocessing=preprocessing)
        self.backend: Backend = source
        self.facts = source.facts
        self.filters = filters or Filters(self.facts.threshold)
        self.filters.check()
        self._calculation = Calculation(source, augmentation, tile, overlap)
        self._lock = threading.Lock()

    @property
    def task(self) -> Task:
        """The classes that are told apart."""
        return self.facts.task

    def __call__(
        self,
        picture: str | Path | np.ndarray,
        *,
        index: int = 0,
        axis: int | None = None,
        progress: Progress | None = None,
    ) -> Prediction:
        """The prediction for a file (the slice `index` of a stack) or an array [h, w] or [h, w, channels].

        `progress` is told how many tiles are done, and of how many.
        """
        if isinstance(picture, np.ndarray):
            picture = picture[..., None] if picture.ndim == 2 else picture
            with _naming("The picture"):
                return self._predict("picture", picture, _facts_of(picture), None, progress)
        path = Path(picture)
        with _naming(path):
            facts = read_facts(path, index=index, axis=axis)
            if self.is_large(facts):
                raise UserError(
                    f"it has {facts.width}x{facts.height} pixels, whose prediction does not fit into "
                    f"{MEMORY / 1e9:.1f} GB: `workbench predict --write label` streams it to disk"
                )
            array, facts = read_picture(path, index=index, axis=axis)
            name = name_of(path) + slice_ending(index, facts.slices)
            return self._predict(name, array, facts, Origin(path, index, axis), progress)

    def is_large(self, facts: Facts) -> bool:
        """Whether a picture's prediction is more than memory should hold."""
        attention = 4 / 3
        a_pixel = 4 * (2 * self.task.channels + attention + self.facts.in_channels + facts.channels)
        return facts.height * facts.width * a_pixel > MEMORY

    @contextmanager
    def stream(self, path: str | Path, *, index: int = 0, progress: Progress | None = None) -> Iterator[Stream]:
        """A picture of any size as finished rows; a TIFF is read by regions. For preprocessing that does not resize."""
        path = Path(path)
        with _naming(path):
            if self.facts.preprocessing.resize != "none":
                raise UserError(
                    f"it is too large for a model that resizes whole pictures "
                    f"({self.facts.preprocessing.resize}); cut or shrink it, or train with preprocessing.resize none"
                )
            if self.filters.by_object:
                raise UserError("it is too large to look at whole objects in it: leave their filters out")
            with self._lock, streamed_input(path, index, self.facts.preprocessing) as (model_input, facts):
                notes = [*facts.notes]
                yield Stream(facts, self._rows(model_input, progress, notes), notes)

    def _predict(
        self, name: str, picture: np.ndarray, facts: Facts, origin: Origin | None, progress: Progress | None
    ) -> Prediction:
        with self._lock:
            model_input = whole_input(picture, self.facts.preprocessing)
            fit, notes = model_input.fit, [*facts.notes]
            mosaic = Mosaic(self._calculation.padded(model_input.size))
            rows = [*self._calculation.bands(model_input, mosaic, progress, notes)]
        maps = take_back(rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1), fit)
        probabilities, deviation = self._split(maps)
        return Prediction(
            name,
            self.task,
            picture,
            facts,
            filter_labels(self._labels(probabilities), self.task, self.filters),
            probabilities,
            AttentionMaps(mosaic.maps, mosaic.size, fit),
            deviation,
            tuple(notes),
            origin,
        )

    def _rows(self, model_input: Input, progress: Progress | None, notes: list[str]) -> Iterator[Rows]:
        """A few at a time, since whoever takes them makes copies of them."""
        top = 0
        for band in self._calculation.bands(model_input, None, progress, notes):
            for start in range(0, band.shape[1], STREAMED_ROWS):
                probabilities, deviation = self._split(band[:, start : start + STREAMED_ROWS])
                yield Rows(top + start, self._labels(probabilities), probabilities, deviation)
            top += band.shape[1]
            del band, probabilities, deviation  # before the next row of tiles is calculated

    def _split(self, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        if not np.isfinite(maps).all():
            raise UserError(
                "the model's result is no number everywhere: the picture has values that are nan or infinite, or the "
                "weights have; mend the picture, or take another model."
            )
        channels = self.task.channels
        return maps[:channels], maps[channels] if len(maps) > channels else None

    def _labels(self, probabilities: np.ndarray) -> np.ndarray:
        return self.task.labels_of(torch.from_numpy(probabilities[None]), self.filters.threshold)[0].numpy()


def name_of(path: Path) -> str:
    """A picture's name without folder and suffix."""
    name = path.name.removesuffix(".gz")
    return name[: name.rfind(".")] if "." in name[1:] else name


def _facts_of(picture: np.ndarray) -> Facts:
    if picture.ndim != 3 or not picture.size or picture.dtype not in (np.uint8, np.uint16, np.float32):
        raise UserError(
            f"it must be an array [height, width] or [height, width, channels] of uint8, uint16 or float32, not "
            f"{picture.dtype} {list(picture.shape)}."
        )
    height, width, channels = picture.shape
    return Facts(width, height, channels, picture.dtype.itemsize * 8, "array")


@contextmanager
def _naming(picture: str | Path) -> Iterator[None]:
    """Sentences about a picture say which one."""
    try:
        yield
    except UserError as error:
        if str(picture) in str(error):
            raise
        raise UserError(f"{picture}: {str(error).rstrip('.')}.") from error

"""A model's scores on one split, picture by picture, at the size it was trained at and at the pictures' own size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from workbench.data.dataset import PreparedDataset
from workbench.data.full_size import FullSize
from workbench.data.geometry import take_back
from workbench.errors import UserError
from workbench.inference.histograms import count_probabilities
from workbench.inference.surface import surface_scores
from workbench.metrics import confusion, count
from workbench.task import IGNORE, Task

Predict = Callable[[Tensor], Tensor]
"""A batch of inputs [N, channels, h, w] to probabilities [N, classes, h, w]."""

Progress = Callable[[int, int], None]


class Counted(NamedTuple):
    """Arrays with a row a picture."""

    sizes: np.ndarray
    """[pictures, 2] own height and width."""
    at_training_size: np.ndarray
    """[pictures, scored classes, 4] true positives, false positives, false negatives, true negatives."""
    at_own_size: np.ndarray
    """The same at the pictures' own size; no rows where their files were not at hand."""
    confusion: np.ndarray
    """[pictures, truth, prediction] pixels of a binary or multiclass task, at the finest size; else no rows."""
    hd95: np.ndarray
    """[pictures, scored classes], at the finest size, in millimetres where the file knows its spacing, else pixels."""
    boundary_f: np.ndarray
    """[pictures, scored classes], at the finest size."""
    histograms: np.ndarray
    """[pictures, scored classes, 2, 256] probabilities by truth, at the finest size."""

    @property
    def finest(self) -> np.ndarray:
        """Counts at the pictures' own size, or at training size where there are no others."""
        return self.at_own_size if len(self.at_own_size) else self.at_training_size

    @classmethod
    def join(cls, parts: Sequence[Counted]) -> Counted:
        """One after another."""
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def take(self, rows: Sequence[int]) -> Counted:
        """Other rows, or another order."""
        return Counted(*(array[rows] if len(array) else array for array in self))


@dataclass(frozen=True)
class Evaluation:
    """What was counted, and how."""

    task: Task
    split: str
    threshold: float
    batch: int
    """Pictures a batch, which batch_iou depends on."""
    names: tuple[str, ...]
    counted: Counted | None
    """None only for a process that had no picture to count."""

    @classmethod
    def join(cls, parts: Sequence[Evaluation], order: Sequence[str]) -> Evaluation:
        """One evaluation of what several processes evaluated, in the order of the given names."""
        place = {name: number for number, name in enumerate(name for part in parts for name in part.names)}
        counted = Counted.join([part.counted for part in parts if part.counted])
        return replace(parts[0], names=tuple(order), counted=counted.take([place[name] for name in order]))


def evaluate(
    predict: Predict,
    dataset: PreparedDataset,
    full_size: FullSize | None = None,
    *,
    batch: int = 8,
    threshold: float = 0.5,
    share: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> Evaluation:
    """Count everything for the pictures of a split; with `full_size` at their own size too.

    `share` (number, of how many) is the part that this process takes; `Evaluation.join` puts the parts together.
    Batches are the same for any number of processes, and so are the numbers.
    """
    if not len(dataset):
        raise UserError("There are no pictures in this split to evaluate; choose another, or split again.")
    number, shares = share
    batches = list(_batches(dataset, batch))[number::shares]
    total, names, rows = sum(map(len, batches)), [], []
    for indices in batches:
        for name, row in _rows(predict, dataset, full_size, indices, threshold):
            names.append(name)
            rows.append(row)
        if progress:
            progress(len(names), total)
    prepared = dataset.prepared
    split = next(name for name, numbers in prepared.splits.items() if numbers == dataset.numbers)
    counted = Counted.join(rows) if rows else None
    part = Evaluation(prepared.task, split, threshold, batch, tuple(names), counted)
    return part if shares > 1 else Evaluation.join([part], names_of(dataset))


def names_of(dataset: PreparedDataset) -> list[str]:
    """The pictures of a split in its order."""
    return [dataset.prepared.names[number] for number in dataset.numbers]


def _batches(dataset: PreparedDataset, batch: int) -> Iterator[list[int]]:
    """Indices whose pictures have one size, at most `batch` of them."""
    entries = dataset.prepared.entries

    def shape(index: int) -> tuple[int, ...]:
        return entries[dataset.numbers[index]].image_shape

    for _, alike in groupby(sorted(range(len(dataset)), key=shape), key=shape):
        indices = list(alike)
        yield from (indices[start : start + batch] for start in range(0, len(indices), batch))


def _rows(
    predict: Predict, dataset: PreparedDataset, full_size: FullSize | None, indices: list[int], threshold: float
) -> Iterator[tuple[str, Counted]]:
    prepared = dataset.prepared
    whole = dataset.__getitems__(indices).whole
    probabilities = predict(whole.image)
    for place, index in enumerate(indices):
        number = dataset.numbers[index]
        entry = prepared.entries[number]
        small = View(probabilities[place].numpy(), whole.mask[place].numpy(), prepared.task, threshold)
        own = None
        if full_size:
            own = small._replace(
                probabilities=take_back(small.probabilities, prepared.fit(number)), mask=full_size.mask(number)
            )
        yield entry.name, _count(small, own, entry.original, entry.spacing)


class View(NamedTuple):
    """One picture's probabilities [channels, h, w] and mask at one size."""

    probabilities: np.ndarray
    mask: np.ndarray
    task: Task
    threshold: float

    @property
    def labels(self) -> np.ndarray:
        """The mask that was predicted."""
        return self.task.labels_of(torch.from_numpy(self.probabilities)[None], self.threshold)[0].numpy()

    @property
    def planes(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For every scored class where it was found and where it is, without the pixels to ignore."""
        labels, task = self.labels, self.task
        for number in range(len(task.scored)):
            ours, theirs = (x[number] if task.mode == "multilabel" else x for x in (labels, self.mask))
            wanted, used = number if task.mode == "multiclass" else 1, theirs != IGNORE
            yield (ours == wanted) & used, (theirs == wanted) & used

    def counts(self) -> np.ndarray:
        """[1, scored classes, 4]."""
        return count(*self._tensors(), self.task).numpy()

    def confusion(self) -> np.ndarray:
        """[1, truth, prediction]; no row for multilabel."""
        if self.task.mode == "multilabel":
            return np.zeros((0, 1, 1), np.int64)
        return confusion(*self._tensors(), len(self.task.classes)).numpy()

    def _tensors(self) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.labels)[None], torch.from_numpy(self.mask)[None]


def _count(small: View, own: View | None, size: tuple[int, int], spacing: tuple[float, float] | None) -> Counted:
    finest = own or small
    pixel = spacing if own and spacing else (1.0, 1.0)
    outlines = [surface_scores(ours, theirs, pixel) for ours, theirs in finest.planes]
    counts = small.counts()
    return Counted(
        sizes=np.array([size]),
        at_training_size=counts,
        at_own_size=own.counts() if own else counts[:0],
        confusion=finest.confusion(),
        hd95=np.array([[outline.hd95 for outline in outlines]]),
        boundary_f=np.array([[outline.boundary_f for outline in outlines]]),
        histograms=count_probabilities(finest.probabilities, finest.mask, finest.task)[None],
    )


def model_probabilities(model: torch.nn.Module, task: Task, device: torch.device | str = "cpu") -> Predict:
    """What a network in evaluation mode gives, as `evaluate` asks for it."""
    model = model.eval().to(device)

    def predict(images: Tensor) -> Tensor:
        with torch.inference_mode():
            return task.probabilities(model(images.to(device)).logits).cpu()

    return predict

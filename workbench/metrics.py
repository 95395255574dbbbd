"""Scores of label masks against true masks, and the three ways of averaging them; knows no model and no file.

Counts come first: of every picture and class the true positives, false positives, false negatives and true negatives,
without the pixels to ignore. A score is a ratio of counts, averaged in a way that its name tells:

| name | average |
|---|---|
| `dice` | per class: counts of all pictures together, one ratio a class, the mean over classes (for Jaccard: mIoU) |
| `dice_per_picture` | one ratio a picture and class, the mean over a picture's classes, the mean over pictures |
| `dice_all_pixels` | counts of all pictures and classes together, one ratio |
| `dice[nucleus]` | one class: counts of all pictures together, one ratio |
| `accuracy`, `accuracy_per_picture` | share of pixels with the right label, of all pictures or the mean over pictures |
| `batch_iou` | Jaccard of all pixels of a batch, smoothed by 1e-5, the mean over batches weighted by their pictures |

A ratio of nothing to nothing (a class that is neither there nor found) says nothing and takes no part in a mean; a
score of which nothing is left is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from workbench.task import Task

Ratio = tuple[Tensor, Tensor]

RATIOS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Ratio]] = {
    "sensitivity": lambda tp, fp, fn, tn: (tp, tp + fn),
    "specificity": lambda tp, fp, fn, tn: (tn, tn + fp),
    "precision": lambda tp, fp, fn, tn: (tp, tp + fp),
    "f1": lambda tp, fp, fn, tn: (2 * tp, 2 * tp + fp + fn),
    "dice": lambda tp, fp, fn, tn: (2 * tp, 2 * tp + fp + fn),
    "jaccard": lambda tp, fp, fn, tn: (tp, tp + fp + fn),
}
"""Numerator and denominator of every score of a class; Dice and F1 are the same ratio under two names."""

TOLD_BY_CLASS = ("jaccard", "dice")


def confusion(labels: Tensor, mask: Tensor, classes: int) -> Tensor:
    """How many pixels of each picture have a true class and a predicted class: [N, truth, prediction].

    Both are class ids [N, h, w]; pixels whose true id is not below `classes` are ignored.
    """
    cells = classes * (classes + 1)
    cell = mask.clamp(max=classes).to(torch.int32) * classes + labels
    cell = cell.flatten(1) + torch.arange(len(mask), device=mask.device, dtype=torch.int32)[:, None] * cells
    counts = torch.zeros(len(mask) * cells, dtype=torch.int64, device=mask.device)
    index = cell.flatten().long()
    counts.scatter_add_(0, index, counts.new_ones(()).expand_as(index))
    return counts.view(len(mask), classes + 1, classes)[:, :classes]


def count(labels: Tensor, mask: Tensor, task: Task) -> Tensor:
    """[N, scored classes, 4] true positives, false positives, false negatives, true negatives of a mask batch."""
    if task.mode == "multilabel":
        each = confusion(labels.flatten(0, 1), mask.flatten(0, 1), 2)
        return _outcomes(each)[:, 1].unflatten(0, mask.shape[:2])
    outcomes = _outcomes(confusion(labels, mask, len(task.classes)))
    return outcomes[:, 1:] if task.mode == "binary" else outcomes


def _outcomes(confusion: Tensor) -> Tensor:
    right = confusion.diagonal(dim1=1, dim2=2)
    wrongly_found = confusion.sum(1) - right
    missed = confusion.sum(2) - right
    rest = confusion.sum((1, 2))[:, None] - right - wrongly_found - missed
    return torch.stack((right, wrongly_found, missed, rest), -1)


def ratios(counts: Tensor) -> Tensor:
    """[..., 4] counts to [..., scores] in the order of RATIOS; nan for nothing to nothing."""
    outcomes = counts.to(_real(counts.device)).unbind(-1)
    pairs = [ratio(*outcomes) for ratio in RATIOS.values()]
    return torch.stack([above for above, _ in pairs], -1) / torch.stack([below for _, below in pairs], -1)


def accuracy(counts: Tensor, task: Task) -> Tensor:
    """[..., classes, 4] counts to [...] shares of pixels with the right label; nan if every pixel is ignored."""
    counts = counts.to(_real(counts.device))
    right = counts[..., 0] if task.mode == "multiclass" else counts[..., 0] + counts[..., 3]
    pixels = counts.sum(-1)
    if task.mode == "multiclass":
        pixels = pixels[..., :1]
    return right.sum(-1) / pixels.sum(-1)


def batch_iou(counts: Tensor) -> Tensor:
    """The IoU of pytorch-nested-unet from the counts of one batch."""
    found, wrongly_found, missed, _ = counts.to(_real(counts.device)).sum((0, 1))
    return (found + 1e-5) / (found + wrongly_found + missed + 1e-5)


def _real(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64


def score_names(task: Task) -> tuple[str, ...]:
    """Every name that `Tally.scores` may give for this task."""
    averaged = [f"{name}{average}" for average in ("", "_per_picture", "_all_pixels") for name in RATIOS]
    classes = [f"{name}[{class_name}]" for name in TOLD_BY_CLASS for class_name in _told(task)]
    return (*averaged, "accuracy", "accuracy_per_picture", "batch_iou", *classes)


def _told(task: Task) -> tuple[str, ...]:
    return task.scored if len(task.scored) > 1 else ()


class Tally:
    """Sums from which the scores of any number of pictures follow; stays on its device until it is asked.

    Tallies of other processes, or of earlier, are added up by their `sums`.
    """

    def __init__(self, task: Task, device: torch.device | str = "cpu") -> None:
        self.task = task
        device = torch.device(device)
        of_ratios = torch.zeros(len(RATIOS) + 1, dtype=_real(device), device=device)
        self.sums: dict[str, Tensor] = {
            "counts": torch.zeros((len(task.scored), 4), dtype=torch.int64, device=device),
            "of_pictures": of_ratios,
            "pictures_that_count": of_ratios.clone(),
            "batch_iou": of_ratios.new_zeros(()),
            "pictures": torch.zeros((), dtype=torch.int64, device=device),
        }

    def add(self, labels: Tensor, mask: Tensor) -> None:
        """Count one batch."""
        counts = count(labels, mask, self.task)
        of_pictures = torch.cat((ratios(counts).nanmean(1), accuracy(counts, self.task)[:, None]), 1)
        self.add_sums(
            {
                "counts": counts.sum(0),
                "of_pictures": of_pictures.nansum(0),
                "pictures_that_count": of_pictures.isfinite().sum(0),
                "batch_iou": batch_iou(counts) * len(mask),
                "pictures": torch.tensor(len(mask)),
            }
        )

    def add_sums(self, sums: dict[str, Tensor]) -> None:
        """Add what another tally counted."""
        for name, total in self.sums.items():
            total += sums[name]

    def by_class(self) -> dict[str, dict[str, float]]:
        """Every score of every scored class, counted over all pictures; nan where it says nothing."""
        table = ratios(self.sums["counts"].cpu()).tolist()
        return {name: dict(zip(RATIOS, row, strict=True)) for name, row in zip(self.task.scored, table, strict=True)}

    def scores(self) -> dict[str, float]:
        """All scores by name, without those that say nothing."""
        sums = {name: total.cpu() for name, total in self.sums.items()}
        per_class = ratios(sums["counts"])
        per_picture = sums["of_pictures"] / sums["pictures_that_count"]
        values = {
            **_named(per_class.nanmean(0), ""),
            **_named(per_picture, "_per_picture"),
            **_named(ratios(sums["counts"].sum(0)), "_all_pixels"),
            "accuracy": accuracy(sums["counts"], self.task).item(),
            "accuracy_per_picture": per_picture[-1].item(),
            "batch_iou": (sums["batch_iou"] / sums["pictures"]).item(),
        }
        for column, name in enumerate(RATIOS):
            if name in TOLD_BY_CLASS:
                told = zip(_told(self.task), per_class[:, column].tolist(), strict=False)
                values |= {f"{name}[{class_name}]": value for class_name, value in told}
        return {name: value for name, value in values.items() if value == value}


def _named(values: Tensor, average: str) -> dict[str, float]:
    return {f"{name}{average}": value for name, value in zip(RATIOS, values.tolist(), strict=False)}

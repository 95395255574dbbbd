"""Scores against an independent calculation, pixel by pixel, over a grid of tasks, sizes, batches and odd masks."""

import math
import time
from itertools import product

import numpy as np
import pytest
import torch

from workbench.metrics import RATIOS, Tally, batch_iou, confusion, count, score_names
from workbench.task import IGNORE, Task

TASKS = {
    "binary": Task(),
    "multiclass": Task(mode="multiclass", classes=("sky", "road", "traffic light", "car")),
    "multilabel": Task(mode="multilabel", classes=("nucleus", "membrane", "debris")),
}
FORMULAS = {
    "sensitivity": lambda tp, fp, fn, tn: (tp, tp + fn),
    "specificity": lambda tp, fp, fn, tn: (tn, fp + tn),
    "precision": lambda tp, fp, fn, tn: (tp, fp + tp),
    "f1": lambda tp, fp, fn, tn: (tp, tp + (fp + fn) / 2),
    "dice": lambda tp, fp, fn, tn: (2 * tp, (tp + fp) + (tp + fn)),
    "jaccard": lambda tp, fp, fn, tn: (tp, tp + fp + fn),
}


def random_masks(task, pictures, seed, kind):
    generator = torch.Generator().manual_seed(seed)
    shape = (pictures, len(task.classes), 6, 5) if task.mode == "multilabel" else (pictures, 6, 5)
    high = 2 if task.mode in ("binary", "multilabel") else len(task.classes)
    labels, mask = (torch.randint(0, high, shape, generator=generator, dtype=torch.uint8) for _ in range(2))
    if kind == "ignored":
        mask[torch.rand(shape, generator=generator) < 0.3] = IGNORE
        mask[0] = IGNORE
    if kind == "rare":
        mask[mask == 1] = 0
        labels[1:][labels[1:] == 1] = 0
    if kind == "empty":
        mask[:], labels[:] = 0, 0
    return labels, mask


def planes(task, labels, mask):
    """One (class name, found, true, counts) of booleans for every picture and scored class, in plain numpy."""
    labels, mask = labels.numpy(), mask.numpy()
    for picture in range(len(mask)):
        row = []
        for name in task.scored:
            at = task.classes.index(name)
            found, true = labels[picture], mask[picture]
            if task.mode == "multilabel":
                found, true, at = found[at], true[at], 1
            used = true != IGNORE
            row.append((found[used] == at, true[used] == at))
        yield row


def brute_force(task, labels, mask, batches):
    """Every score by its definition in the documentation of workbench.metrics."""
    rows = [
        [tuple(int(np.sum(hit)) for hit in (f & t, f & ~t, ~f & t, ~f & ~t)) for f, t in row]
        for row in planes(task, labels, mask)
    ]

    def mean(values):
        values = [value for value in values if not math.isnan(value)]
        return sum(values) / len(values) if values else math.nan

    def divide(above, below):
        return above / below if below else math.nan

    def total(counts):
        return tuple(map(sum, zip(*counts, strict=True)))

    def right_share(pictures):
        if task.mode != "multiclass":
            tp, fp, fn, tn = total([counts for row in pictures for counts in row])
            return divide(tp + tn, tp + fp + fn + tn)
        return divide(sum(tp for row in pictures for tp, *_ in row), sum(sum(row[0]) for row in pictures))

    classes = {name: total([row[c] for row in rows]) for c, name in enumerate(task.scored)}
    expected = {}
    for name, formula in FORMULAS.items():
        expected[name] = mean([divide(*formula(*counts)) for counts in classes.values()])
        expected[f"{name}_per_picture"] = mean([mean([divide(*formula(*c)) for c in row]) for row in rows])
        expected[f"{name}_all_pixels"] = divide(*formula(*total([c for row in rows for c in row])))
    expected["accuracy"] = right_share(rows)
    expected["accuracy_per_picture"] = mean([right_share([row]) for row in rows])
    for name, counts in classes.items() if len(classes) > 1 else ():
        for score in ("jaccard", "dice"):
            expected[f"{score}[{name}]"] = divide(*FORMULAS[score](*counts))
    start, weighted = 0, 0.0
    for size in batches:
        tp, fp, fn, _ = total([c for row in rows[start : start + size] for c in row])
        weighted += size * (tp + 1e-5) / (tp + fp + fn + 1e-5)
        start += size
    expected["batch_iou"] = weighted / sum(batches)
    return {name: value for name, value in expected.items() if not math.isnan(value)}


@pytest.mark.parametrize(
    ("mode", "batches", "kind"),
    list(product(TASKS, [(7,), (3, 3, 1), (1,) * 7, (4, 3)], ["plain", "ignored", "rare", "empty"])),
)
def test_scores_are_those_of_a_calculation_by_hand(mode, batches, kind):
    task = TASKS[mode]
    labels, mask = random_masks(task, 7, seed=len(batches), kind=kind)
    tally = Tally(task)
    start = 0
    for size in batches:
        tally.add(labels[start : start + size], mask[start : start + size])
        start += size
    scores = tally.scores()
    assert scores == pytest.approx(brute_force(task, labels, mask, batches), rel=1e-12)
    assert set(scores) <= set(score_names(task))
    if kind == "plain":
        assert set(scores) == set(score_names(task))


@pytest.mark.parametrize("mode", TASKS)
def test_tallies_of_several_processes_add_up_to_that_of_one(mode):
    task = TASKS[mode]
    labels, mask = random_masks(task, 9, seed=3, kind="ignored")
    whole, parts = Tally(task), [Tally(task), Tally(task)]
    for number, at in enumerate(range(0, 9, 2)):
        whole.add(labels[at : at + 2], mask[at : at + 2])
        parts[number % 2].add(labels[at : at + 2], mask[at : at + 2])
    parts[0].add_sums(parts[1].sums)
    assert parts[0].scores() == pytest.approx(whole.scores(), rel=1e-12)


@pytest.mark.parametrize("mode", TASKS)
def test_what_is_predicted_where_it_is_ignored_changes_nothing(mode):
    task = TASKS[mode]
    labels, mask = random_masks(task, 4, seed=5, kind="ignored")
    other = torch.where(mask == IGNORE, 1 - labels.clamp(max=1), labels)
    assert not torch.equal(labels, other)
    assert torch.equal(count(labels, mask, task), count(other, mask, task))


def test_averages_differ_as_their_names_say():
    task = Task()
    mask = torch.zeros((2, 1, 10), dtype=torch.uint8)
    labels = mask.clone()
    mask[0, 0, :1], labels[0, 0, :1] = 1, 1
    mask[1, 0, :9] = 1
    scores = Tally(task)
    scores.add(labels, mask)
    assert scores.scores()["jaccard_per_picture"] == 0.5
    assert scores.scores()["jaccard"] == scores.scores()["jaccard_all_pixels"] == 0.1


def test_nothing_there_and_nothing_found_says_nothing():
    empty = torch.zeros((2, 4, 4), dtype=torch.uint8)
    scores = Tally(Task())
    scores.add(empty, empty)
    assert "dice" not in scores.scores()
    assert "precision" not in scores.scores()
    assert scores.scores()["accuracy"] == scores.scores()["specificity"] == scores.scores()["batch_iou"] == 1
    assert math.isnan(scores.by_class()["foreground"]["dice"])


def test_confusion_counts_truth_in_rows():
    truth, found = torch.tensor([[[0, 0, 2, IGNORE]]]), torch.tensor([[[0, 1, 2, 1]]])
    assert confusion(found, truth, 3).tolist() == [[[1, 1, 0], [0, 0, 0], [0, 0, 1]]]


def test_batch_iou_is_the_formula_of_pytorch_nested_unet():
    task = TASKS["multilabel"]
    logits, mask = torch.randn(4, 3, 8, 8), torch.randint(0, 2, (4, 3, 8, 8), dtype=torch.uint8)
    output, target = torch.sigmoid(logits).numpy() > 0.5, mask.numpy() > 0.5
    original = ((output & target).sum() + 1e-5) / ((output | target).sum() + 1e-5)
    assert batch_iou(count(task.labels(logits), mask, task)).item() == pytest.approx(original, rel=1e-12)


def test_by_class_has_every_score():
    task = TASKS["multiclass"]
    labels, mask = random_masks(task, 3, seed=0, kind="plain")
    tally = Tally(task)
    tally.add(labels, mask)
    table = tally.by_class()
    assert set(table) == set(task.classes)
    assert all(set(row) == set(RATIOS) for row in table.values())
    assert table["car"]["dice"] == tally.scores()["dice[car]"]


def test_counting_is_cheap():
    """A training step of the tiny demo model takes some 20 ms; 2 % of that is 0.4 ms."""
    labels, mask = torch.zeros((8, 64, 64), dtype=torch.uint8), torch.ones((8, 64, 64), dtype=torch.uint8)
    tally = Tally(Task())

    def seconds():
        start = time.perf_counter()
        tally.add(labels, mask)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(50)) < 0.002

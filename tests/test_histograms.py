"""Counts of probabilities against thresholding the pixels themselves."""

import numpy as np
import pytest
import torch

from workbench.inference.histograms import count_probabilities, curve, outcomes_at_thresholds, reliability
from workbench.metrics import count
from workbench.task import Task

BINARY = Task()
MULTILABEL = Task(mode="multilabel", classes=("a", "b", "c"))
MULTICLASS = Task(mode="multiclass", classes=("a", "b", "c"))


def example(task: Task, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.random((task.channels, 17, 13)).astype(np.float32)
    if task.mode == "multiclass":
        probabilities /= probabilities.sum(0)
    shape = (task.channels, 17, 13) if task.mode == "multilabel" else (17, 13)
    mask = rng.integers(0, 3 if task.mode == "multiclass" else 2, shape).astype(np.uint8)
    mask[rng.random(shape) < 0.1] = 255
    return probabilities, mask


@pytest.mark.parametrize("task", [BINARY, MULTILABEL], ids=lambda task: task.mode)
@pytest.mark.parametrize("place", [0, 1, 100, 128, 255])
def test_a_threshold_gives_the_counts_of_thresholded_labels(task, place):
    probabilities, mask = example(task)
    ours = outcomes_at_thresholds(count_probabilities(probabilities, mask, task))[:, place]
    labels = task.labels_of(torch.from_numpy(probabilities)[None], place / 256)
    expected = count(labels, torch.from_numpy(mask)[None], task)[0].numpy()
    np.testing.assert_array_equal(ours, expected)


def test_each_class_of_a_multiclass_task_stands_against_the_rest():
    probabilities, mask = example(MULTICLASS)
    histogram = count_probabilities(probabilities, mask, MULTICLASS)
    for number in range(3):
        assert histogram[number].sum(1).tolist() == [
            np.sum((mask != number) & (mask != 255)),
            np.sum(mask == number),
        ]


def test_the_curve_and_its_best_threshold():
    histogram = np.zeros((2, 256), int)
    histogram[0, :100], histogram[1, 60:] = 3, 5
    found = curve(histogram)
    for place in (0, 60, 99, 200):
        tp, fp, fn = histogram[1, place:].sum(), histogram[0, place:].sum(), histogram[1, :place].sum()
        assert found.precision[place] == pytest.approx(tp / (tp + fp))
        assert found.sensitivity[place] == pytest.approx(tp / (tp + fn))
        assert found.dice[place] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    assert found.best == np.argmax(found.dice)
    separable = np.zeros((2, 256), int)
    separable[0, :10], separable[1, 250:] = 1, 1
    assert curve(separable).best == 128


def test_calibration_of_probabilities_that_are_right_and_of_those_that_are_not():
    rng = np.random.default_rng(0)
    probabilities = rng.random((1, 400, 500)).astype(np.float32)
    honest = (rng.random((400, 500)) < probabilities[0]).astype(np.uint8)
    assert reliability(count_probabilities(probabilities, honest, BINARY)[0]).expected_error < 0.01
    sure = (probabilities[0] > 0.5).astype(np.uint8)
    error = reliability(count_probabilities(probabilities, sure, BINARY)[0]).expected_error
    assert error == pytest.approx(np.abs(probabilities[0] - sure).mean(), abs=0.01)


def test_no_pixels_say_nothing():
    histogram = np.zeros((2, 256), int)
    assert np.isnan(reliability(histogram).expected_error)
    assert np.isnan(curve(histogram).dice).all()

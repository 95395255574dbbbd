"""An evaluation as a viewer asks for it: the same numbers as everywhere, at any threshold, page by page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from workbench.errors import UserError
from workbench.inference.evaluation import Counted, Evaluation
from workbench.inference.evaluation_told import dice_at_threshold, pictures, told, told_at_threshold
from workbench.inference.histograms import count_probabilities, outcomes_at_thresholds
from workbench.inference.scores import picture_scores, scores_at_threshold, scores_by_threshold, summarise
from workbench.task import Task

TASKS = {
    "binary": Task(classes=("background", "nucleus")),
    "multiclass": Task(mode="multiclass", classes=("background", "disc", "box")),
    "multilabel": Task(mode="multilabel", classes=("disc", "box")),
}


def evaluation_of(task: Task, count: int = 7) -> Evaluation:
    """Of drawn numbers; the first picture has no true pixel of the last class."""
    rng = np.random.default_rng(3)
    shape = (count, task.channels, 16, 16)
    probabilities = rng.random(shape, np.float32)
    if task.mode == "multiclass":
        probabilities /= probabilities.sum(1, keepdims=True)
        masks = rng.integers(0, len(task.classes), (count, 16, 16)).astype(np.uint8)
    else:
        masks = (probabilities + rng.normal(0, 0.3, shape) > 0.5).astype(np.uint8)
        masks[0, -1] = 0
        masks = masks if task.mode == "multilabel" else masks[:, 0]
    histograms = np.stack([count_probabilities(p, m, task) for p, m in zip(probabilities, masks, strict=True)])
    counts = outcomes_at_thresholds(histograms)[:, :, 128]
    classes = len(task.classes)
    confusion = np.ones((0 if task.mode == "multilabel" else count, classes, classes), np.int64)
    some = rng.random((count, len(task.scored)))
    sizes = np.full((count, 2), 16)
    counted = Counted(sizes, counts, counts[:0], confusion, some, some, histograms)
    return Evaluation(task, "test", 0.5, 4, tuple(f"picture {n}" for n in range(count)), counted)


@pytest.fixture(params=TASKS)
def evaluation(request):
    return evaluation_of(TASKS[request.param])


@pytest.fixture(params=["binary", "multilabel"])
def with_threshold(request):
    return evaluation_of(TASKS[request.param])


def test_the_scores_of_all_thresholds_are_those_of_each(with_threshold):
    found = scores_by_threshold(with_threshold)
    outcomes = outcomes_at_thresholds(with_threshold.counted.histograms)
    for place in (1, 77, 128, 255):
        expected = scores_at_threshold(with_threshold, place / 256)
        each = picture_scores(outcomes[:, :, place], with_threshold.task)
        for name in ("dice", "precision", "specificity", "accuracy"):
            assert found[name][place] == pytest.approx(expected[name])
            assert found[f"{name}_per_picture"][place] == pytest.approx(np.nanmean(each[name]))


def test_intervals_at_a_threshold_hold_its_value_and_move_with_it(with_threshold):
    table = scores_by_threshold(with_threshold)
    for threshold in (0.25, 0.75):
        for name, (value, low, high) in told_at_threshold(with_threshold, threshold).items():
            assert low <= value <= high
            assert value == pytest.approx(table[name][int(256 * threshold)])
    assert told_at_threshold(with_threshold, 0.25)["dice"] != told_at_threshold(with_threshold, 0.75)["dice"]


def test_what_is_told_is_json_and_as_the_summary_has_it(evaluation):
    summary = summarise(evaluation)
    answer = told(evaluation, summary)
    assert json.dumps(answer, allow_nan=False)
    rows = {row["score"]: row for row in answer["sizes"][0]["rows"]}
    assert rows["dice"]["all"] == summary["at_training_size"]["dice"]
    assert (answer["by_threshold"] is None) == (evaluation.task.mode == "multiclass")
    assert (answer["confusion"] is None) == (evaluation.task.mode != "multiclass")
    assert [curve["name"] for curve in answer["curves"]] == list(evaluation.task.scored)


def test_pictures_come_in_the_order_and_the_range_that_is_asked_for(evaluation):
    def names(**asked):
        return [row["picture"] for row in pictures(evaluation, **asked)["rows"]]

    dice = {row["picture"]: row["dice"] for row in pictures(evaluation)["rows"]}
    assert names() == sorted(dice, key=lambda name: dice[name])
    assert names(descending=True) == names()[::-1]
    assert names(order="picture") == sorted(dice)
    assert names(named="URE 3") == ["picture 3"]
    low, high = sorted(dice.values())[2], sorted(dice.values())[4]
    assert len(names(least=low, most=high)) == 3
    assert names(start=5, count=1) == [names()[5]]
    with pytest.raises(UserError, match="order"):
        pictures(evaluation, order="beauty")


def test_pictures_of_which_nothing_is_known_come_last_either_way():
    evaluation = evaluation_of(TASKS["binary"])
    evaluation.counted.hd95[2] = np.nan
    for descending in (False, True):
        assert pictures(evaluation, "hd95", descending)["rows"][-1]["picture"] == "picture 2"


def test_the_dice_of_one_picture_at_a_threshold(evaluation):
    at_half = {row["picture"]: row["dice"] for row in pictures(evaluation)["rows"]}
    for name in evaluation.names:
        assert dice_at_threshold(evaluation, name, 0.5) == pytest.approx(at_half[name])

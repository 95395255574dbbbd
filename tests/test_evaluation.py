"""Evaluations of prepared sets against scores calculated picture by picture from the arrays themselves."""

import json

import numpy as np
import pytest
import torch
from networks import small

from workbench.config import DataConfig, Preprocessing
from workbench.data.dataset import evaluation_dataset
from workbench.data.full_size import FullSize
from workbench.data.geometry import take_back
from workbench.data.prepare import prepare
from workbench.inference.evaluation import Evaluation, evaluate, model_probabilities, names_of
from workbench.inference.scores import picture_rows, score_intervals, scores_at_threshold, summarise

MODES = ("binary", "multiclass", "multilabel")


@pytest.fixture(scope="module", params=MODES)
def trial(request, tmp_path_factory):
    """A prepared set of drawn pictures, a network with random weights, and its evaluation."""
    config = DataConfig(
        path=f"shapes:{request.param}",
        options={"count": 30, "size": 48},
        preprocessing=Preprocessing(size=(32, 32)),
        fractions=(0.5, 0.25, 0.25),
    )
    prepared = prepare(config, tmp_path_factory.mktemp("prepared") / request.param, workers=1)
    dataset = evaluation_dataset(prepared, config, "test")
    torch.manual_seed(0)
    predict = model_probabilities(small("unet", classes=prepared.task.channels), prepared.task)
    return predict, dataset, evaluate(predict, dataset, FullSize(prepared), batch=3)


def dice_of(ours: np.ndarray, theirs: np.ndarray) -> float:
    total = ours.sum() + theirs.sum()
    return 2 * (ours & theirs).sum() / total if total else np.nan


def labels_and_masks(predict, dataset, own_size: bool):
    prepared, task = dataset.prepared, dataset.prepared.task
    full_size = FullSize(prepared)
    for index, number in enumerate(dataset.numbers):
        sample = dataset[index]
        found = predict(sample.image[None])[0].numpy()
        mask = sample.mask.numpy()
        if own_size:
            found, mask = take_back(found, prepared.fit(number)), full_size.mask(number)
        if task.mode == "multiclass":
            labels = found.argmax(0)
            yield [(labels == c, mask == c) for c in range(len(task.classes))]
        elif task.mode == "binary":
            yield [(found[0] >= 0.5, mask == 1)]
        else:
            yield [(found[c] >= 0.5, mask[c] == 1) for c in range(len(task.classes))]


@pytest.mark.parametrize("own_size", [False, True], ids=["training size", "own size"])
def test_dice_pooled_and_per_picture(trial, own_size):
    predict, dataset, evaluation = trial
    pictures = list(labels_and_masks(predict, dataset, own_size))
    counts = evaluation.counted.at_own_size if own_size else evaluation.counted.at_training_size
    scores = {name: i.value for name, i in score_intervals(counts, evaluation.task).items()}
    pooled = [
        dice_of(
            np.concatenate([p[c][0].ravel() for p in pictures]), np.concatenate([p[c][1].ravel() for p in pictures])
        )
        for c in range(len(evaluation.task.scored))
    ]
    each = [np.nanmean([dice_of(ours, theirs) for ours, theirs in picture]) for picture in pictures]
    assert scores["dice"] == pytest.approx(np.nanmean(pooled))
    assert scores["dice_per_picture"] == pytest.approx(np.nanmean(each))
    right = [np.all([ours == theirs for ours, theirs in p], axis=0) for p in pictures]
    if evaluation.task.mode != "multilabel":
        assert scores["accuracy"] == pytest.approx(np.mean(right))


def test_both_sizes_are_named_and_intervals_hold_their_value(trial):
    _, _, evaluation = trial
    summary = summarise(evaluation)
    assert json.loads(json.dumps(summary)) == summary
    for size in ("at_training_size", "at_own_size"):
        for name, interval in summary[size].items():
            if interval["low"] is not None:
                assert interval["low"] - 0.1 <= interval["value"] <= interval["high"] + 0.1, name
    assert ("confusion" in summary) == (evaluation.task.mode == "multiclass")
    assert ("best_threshold" in summary) == (evaluation.task.mode != "multiclass")


def test_rows_come_worst_first(trial):
    _, dataset, evaluation = trial
    rows = picture_rows(evaluation)
    assert {row["picture"] for row in rows} == set(names_of(dataset))
    known = [row["dice"] for row in rows if row["dice"] is not None]
    assert known == sorted(known)
    assert all((row["height"], row["width"]) == (48, 48) for row in rows)


def test_parts_of_several_processes_are_the_whole(trial):
    predict, dataset, whole = trial
    parts = [evaluate(predict, dataset, FullSize(dataset.prepared), batch=3, share=(n, 4)) for n in range(4)]
    assert any(part.counted is None for part in parts)  # three batches for four processes
    joined = Evaluation.join(parts, names_of(dataset))
    assert joined.names == whole.names
    for ours, expected in zip(joined.counted, whole.counted, strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert summarise(joined) == summarise(whole)


def test_the_threshold_slider_is_exact_at_its_steps(trial):
    predict, dataset, evaluation = trial
    if evaluation.task.mode == "multiclass":
        pytest.skip("a multiclass task takes the likeliest class, whatever the threshold")
    again = evaluate(predict, dataset, FullSize(dataset.prepared), batch=3, threshold=96 / 256)
    expected = {name: i.value for name, i in score_intervals(again.counted.at_own_size, again.task).items()}
    ours = scores_at_threshold(evaluation, 96 / 256)
    assert {"dice", "jaccard_all_pixels", "accuracy"} <= ours.keys()
    assert all(ours[name] == pytest.approx(expected[name]) for name in ours if name in expected)


def test_without_the_files_there_is_the_training_size_alone(trial):
    predict, dataset, _ = trial
    evaluation = evaluate(predict, dataset)
    assert "at_own_size" not in summarise(evaluation)
    assert "dice_at_training_size" not in picture_rows(evaluation)[0]


def test_progress_counts_pictures(trial):
    predict, dataset, _ = trial
    seen = []
    evaluate(predict, dataset, batch=3, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(dataset), len(dataset))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)

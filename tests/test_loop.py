"""The trainer: what it learns, what it tells, and that every knob changes something."""

from itertools import groupby

import pytest
import torch
from small_training import MULTICLASS, Discs, SmallNet, config, trainer, weights
from torch import nn

from workbench.config import TrainingConfig
from workbench.errors import UserError
from workbench.knobs import knob_paths
from workbench.models import create_model
from workbench.task import Task
from workbench.training import Trainer


def complete(records, split="valid"):
    return [progress for progress in records if progress.complete and progress.split == split]


def test_an_attention_unet_learns_to_find_discs():
    torch.manual_seed(0)
    model = create_model("attention_unet", in_channels=3, classes=1, width=4, depth=3)
    records = list(trainer(model, train=24, valid=8, epochs=8, learning_rate=0.02))
    valid = complete(records)
    assert valid[-1].metrics["dice"] > 0.8
    assert valid[-1].metrics["dice"] > valid[0].metrics["dice"]
    losses = [progress.losses["loss"] for progress in complete(records, "train")]
    assert losses[-1] < 0.6 * losses[0]


def test_a_multiclass_task_with_an_auxiliary_output():
    torch.manual_seed(0)
    model = SmallNet(3, width=16, dropout=0.0, auxiliary=True)
    records = list(trainer(model, train=24, task=MULTICLASS, epochs=8, learning_rate=0.05, auxiliary_weight=0.4))
    last = complete(records)[-1]
    assert set(last.losses) == {"loss", "cross_entropy", "dice", "auxiliary"}
    assert last.metrics["jaccard[disc]"] > 0.5
    assert last.score == pytest.approx(last.metrics["jaccard"] + last.metrics["dice"])


def test_what_is_told_and_when():
    records = list(trainer(train=10, valid=5, epochs=2))
    kinds = [(split, whole) for (split, whole), _ in groupby(records, key=lambda p: (p.split, p.complete))]
    assert kinds == 2 * [("train", False), ("train", True), ("valid", False), ("valid", True)]
    steps = [p for p in records if p.split == "train" and not p.complete]
    assert [p.step for p in steps] == [1, 2, 3, 4, 5, 6]
    assert [p.epoch for p in records if p.complete] == [1, 1, 2, 2]
    assert {(p.epochs, p.total_steps) for p in records} == {(2, 6)}
    assert [(p.done, p.pictures) for p in steps[:3]] == [(4, 10), (8, 10), (10, 10)]
    assert [(p.done, p.pictures) for p in records if p.split == "valid"][:3] == [(4, 5), (5, 5), (5, 5)]
    assert all(set(p.losses) == {"loss"} and not p.metrics for p in steps)
    assert complete(records)[0].best
    assert all(p.score is not None for p in complete(records))
    assert records[-1].images_per_second > 0


def test_epoch_losses_are_means_over_pictures():
    records = list(trainer(train=10, valid=None, epochs=1))
    steps, whole = records[:-1], records[-1]
    sizes = [4, 4, 2]
    mean = sum(p.losses["loss"] * size for p, size in zip(steps, sizes, strict=True)) / 10
    assert whole.losses["loss"] == pytest.approx(mean)


def test_validation_does_not_depend_on_its_batches_but_batch_iou_does():
    def scores(batch):
        model = SmallNet(norm=False)
        model.load_state_dict(trained)
        return complete(list(trainer(model, valid=7, epochs=1, batch=batch, optimizer__learning_rate=1e-12)))[-1]

    trained = SmallNet(norm=False).state_dict()
    one, three = scores(1), scores(3)
    different = {name for name, value in one.metrics.items() if value != pytest.approx(three.metrics[name], rel=1e-6)}
    assert different == {"batch_iou"}
    assert one.losses["loss"] == pytest.approx(three.losses["loss"], rel=1e-5)


def test_without_validation():
    records = list(trainer(valid=None))
    assert {p.split for p in records} == {"train"}


@pytest.mark.parametrize("accumulation", [2, 3])
def test_accumulation_is_one_large_batch_also_for_what_is_left_over(accumulation):
    def result(batch, accumulation):
        torch.manual_seed(1)
        model = SmallNet(norm=False, dropout=0.0)
        knobs = {"optimizer.name": "sgd", "optimizer.learning_rate": 0.1}
        records = list(trainer(model, train=17, batch=batch, accumulation=accumulation, **knobs))
        return weights(model), [p.losses["loss"] for p in records if p.split == "train"]

    ours, our_losses = result(2, accumulation)
    large, large_losses = result(2 * accumulation, 1)
    torch.testing.assert_close(ours, large, rtol=1e-5, atol=1e-6)
    assert our_losses == pytest.approx(large_losses, rel=1e-5)


def test_the_moving_average_is_what_is_validated_and_kept():
    torch.manual_seed(0)
    model = SmallNet()
    training = trainer(model, valid=None, epochs=1, ema=0.7)
    expected = None
    for progress in training:
        if progress.complete:
            break
        now = model.head.weight.detach().clone()
        expected = now if expected is None else 0.7 * expected + 0.3 * now
    assert training.evaluated_model is not model
    torch.testing.assert_close(training.evaluated_model.head.weight, expected)
    assert training.evaluated_model.body[1].num_batches_tracked >= 0


def test_stopping_ends_after_the_step_at_work_and_goes_on_later():
    training = trainer(train=10, epochs=2)
    for progress in training:
        if progress.step == 2:
            training.stop()
    assert progress.step == 2
    assert training.outcome == "open"
    assert [p.step for p in training if p.split == "train" and not p.complete] == [3, 4, 5, 6]
    assert training.outcome == "finished"
    assert list(training) == []


def test_early_stopping_counts_validations_without_a_new_best():
    training = trainer(epochs=50, early_stopping=3, best="0 * dice")
    records = complete(list(training))
    assert [p.best for p in records] == [True, False, False, False]
    assert training.outcome == "early"


def test_iterations_instead_of_epochs():
    records = list(trainer(train=10, iterations=5, validate_every=2))
    steps = [p.step for p in records if p.split == "train" and not p.complete]
    assert steps == [1, 2, 3, 4, 5]
    assert [p.step for p in complete(records)] == [2, 4, 5]
    assert [p.step for p in complete(records, "train")] == [3]
    assert {(p.epochs, p.total_steps) for p in records} == {(2, 5)}


def test_iterations_that_end_with_an_epoch_end_it():
    records = [p for p in trainer(train=8, iterations=2) if p.complete]
    assert [(p.split, p.step, p.epoch) for p in records] == [("train", 2, 1), ("valid", 2, 1)]


def test_reports_are_means_over_steps_and_change_nothing():
    each, third = trainer(valid=None, epochs=1, train=24), trainer(valid=None, epochs=1, train=24, report_every=3)
    single = [p.losses["loss"] for p in each if not p.complete]
    reported = [p.losses.get("loss") for p in third if not p.complete]
    assert [loss is not None for loss in reported] == [False, False, True] * 2
    assert reported[2] == pytest.approx(sum(single[:3]) / 3)
    assert torch.equal(weights(each.evaluated_model), weights(third.evaluated_model))


def test_learning_rates_are_told_and_used():
    records = list(trainer(train=8, valid=None, epochs=4, schedule__name="linear", decay_epochs=4))
    rates = [p.learning_rate for p in records if not p.complete]
    assert rates == pytest.approx([0.01, 0.01, 0.0075, 0.0075, 0.005, 0.005, 0.0025, 0.0025])
    training = trainer(train=8, valid=None, epochs=1, warmup_steps=1000, warmup_start=0.0)
    before = weights(training.evaluated_model.head)
    next(iter(training))
    assert torch.equal(weights(training.evaluated_model.head), before)


def test_loading_in_other_processes_gives_the_same():
    alone, helped = trainer(valid=3), trainer(valid=3, workers=2)
    assert [p.losses for p in alone] == [p.losses for p in helped]


def test_the_state_of_chance_outside_does_not_matter():
    def losses(disturb):
        return [(p.losses, disturb()) for p in trainer()]

    assert losses(lambda: None) == [(loss, None) for loss, _ in losses(lambda: torch.manual_seed(99) and torch.rand(3))]


CHANGES = {
    "epochs": 3,
    "iterations": 2,
    "batch": 5,
    "accumulation": 2,
    "remainder": "drop",
    "seed": 1,
    "loss.terms": {"focal": 1},
    "loss.options": {"bce_dice": {"smooth": 1.0}},
    "loss.class_weights": (1, 3),
    "loss.auxiliary_weight": 0.1,
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.02,
    "optimizer.weight_decay": 0.1,
    "optimizer.betas": (0.5, 0.9),
    "optimizer.epsilon": 0.1,
    "optimizer.momentum": 0.5,
    "optimizer.nesterov": True,
    "optimizer.clip_norm": 1e-3,
    "schedule.name": "cosine",
    "schedule.every": "step",
    "schedule.minimum": 0.005,
    "schedule.decay_epochs": 3,
    "schedule.power": 2.0,
    "schedule.milestones": (1,),
    "schedule.factor": 0.5,
    "schedule.patience": 0,
    "schedule.warmup_steps": 3,
    "schedule.warmup_start": 0.5,
    "ema": 0.5,
    "validate_every": 2,
    "best": "-loss",
    "early_stopping": 1,
    "report_every": 2,
    "hardware.precision": "bf16",
    "hardware.loss_scale": 1e-8,
}
TOGETHER_WITH = {
    "optimizer.weight_decay": {"optimizer.name": "adamw"},
    "optimizer.momentum": {"optimizer.name": "sgd"},
    "optimizer.nesterov": {"optimizer.name": "sgd"},
    "optimizer.clip_norm": {"optimizer.name": "sgd"},
    "schedule.every": {"schedule.name": "cosine"},
    "schedule.minimum": {"schedule.name": "cosine"},
    "schedule.decay_epochs": {"schedule.name": "linear"},
    "schedule.power": {"schedule.name": "poly"},
    "schedule.milestones": {"schedule.name": "multistep"},
    "schedule.factor": {"schedule.name": "multistep", "schedule.milestones": (1,)},
    "schedule.patience": {"schedule.name": "plateau", "optimizer.learning_rate": 5.0},
    "schedule.warmup_start": {"schedule.warmup_steps": 3},
    "early_stopping": {"best": "0 * dice"},
    "hardware.loss_scale": {"hardware.precision": "fp16"},
}
CHANGE_NO_NUMBER = {
    "hardware.devices",
    "hardware.channels_last",
    "hardware.compile",
    "hardware.activation_checkpointing",
    "hardware.workers",
    "hardware.deterministic",
    "hardware.sync_batch_norm",
    "optimizer.scale_learning_rate",
}
"""Held in test_hardware and test_processes."""


def outcome(**knobs):
    torch.manual_seed(0)
    base = {"epochs": 4, "schedule.patience": 99}
    training = trainer(SmallNet(auxiliary=True), **{**base, **knobs})
    return [(p.step, p.losses, p.metrics, p.best, p.learning_rate, p.score) for p in training]


def test_all_knobs_are_held_by_a_test():
    assert set(CHANGES) | CHANGE_NO_NUMBER == set(knob_paths(TrainingConfig))


@pytest.mark.parametrize("knob", CHANGES)
def test_every_knob_changes_something(knob):
    others = TOGETHER_WITH.get(knob, {})
    assert outcome(**others, **{knob: CHANGES[knob]}) != outcome(**others)


def test_an_empty_split_is_one_sentence():
    with pytest.raises(UserError, match="train split is empty"):
        trainer(train=0)
    with pytest.raises(UserError, match="valid split is empty"):
        trainer(valid=0)


def test_names_are_checked_before_anything_runs():
    for knobs, words in [({"best": "accurracy"}, "none of the scores"), ({"terms": {"bce2": 1}}, "bce_dice")]:
        with pytest.raises(UserError, match=words):
            trainer(**knobs)


def test_a_model_with_the_wrong_number_of_outputs_is_one_sentence():
    with pytest.raises(UserError, match="gives 3 channels"):
        list(trainer(SmallNet(3)))


def test_a_model_of_an_own_kind_and_plain_lists_as_data():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = SmallNet()

        def forward(self, image):
            return self.inner(image)

    pictures = [Discs(6)[number] for number in range(6)]
    records = list(Trainer(config(), Own(), pictures, pictures, Task()))
    assert records[-1].complete

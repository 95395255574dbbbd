"""A training that was stopped anywhere and goes on in another process is the one that never stopped, bit by bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_training import Discs, SmallNet, config, trainer

from workbench.errors import UserError
from workbench.task import Task
from workbench.training import Trainer

KINDS = {
    "adam with everything": {
        "ema": 0.9,
        "clip_norm": 1.0,
        "schedule.name": "cosine",
        "schedule.every": "step",
        "batch": 2,
        "accumulation": 2,
        "warmup_steps": 2,
    },
    "sgd, reports and plateau": {
        "optimizer.name": "sgd",
        "schedule.name": "plateau",
        "schedule.patience": 0,
        "report_every": 3,
        "learning_rate": 1.0,
        "validate_every": 2,
        "early_stopping": 4,
    },
    "half precision": {"precision": "fp16", "activation_checkpointing": True},
}


def training_of(kind):
    torch.manual_seed(0)
    return Trainer(config(**KINDS[kind]), SmallNet(auxiliary=True), Discs(10), Discs(5, flips=False, seed=1), Task())


def what_is_left(training):
    """All that a training tells until its end, and its last state."""
    return list(training), training.state_dict()


def same(one, other):
    """Whether two states hold the same, to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def resume_all(folder):
    """Run by another process: take up every state that lies in the folder and write down what came after it."""
    for path in sorted(Path(folder).glob("*.state")):
        kind, _ = path.stem.rsplit("@", 1)
        training = training_of(kind)
        training.load_state_dict(torch.load(path, weights_only=True))
        records, state = what_is_left(training)
        torch.save(
            {"records": [{**vars(record), "took": None} for record in records], "state": state},
            path.with_suffix(".after"),
        )


@pytest.mark.parametrize(
    "kinds", [list(KINDS)[:1], pytest.param(list(KINDS)[1:], marks=pytest.mark.slow)], ids=["everything", "others"]
)
def test_going_on_from_anywhere_in_another_process_is_exact(tmp_path, kinds):
    expected = {}
    for kind in kinds:
        training, records = training_of(kind), []
        for number, record in enumerate(training):
            torch.save(training.state_dict(), tmp_path / f"{kind}@{number}.state")
            records.append(record)
        expected[kind] = records, training.state_dict()
    here = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {here!r}); import test_resume; test_resume.resume_all({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": "7"}, timeout=200)
    for kind, (records, state) in expected.items():
        assert len(records) > 12
        for number in range(len(records)):
            after = torch.load(tmp_path / f"{kind}@{number}.after", weights_only=True)
            told = [{**record, "images_per_second": 0} for record in after["records"]]
            # A validation that was cut short begins again, so its batches are told twice.
            wanted = [{**vars(record), "images_per_second": 0, "took": None} for record in records[number + 1 :]]
            assert without_batches(told) == without_batches(wanted), (kind, number)
            assert same(after["state"], state), (kind, number)


def without_batches(records):
    return [record for record in records if record["split"] == "train" or record["complete"]]


def test_after_an_interrupt_in_the_middle_of_a_step_it_goes_on_with_that_step(monkeypatch):
    training = trainer(train=10, epochs=2)
    steps = iter(training)
    assert [next(steps).step, next(steps).step] == [1, 2]
    monkeypatch.setattr(training.learner.optimizer, "step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    monkeypatch.undo()
    assert [(p.step, p.done) for p in training if p.split == "train" and not p.complete][:2] == [(3, 10), (4, 4)]
    assert training.outcome == "finished"


def interrupt(*_args, **_kwargs):
    raise KeyboardInterrupt


def test_a_state_is_a_copy():
    training = trainer()
    steps = iter(training)
    next(steps)
    state = training.state_dict()
    before = state["learner"]["model"]["head.weight"].clone()
    list(steps)
    assert torch.equal(state["learner"]["model"]["head.weight"], before)


def test_more_epochs_after_the_end_are_as_if_asked_from_the_start():
    short = trainer(epochs=2)
    list(short)
    longer = trainer(epochs=4)
    longer.load_state_dict(short.state_dict())
    records, state = what_is_left(longer)
    whole = trainer(epochs=4)
    expected, expected_state = what_is_left(whole)
    assert records == expected[-len(records) :]
    assert same(state, expected_state)


def test_after_early_stopping_more_patience_goes_on():
    first = trainer(epochs=9, early_stopping=1, best="0 * dice")
    list(first)
    assert first.outcome == "early"
    patient = trainer(epochs=9, early_stopping=3, best="0 * dice")
    patient.load_state_dict(first.state_dict())
    assert patient.outcome == "open"
    assert [p.epoch for p in patient if p.complete and p.split == "valid"] == [3, 4]


def test_another_weight_decay_holds_after_a_resume():
    first = trainer(epochs=1)
    list(first)
    second = trainer(epochs=2, weight_decay=0.5)
    second.load_state_dict(first.state_dict())
    assert second.learner.optimizer.param_groups[0]["weight_decay"] == 0.5


def test_pictures_that_changed_in_mid_epoch_are_one_sentence():
    first = trainer(train=10)
    next(iter(first))
    second = trainer(train=11)
    with pytest.raises(UserError, match=r"mid-epoch with 10 pictures.*are 11"):
        second.load_state_dict(first.state_dict())


def test_pictures_may_be_added_between_epochs():
    first = trainer(train=10, epochs=1)
    list(first)
    second = trainer(train=12, epochs=2)
    second.load_state_dict(first.state_dict())
    assert [p.pictures for p in second if p.complete] == [12, 5]


def test_another_batch_in_mid_epoch_still_uses_every_picture_once():
    first = trainer(train=10, batch=4, epochs=1)
    next(iter(first))
    second = trainer(train=10, batch=2, epochs=1)
    second.load_state_dict(first.state_dict())
    assert [p.done for p in second if p.split == "train"] == [6, 8, 10, 10]


def test_the_state_of_another_model_is_one_sentence():
    state = trainer().state_dict()
    with pytest.raises(UserError, match="another model"):
        trainer(SmallNet(width=7)).load_state_dict(state)

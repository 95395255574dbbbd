"""Checkpoints: whole or not there, the newest named last, few kept, read without running code."""

from __future__ import annotations

import json
import os
import pickle

import pytest
import torch
from networks import small

from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.models import load_model
from workbench.runs import checkpoints
from workbench.runs.checkpoints import load_checkpoint, save_best, save_checkpoint
from workbench.task import Task


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


def save(folder, step, keep=2, mark=0):
    return save_checkpoint(folder, step, {"weights": torch.full((3,), float(step)), "mark": mark}, "data", keep)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_is_read_back(folder):
    assert load_checkpoint(folder) is None
    for step in (3, 20):
        save(folder, step)
    checkpoint = load_checkpoint(folder)
    assert (checkpoint.step, checkpoint.fingerprint) == (20, "data")
    assert torch.equal(checkpoint.state["weights"], torch.full((3,), 20.0))


@pytest.mark.parametrize(
    ("keep", "left"), [(1, ["last.json", "step-9"]), (3, ["last.json", "step-10", "step-8", "step-9"])]
)
def test_the_newest_few_are_kept(folder, keep, left):
    steps = (7, 8, 9) if keep == 1 else (6, 7, 8, 9, 10)
    for step in steps:
        save(folder, step, keep)
    assert names(folder) == left


def test_a_second_state_of_a_step_does_not_write_over_the_first(folder):
    first = save(folder, 5, mark=1)
    second = save(folder, 5, mark=2)
    assert first.exists()
    assert second.name == "step-5-2"
    assert load_checkpoint(folder).state["mark"] == 2


def test_a_kill_while_it_is_written_leaves_the_previous_one(folder, monkeypatch):
    save(folder, 5)

    class KilledError(BaseException):
        pass

    def killed(*_, **__):
        raise KilledError

    for place in ("torch.save", "os.fsync", "pathlib.Path.rename", "workbench.runs.checkpoints.write_json"):
        with monkeypatch.context() as patch:
            patch.setattr(place, killed)
            with pytest.raises(KilledError):
                save(folder, 6)
        assert load_checkpoint(folder).step == 5
    left = folder / ".step-6.1.part"  # a kill tidies nothing
    left.mkdir()
    (left / "state.pt").touch()
    assert load_checkpoint(folder).step == 5
    save(folder, 6)
    assert load_checkpoint(folder).step == 6
    assert names(folder) == ["last.json", "step-5", "step-6"]


def test_a_kill_between_writing_and_naming_leaves_the_previous_one_as_the_last(folder, monkeypatch):
    save(folder, 5)
    real = checkpoints.write_json

    def not_last(path, values, **durable):
        if path.name == "last.json":
            raise KeyboardInterrupt
        real(path, values, **durable)

    monkeypatch.setattr(checkpoints, "write_json", not_last)
    with pytest.raises(KeyboardInterrupt):
        save(folder, 6)
    monkeypatch.undo()
    assert load_checkpoint(folder).step == 5
    save(folder, 6, mark=3)
    assert load_checkpoint(folder).state["mark"] == 3


def test_a_resumed_run_leaves_later_states_behind(folder):
    for step in (10, 20):
        save(folder, step)
    (folder / "last.json").write_text(json.dumps({"format": 1, "folder": "step-10", "step": 10}))
    save(folder, 15)
    assert names(folder) == ["last.json", "step-10", "step-15"]


def test_a_damaged_one_is_replaced_by_the_one_before(folder):
    save(folder, 1)
    newest = save(folder, 2) / "state.pt"
    newest.write_bytes(newest.read_bytes()[:100])
    assert load_checkpoint(folder).step == 1
    (folder / "step-1" / "state.pt").write_bytes(b"")
    with pytest.raises(UserError, match=r"No checkpoint .* can be read .*step-2.*step-1"):
        load_checkpoint(folder)


def test_no_code_of_a_file_is_run(folder, tmp_path):
    state = save(folder, 1) / "state.pt"
    witness = tmp_path / "witness"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(witness),)

    torch.save({"state": Evil()}, state)
    with pytest.raises(UserError):
        load_checkpoint(folder)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(state, weights_only=True)
    assert not witness.exists()


def test_the_best_model_is_ready_for_prediction(folder):
    model = small("attention_unet", classes=1)
    task, preprocessing = Task(classes=("background", "cell")), Preprocessing(size=(64, 64))
    save_best(folder, model, task, preprocessing, {"source": "run x", "step": 3, "score": 1.5})
    loaded = load_model(folder / "best.safetensors")
    assert (loaded.card.task, loaded.card.preprocessing, loaded.card.source) == (task, preprocessing, "run x")
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(loaded(image).logits, model.eval()(image).logits)
    assert json.loads((folder / "best.json").read_text()) == {"format": 1, "source": "run x", "step": 3, "score": 1.5}

"""Mirrors: TensorBoard's event files hold what the records hold, and what is missing is a sentence."""

from __future__ import annotations

import pytest
from small_run import small_config

from workbench.errors import UserError
from workbench.runs import trackers, worker
from workbench.runs.run import Run
from workbench.runs.trackers import check_trackers


@pytest.fixture(autouse=True)
def signals_stay_with_pytest(monkeypatch):
    monkeypatch.setattr(worker, "_listen", lambda reporter: None)


def test_tensorboard_has_every_number(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = Run.create(small_config(recording__trackers="tensorboard"), tmp_path, "run")
    assert worker.main(str(run.folder)) == 0
    events = EventAccumulator(str(run.folder / "tensorboard" / "run"), size_guidance={"scalars": 0}).Reload()
    steps = {event.step: event.value for event in events.Scalars("train/loss")}
    records = [r for r in run.records() if r["split"] == "train" and not r.get("complete")]
    assert steps == pytest.approx({r["step"]: r["losses"]["loss"] for r in records})
    valid = [r for r in run.records() if r["split"] == "valid"]
    dice = [event.value for event in events.Scalars("valid/dice")]
    assert dice == pytest.approx([r["metrics"]["dice"] for r in valid])
    assert {"train/loss_epoch", "train/learning_rate", "valid/jaccard"} <= set(events.Tags()["scalars"])


def test_without_the_switch_there_are_no_event_files(tmp_path):
    run = Run.create(small_config(training__epochs=1), tmp_path, "run")
    worker.main(str(run.folder))
    assert not list(run.folder.rglob("*tfevents*"))


def test_an_unknown_tracker_is_answered_with_the_known_ones():
    with pytest.raises(UserError, match=r"Unknown tracker 'pinboard'.*tensorboard"):
        check_trackers(("pinboard",))


def test_a_missing_package_is_a_sentence(monkeypatch):
    monkeypatch.setattr(trackers, "get_available_trackers", lambda: ["tensorboard"])
    check_trackers(("tensorboard",))
    with pytest.raises(UserError, match="pip install comet-ml"):
        check_trackers(("comet_ml",))

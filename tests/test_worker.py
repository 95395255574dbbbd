"""The worker: from raw data to a best model, and a sentence for whatever goes wrong. Runs in the test's own process."""

from __future__ import annotations

import json
import signal
import time

import numpy as np
import pytest
import torch
from PIL import Image
from small_run import has_steps, measured, small_config, wait_until

from workbench.models import load_model
from workbench.runs import reporter as reporter_module
from workbench.runs import worker
from workbench.runs.run import Run


@pytest.fixture(autouse=True)
def signals():
    """The worker listens to them; afterwards they are pytest's again."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def make(tmp_path):
    """Makes a run and works on it; returns it with the exit status."""

    def made(name="run", **knobs):
        run = Run.create(small_config(**knobs), tmp_path / "runs", name)
        return run, worker.main(str(run.folder))

    return made


def test_a_run_from_nothing_to_a_model_that_predicts(make):
    run, code = make(training__epochs=6, recording__previews=3)
    assert code == 0
    status = run.status()
    assert (status.state, status.epoch, status.epochs, status.step, status.total) == ("finished", 6, 6, 18, 18)
    assert (status.device, status.error, status.eta) == ("cpu", "", None)

    records = run.records()
    steps = [r["step"] for r in records if r["split"] == "train" and not r.get("complete")]
    assert steps == list(range(1, 19))
    validations = [r for r in records if r["split"] == "valid"]
    assert [r["epoch"] for r in validations] == [1, 2, 3, 4, 5, 6]
    assert all(r["complete"] and 0 <= r["metrics"]["dice"] <= 1 for r in validations)
    assert max(r["metrics"]["dice"] for r in validations) > validations[0]["metrics"]["dice"]

    best = run.best()
    assert best["score"] == max(r["score"] for r in validations)
    assert best["metrics"] == next(r["metrics"] for r in validations if r["step"] == best["step"])
    model = load_model(run.best_model)
    assert model.card.task.classes == ("background", "shape")
    assert model.card.preprocessing == run.config.data.preprocessing
    assert run.name in model.card.source

    (start,) = run.environment()
    assert start["versions"]["torch"] == torch.__version__.split("+")[0]
    assert start["seeds"] == {"training": 0, "split": 0}
    assert start["data"]["splits"] == {"train": 12, "valid": 4, "test": 4}
    assert len(start["data"]["fingerprint"]) == 32
    assert start["resumed_from"] is None
    assert not list(run.folder.rglob("*.part")) + list(run.folder.glob(".reserve"))


def test_previews_are_what_the_model_of_the_epoch_makes(make):
    run, _ = make(training__epochs=2, recording__previews=3, training__ema=0.5)
    previews = run.previews
    assert previews.epochs == [1, 2]
    assert len(previews.names) == 3
    picture, maps = previews.picture(1), previews.maps(2, 1)
    assert picture.image.shape == (32, 32, 3)
    assert picture.mask.shape == maps.labels.shape == maps.probability.shape == (32, 32)
    assert set(maps.attention) == set(load_model(run.best_model)(torch.zeros(1, 3, 32, 32)).attention)
    assert np.array_equal(maps.probability > 127, maps.labels == 1)
    if run.best()["epoch"] == 2:
        image = torch.from_numpy(picture.image).permute(2, 0, 1)[None] / 255 * 2 - 1
        expected = load_model(run.best_model)(image).logits.sigmoid()[0, 0] * 255
        assert np.abs(expected.detach().numpy() - maps.probability).max() < 1


@pytest.mark.parametrize(("count", "epochs"), [(0, []), (9, [1])])
def test_how_many_previews_there_are(make, count, epochs):
    run, _ = make(training__epochs=1, recording__previews=count)
    assert len(run.previews.names) == min(count, 4)
    assert run.previews.epochs == epochs


@pytest.mark.parametrize("keep", [1, 3])
def test_how_many_checkpoints_are_kept(make, keep):
    run, _ = make(recording__keep_checkpoints=keep, recording__checkpoint_minutes=0)
    assert len(list(run.checkpoints.glob("step-*"))) == keep
    assert run.last_step == 6


def test_how_often_a_checkpoint_is_written(make, monkeypatch):
    written = []
    monkeypatch.setattr("workbench.runs.recorder.save_checkpoint", lambda _, step, *__: written.append(step))
    make("every-step", recording__checkpoint_minutes=0)
    assert {1, 2, 3, 4, 5, 6} == set(written)
    written.clear()
    make("seldom", recording__checkpoint_minutes=10)
    assert set(written) == {3, 6}


def test_checkpoints_that_take_long_are_seldom(make, monkeypatch):
    written = []

    def slow(_, step, *__):
        written.append(step)
        time.sleep(0.3)

    monkeypatch.setattr("workbench.runs.recorder.save_checkpoint", slow)
    make(training__epochs=4)
    assert written == [3, 12], "the first, whose cost was unknown, and the last"


def test_multiclass_and_multilabel(make):
    for mode, maps_of in (("multiclass", ()), ("multilabel", (3,))):
        run, code = make(mode, data__path=f"shapes:{mode}", training__epochs=1)
        assert code == 0, run.status().error
        maps = run.previews.maps(1, 0)
        assert maps.labels.shape == maps.probability.shape == (*maps_of, 32, 32)
        assert len(run.config.data.classes) == 0
        assert load_model(run.best_model).card.task.mode == mode


def test_a_second_run_uses_the_prepared_pictures_of_the_first(make):
    first, _ = make("first", training__epochs=1)
    second, _ = make("second", training__epochs=1, data__augmentation="none")
    other, _ = make("other", training__epochs=1, data__split_seed=5)
    folders = list((first.folder.parent / "prepared").iterdir())
    assert len(folders) == 2
    prints = [run.environment()[0]["data"]["fingerprint"] for run in (first, second, other)]
    assert prints[0] == prints[1] != prints[2]


def test_without_validation_the_last_model_is_kept(make):
    run, code = make(data__fractions=(0.8, 0.0, 0.2))
    assert code == 0
    assert (run.best()["step"], run.best()["by"]) == (8, "the last model, since none was validated")
    assert load_model(run.best_model).card.task.mode == "binary"
    assert run.last_step == 8


def test_early_stopping_ends_it_and_may_be_lifted(make, monkeypatch):
    monkeypatch.setattr("workbench.runs.run.launch", lambda folder, *_: worker.main(str(folder)))
    run, code = make(training__epochs=50, training__early_stopping=1, training__optimizer__learning_rate=1e-9)
    assert code == 0
    assert (run.status().state, run.last_step < 150) == ("finished", True)
    assert "no new best in 1 validations" in run.status().detail
    run.resume({"epochs": 60})
    assert "stopped early" in run.status().error
    ended = run.last_step
    run.resume({"early_stopping": "null", "epochs": ended // 3 + 1})
    assert (run.status().state, run.last_step) == ("finished", ended + 3)


class TestGoingOn:
    """Resumed in the same process."""

    def test_stopped_before_the_first_validation_there_is_a_model(self, make, monkeypatch, tmp_path):
        run = Run(tmp_path / "runs" / "run")
        monkeypatch.setattr(reporter_module.Reporter, "stop_requested", property(lambda _: has_steps(run, 5)))
        run, code = make(data__options={"count": 100, "size": 32})
        assert code == 0
        assert run.status().state == "stopped"
        assert run.last_step == 5, "of 15 in the first epoch"
        assert load_model(run.best_model).card is not None
        assert "last model" in run.best()["by"]
        monkeypatch.undo()
        assert worker.main(str(run.folder)) == 0
        whole, _ = make("whole", data__options={"count": 100, "size": 32})
        assert measured(run.records()) == measured(whole.records())
        assert run.best()["score"] == whole.best()["score"]

    def test_a_killed_run_without_a_checkpoint_begins_again(self, make):
        run, _ = make(training__epochs=1)
        first = measured(run.records())
        for path in run.checkpoints.iterdir():
            path.rename(run.folder / path.name)
        assert worker.main(str(run.folder)) == 0
        assert run.history().records[len(first)]["resumed_from"] == 0
        assert measured(run.records()) == first
        assert [start["resumed_from"] for start in run.environment()] == [None, None]

    def test_other_pictures_are_refused(self, make, tmp_path):
        folder = pictures(tmp_path / "pictures", 20)
        run, code = make(data__path=str(folder), data__options={}, training__epochs=1)
        assert code == 0, run.status().error
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(folder / "images" / "3.png")
        assert worker.main(str(run.folder)) == 1
        assert "are not those that run began with" in run.status().error

    def test_without_its_pictures_it_opens_but_does_not_go_on(self, make, tmp_path):
        folder = pictures(tmp_path / "pictures", 20)
        run, _ = make(data__path=str(folder), data__options={}, training__epochs=1)
        folder.rename(tmp_path / "away")
        assert len(run.records()) > 4
        assert load_model(run.best_model)
        assert worker.main(str(run.folder)) == 1
        assert f"There is no folder {folder}" in run.status().error


def pictures(folder, count):
    """Pictures with a bright square, and their masks."""
    chance = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        y, x = chance.integers(4, 20, 2)
        mask = np.zeros((32, 32), np.uint8)
        mask[y : y + 8, x : x + 8] = 255
        picture = (mask[..., None] // 2 + chance.integers(0, 60, (32, 32, 3))).astype(np.uint8)
        Image.fromarray(picture).save(folder / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    return folder


class TestWhatGoesWrong:
    """Ends as failed, with status 1 and a sentence; a traceback is for our own mistakes."""

    @pytest.mark.parametrize(
        ("knobs", "words"),
        [
            ({"data__path": "/no/such/folder", "data__options": {}}, "There is no folder /no/such/folder"),
            ({"model__name": "no_such"}, "Unknown model 'no_such'"),
            ({"training__best": "dise"}, "dise is none of the scores"),
            ({"training__optimizer__learning_rate": 1e30}, "The loss became"),
            ({"data__fractions": (0.96, 0.02, 0.02), "data__options": {"count": 1, "size": 32}}, "empty"),
            ({"recording__trackers": "pinboard"}, "Unknown tracker 'pinboard'"),
            ({"data__options": {"colour": 3}}, "Unknown option of the shapes layout 'colour'"),
        ],
    )
    def test_a_mistake_is_a_sentence(self, make, capfd, knobs, words):
        run, code = make(**knobs)
        assert code == 1
        status = run.status()
        assert status.state == "failed"
        assert words in status.error, status.error
        printed = capfd.readouterr()
        assert f"error: {status.error}" in printed.err
        assert "Traceback" not in printed.err

    @pytest.mark.parametrize(
        "knobs",
        [
            {"model__name": "no_such"},
            {"model__options": {"colour": 3}},
            {"training__best": "dise"},
            {"training__loss__terms": {"dise": 1}},
        ],
    )
    def test_a_wrong_name_is_told_before_anything_is_waited_for(self, make, monkeypatch, knobs):
        def turn(*_):
            raise AssertionError("waits for a device")

        monkeypatch.setattr("workbench.runs.conduct.turn", turn)
        assert make(**knobs)[1] == 1

    def test_nan_leaves_the_best_model_and_the_last_good_state(self, make, monkeypatch):
        """It comes in the third epoch; from the last checkpoint it goes on with a lower rate."""
        run, code = make(training__epochs=2)
        assert code == 0
        best = run.best()
        monkeypatch.setattr("workbench.runs.run.launch", lambda folder, *_: worker.main(str(folder)))
        run.resume({"epochs": 4, "learning_rate": 1e30})
        assert run.status().state == "failed"
        assert "The loss became" in run.status().error
        assert run.last_step == 6
        assert run.best() == best
        run.resume({"learning_rate": 1e-3})
        assert run.status().state == "finished"
        assert all(r["losses"]["loss"] < 10 for r in run.records())

    def test_our_own_mistakes_keep_their_traceback(self, make, monkeypatch, tmp_path):
        monkeypatch.setattr("workbench.runs.conduct.create_trainer", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make()
        status = Run.open(tmp_path / "runs" / "run").status()
        assert status.state == "failed"
        assert "ZeroDivisionError" in status.error
        assert "log.txt" in status.error

    def test_a_run_is_never_worked_on_twice(self, make, capfd, monkeypatch):
        monkeypatch.setattr(worker, "PATIENCE", 0.1)
        run, _ = make(training__epochs=1)
        with run.lock():
            assert worker.main(str(run.folder)) == 1
        assert "another process is at work" in capfd.readouterr().err
        assert run.status().state == "finished"

    def test_a_stop_while_preparing_is_a_stop(self, tmp_path):
        run = Run.create(small_config(), tmp_path, "run")
        (run.folder / "stop").touch()
        assert worker.main(str(run.folder)) == 0
        assert run.status().state == "stopped"
        assert "before the training" in run.status().detail
        assert not (run.folder / "stop").exists()


def test_the_status_beats_and_the_machine_is_watched(tmp_path, monkeypatch):
    monkeypatch.setattr(reporter_module, "BEAT", 0.05)
    monkeypatch.setattr(reporter_module, "SYSTEM_EVERY", 0.1)
    run = Run.create(small_config(), tmp_path, "run")
    told = reporter_module.Reporter(run.folder / "status.json", run.folder / "system.jsonl", run.folder / "stop")
    told.start()
    first = run.status().heartbeat
    wait_until(lambda: run.status().heartbeat > first and len(run.system().records) >= 2)
    told.tell("running", step=3, images_per_second=12.5)
    assert (run.status().state, run.status().step) == ("running", 3)
    wait_until(lambda: run.system().records[-1]["images_per_second"] == 12.5)
    record = run.system().records[-1]
    assert record["process_memory"] > 1e6
    assert [device["device"] for device in record["devices"]][-1] == "cpu"
    assert 0 <= record["devices"][-1]["utilisation"] <= 1
    assert (run.folder / ".reserve").stat().st_size == reporter_module.RESERVE
    told.end("stopped")
    assert not (run.folder / ".reserve").exists()
    assert json.loads((run.folder / "status.json").read_text())["state"] == "stopped"

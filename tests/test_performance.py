"""How fast a run trains, from records whose times are known, and by command."""

from __future__ import annotations

import time

import pytest
from small_run import small_config, wait_until
from small_training import Discs, trainer

from workbench.cli import main
from workbench.errors import UserError
from workbench.runs.environment import note_environment
from workbench.runs.performance import is_enough, performance_config, performance_of
from workbench.runs.records import RecordWriter
from workbench.runs.run import Run, list_runs
from workbench.training.progress import Clock, Took, Waited


def record(step, epoch, seconds, loading=0.0, pictures=8, steps=1):
    took = {"steps": steps, "pictures": pictures, "seconds": seconds, "loading": loading}
    return {"split": "train", "step": step, "epoch": epoch, "losses": {"loss": 1.0}, "took": took}


@pytest.fixture
def run(tmp_path):
    """Two processes with 4 pictures each; the first five steps are slow, and the last of an epoch is smaller."""
    made = Run.create(small_config(training__batch=4, training__hardware__devices="cpu:2"), tmp_path, "r")
    note_environment(made.folder / "environment.json", processes=2, hosts=1, devices=["Abacus"])
    writer = RecordWriter(made.folder / "metrics.jsonl")
    for step in range(1, 6):
        writer.append(record(step, 1, 100.0))
    for step, seconds in ((6, 4.0), (7, 4.0)):
        writer.append(record(step, 1, seconds, loading=3.0))
    writer.append(record(8, 1, 0.001, pictures=1))
    for step, seconds in ((9, 1.0), (10, 1.0), (11, 7.0)):
        writer.append(record(step, 2, seconds, loading=0.5))
    writer.close()
    return made


def test_both_ways_of_counting(run):
    found = performance_of(run)
    assert (found.originals, found.best_epoch, found.epochs) == (pytest.approx(8 * 3 / 9), 2, 2)
    assert found.with_loading == 8 / 4.0, "the median of 4 4 1 1 7"
    assert found.without_loading == 8 / 1.0, "the median of 1 1 .5 .5 6.5"
    assert (found.batch, found.processes, found.steps) == (4, 2, 5)
    assert "batch 4 on 2 processes (Abacus), float32" in str(found)
    assert "32 x 32" not in str(found), "these pictures keep their own size"


def test_enough_is_a_minute_and_ten_steps(run):
    assert not is_enough(run)
    writer = RecordWriter(run.folder / "metrics.jsonl")
    for step in range(12, 17):
        writer.append(record(step, 3, 8.0))
    assert not is_enough(run), "57 seconds"
    writer.append(record(17, 3, 8.0))
    assert is_enough(run)
    writer.close()


def test_five_steps_are_none(tmp_path):
    run = Run.create(small_config(), tmp_path, "r")
    with pytest.raises(UserError, match="--epochs"):
        performance_of(run)


def test_it_is_the_same_training_but_short():
    config = small_config(training__iterations=100_000, training__early_stopping=1)
    short = performance_config(config)
    assert (short.training.epochs, short.training.iterations, short.training.report_every) == (3, None, 1)
    assert short.training.early_stopping is None
    assert performance_config(config, 7).training.epochs == 7
    assert (short.data, short.model) == (config.data, config.model)


def test_a_trainer_tells_what_steps_took_and_how_long_it_waited():
    class Slow(Discs):
        def __getitem__(self, index):
            time.sleep(0.01)
            return super().__getitem__(index)

    steps = [p for p in trainer(train=Slow(12), batch=4, epochs=1, report_every=3) if p.split == "train"]
    assert [p.took is not None for p in steps] == [False, False, True, False], "the last is the epoch's end"
    took = steps[2].took
    assert (took.steps, took.pictures) == (3, 12)
    assert 0.12 < took.loading < took.seconds


def test_what_is_not_reported_is_kept_for_the_next_report():
    clock = Clock()
    clock.add(Took(1, 4, 2.0, 1.0))
    clock.add(Took(1, 2, 1.0, 0.5))
    assert clock.report() == (2, 6, 3.0, 1.5)
    assert clock.report() == (0, 0, 0.0, 0.0)


def test_waiting_counts_until_the_end():
    def things():
        yield 1
        time.sleep(0.02)

    waited = Waited(things())
    assert list(waited) == [1]
    assert waited.seconds > 0.02


@pytest.mark.slow
def test_by_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WORKBENCH_QUEUE", str(tmp_path / "queue"))
    words = ["--data", "shapes", "--data.options", "{count: 60, size: 32}", "--resize", "none", "--batch", "2"]
    small = ["--width", "4", "--depth", "2", "--devices", "cpu", "--runs", str(tmp_path / "runs")]
    assert main(["train", "--performance", "--epochs", "2", *words, *small]) == 0
    printed = capsys.readouterr().out
    assert "FPS as the originals count" in printed
    assert "best of 2 epochs" in printed
    (run,) = list_runs(tmp_path / "runs")
    wait_until(lambda: not run.is_at_work())
    assert performance_of(run).steps == 2 * 21 - 5
    assert main(["train", "--performance", "--resume", run.name, "--runs", str(tmp_path / "runs")]) == 2

"""A shoot-out: the same for all, gone on with instead of repeated, and no more concluded than the numbers carry."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from small_run import measured, small_config

from workbench.cli import main
from workbench.config import load_config, save_config
from workbench.errors import UserError
from workbench.inference.intervals import Interval
from workbench.runs.environment import note_environment
from workbench.runs.records import RecordWriter
from workbench.runs.run import Run, list_runs
from workbench.runs.shootout import Budget, Shootout, seconds_of_epoch
from workbench.runs.standings import Standing, _conclusion, _draws
from workbench.runs.status import read_status, write_status


@pytest.mark.parametrize(
    ("text", "budget"),
    [("90s", (90, False)), ("10m", (600, False)), ("1.5h", (5400, False)), ("20epochs", (20, True))],
)
def test_budgets(text, budget):
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["10", "m", "0s", "0epochs", "-1m", "ten minutes", ""])
def test_what_is_no_budget(text):
    with pytest.raises(UserError, match="no budget"):
        Budget.parse(text)


@pytest.fixture
def files(tmp_path):
    """Two configurations that differ in their network, and in what a shoot-out makes the same or keeps."""
    paths = []
    for name, knobs in {
        "plain": {"model__name": "unet", "data__split_seed": 3},
        "gated": {"data__fractions": (0.5, 0.5, 0), "training__schedule__name": "linear", "training__epochs": 100},
    }.items():
        paths.append(str(tmp_path / f"{name}.yaml"))
        save_config(small_config(**knobs), paths[-1])
    return paths


def test_pictures_and_splits_are_the_first_one_s(tmp_path, files):
    plain, gated = Shootout.open(tmp_path / "out", files, 2, "3epochs").configs.values()
    assert (gated.data.fractions, gated.data.split_seed) == ((0.6, 0.2, 0.2), 3)
    assert gated.data == plain.data
    assert (plain.model.name, gated.model.name) == ("unet", "attention_unet")


def test_preprocessing_stays_each_preset_s_own(tmp_path):
    one, other = Shootout.open(tmp_path / "out", ["dsb2018-unet", "isic2018-unet"], 1, "3epochs").configs.values()
    assert one.data.fractions == other.data.fractions == (0.8, 0.2, 0)
    assert (one.data.preprocessing.size, other.data.preprocessing.size) == ((96, 96), (256, 256))


def test_seeds_and_lengths(tmp_path):
    contest = Shootout.open(tmp_path / "out", ["isic2018-unet", "cityscapes-unet-fcn"], 2, "30epochs")
    names = [run.name for _, run in contest.all_runs()]
    assert names == [f"{preset}-seed-{seed}" for seed in (0, 1) for preset in contest.presets]
    isic = contest.run("isic2018-unet", 1).config.training
    assert (isic.epochs, isic.seed, isic.schedule.decay_epochs) == (30, 1, 14), "70 of 150 epochs in proportion"
    cityscapes = contest.run("cityscapes-unet-fcn", 0).config.training
    assert (cityscapes.epochs, cityscapes.iterations, cityscapes.validate_every) == (30, None, None)
    assert load_config("isic2018-unet").training.optimizer == isic.optimizer


def test_a_budget_of_time_is_epochs_by_a_trial(tmp_path, files):
    contest = Shootout.open(tmp_path / "out", files, 1, "10m")
    trial = contest.trial(files[0])
    note_environment(
        trial.folder / "environment.json", processes=1, hosts=1, data={"splits": {"train": 32, "valid": 12, "test": 4}}
    )
    writer = RecordWriter(trial.folder / "metrics.jsonl")
    for step in range(1, 13):
        took = {"steps": 1, "pictures": 4, "seconds": 2.0, "loading": 0.0}
        writer.append({"split": "train", "step": step, "epoch": 1, "took": took, "losses": {"loss": 1.0}})
    writer.close()
    status = read_status(trial.folder / "status.json")
    write_status(trial.folder / "status.json", replace(status, total=24, epochs=3))
    assert seconds_of_epoch(trial) == pytest.approx(8 * 2 + 12 / 4 * 2 / 3)
    assert contest.run(files[0], 0).config.training.epochs == int(600 / 18)


def test_another_plan_in_the_same_folder_is_refused(tmp_path, files):
    Shootout.open(tmp_path, files, 2, "3epochs")
    Shootout.open(tmp_path, files, 2, "3epochs")
    for other in ((files, 3, "3epochs"), (files, 2, "4epochs"), (files[::-1], 2, "3epochs")):
        with pytest.raises(UserError, match="another plan"):
            Shootout.open(tmp_path, *other)
    with pytest.raises(UserError, match="another plan"):
        Shootout.open(tmp_path, files, 2, "3epochs", {"learning_rate": 1.0})
    with pytest.raises(UserError, match="at least two"):
        Shootout.open(tmp_path, files[:1], 2, "3epochs")


def standing(preset, value, runs=3):
    return Standing(preset, "unet", ["r"] * runs, 1, Interval(value, value, value), [value] * runs, 1, 1.0, None)


def test_what_may_be_concluded():
    chance = np.random.default_rng(0)

    def scores(mean, spread):
        return np.clip(mean + spread * chance.standard_normal((3, 1)) + 0.05 * chance.standard_normal((3, 60)), 0, 1)

    dice = {"good": scores(0.9, 0.002), "same": scores(0.897, 0.02), "bad": scores(0.7, 0.002)}
    told = _conclusion([standing(name, values.mean()) for name, values in dice.items()], _draws(dice), 60)
    assert told.startswith("good is better than bad by more than chance explains; that good is ahead of same may be")
    assert "3 seeds each and 60 pictures" in told


def test_seeds_that_differ_much_make_the_interval_wide():
    pictures = np.full(50, 0.8)
    near = _draws({"a": np.stack([pictures] * 3)})["a"]
    far = _draws({"a": np.stack([pictures - 0.1, pictures, pictures + 0.1])})["a"]
    assert np.ptp(near) < 1e-9
    assert far.std() == pytest.approx(0.1 * np.sqrt(2 / 3) / np.sqrt(3), rel=0.1)


def test_pictures_with_nothing_in_them_take_no_part():
    values = np.array([[0.5, np.nan, 0.7]])
    assert np.nanmean(_draws({"a": values})["a"]) == pytest.approx(0.6, abs=0.01)


@pytest.mark.slow
def test_by_command(tmp_path, files, capsys, monkeypatch):
    """Run, given again, and given again after a run was lost."""
    monkeypatch.setenv("WORKBENCH_QUEUE", str(tmp_path / "queue"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    out = tmp_path / "out"
    words = ["shootout", *files, "--seeds", "2", "--budget", "3epochs", "--out", str(out), "--report-every", "1"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "Run 4 of 4: gated-seed-1" in printed
    assert re.search(r"may be chance|more than chance", printed)
    runs = {run.name: run for run in list_runs(out / "runs")}
    assert set(runs) == {f"{name}-seed-{seed}" for name in ("plain", "gated") for seed in (0, 1)}
    assert measured(runs["plain-seed-0"].records()) != measured(runs["plain-seed-1"].records())
    results = json.loads((out / "shootout.json").read_text())
    assert results["split"] == "test"
    (plain,) = [row for row in results["standings"] if row["model"] == "unet"]
    assert plain["parameters"] < 10_000
    assert plain["minutes"] > 0
    assert plain["dice"]["low"] <= plain["dice"]["value"] <= plain["dice"]["high"]
    page = (out / "shootout.html").read_text()
    assert "data:image" in page
    assert not re.search(r"<script|https?:", page)
    assert (out / "shootout.png").stat().st_size > 10_000

    assert main(words) == 0
    assert "Run " not in capsys.readouterr().out
    lost = runs["gated-seed-1"]
    before = measured(lost.records())
    lost.delete()
    assert main(words) == 0
    assert "Run 4 of 4" in capsys.readouterr().out
    assert measured(Run.open(lost.folder).records()) == before

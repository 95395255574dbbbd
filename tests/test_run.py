"""A run as a folder: made, read, refused, moved, packed and deleted; no worker is started here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import pytest
from small_run import small_config

from workbench.config import load_config
from workbench.errors import UserError
from workbench.runs import run as run_module
from workbench.runs.run import Run, find_run, list_runs
from workbench.runs.status import read_status, write_status


@pytest.fixture
def run(tmp_path):
    return Run.create(small_config(), tmp_path / "runs", "mine")


@pytest.fixture
def launched(monkeypatch):
    """Notes which folders a worker would be started for."""
    folders = []
    monkeypatch.setattr(run_module, "launch", lambda folder, *_: folders.append(folder))
    return folders


def set_status(run, **changes):
    path = run.folder / "status.json"
    write_status(path, replace(read_status(path), **changes))


def test_a_new_run_is_a_folder_that_waits_to_be_started(run, tmp_path):
    assert run.folder == tmp_path / "runs" / "mine"
    assert run.config == small_config()
    status = run.status()
    assert (status.state, status.detail, run.best(), run.last_step) == ("stopped", "Not started yet.", None, None)
    assert run.history().records == run.records() == run.system().records == run.environment() == []
    assert run.previews.epochs == []
    assert Run.open(run.folder) == run


def test_names_are_made_of_model_and_time_and_never_twice(tmp_path):
    names = [Run.create(small_config(), tmp_path).name for _ in range(3)]
    assert len(set(names)) == 3
    assert all(name.startswith("attention_unet-20") for name in names)


@pytest.mark.parametrize("name", ["", "../out", "a/b", ".hidden", "prepared", "ü", "x" * 200])
def test_names_that_are_no_folder_s_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot be called"):
        Run.create(small_config(), tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_a_name_is_given_once(run):
    with pytest.raises(UserError, match=r"mine .*already.*--resume mine"):
        Run.create(small_config(), run.folder.parent, "mine")


def test_runs_in_a_file_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        Run.create(small_config(), tmp_path / "file")


def test_paths_hold_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = small_config(data__path="pictures", data__split_file="splits.json", model__weights="start.safetensors")
    run = Run.create(config, "runs")
    assert run.config.data.path == str(tmp_path / "pictures")
    assert run.config.data.split_file == str(tmp_path / "splits.json")
    assert run.config.model.weights == str(tmp_path / "start.safetensors")
    assert Run.create(small_config(data__path="shapes:multilabel"), "runs").config.data.path == "shapes:multilabel"


def test_what_is_no_run_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="not the folder of a run"):
        Run.open(tmp_path)


def test_a_newer_format_is_a_sentence(run):
    path = run.folder / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(UserError, match=r"format 99.*update"):
        Run.open(run.folder)
    assert [each.name for each in list_runs(run.folder.parent)] == ["mine"], "it is listed all the same"


def test_a_run_opens_from_another_place(run, tmp_path):
    shutil.move(run.folder, tmp_path / "moved")
    moved = Run.open(tmp_path / "moved")
    assert (moved.name, moved.config, moved.status().state) == ("moved", small_config(), "stopped")


def test_all_of_it_may_be_missing_but_the_config(tmp_path):
    load_config("demo")
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "config.yaml").touch()
    run = Run.open(folder)
    assert run.status().state == "stopped"
    assert run.records() == []
    assert run.created > 0


def test_the_newest_is_listed_first(tmp_path):
    for name in ("one", "two", "three"):
        Run.create(small_config(), tmp_path, name)
    (tmp_path / "prepared").mkdir()
    (tmp_path / "file").touch()
    assert [run.name for run in list_runs(tmp_path)] == ["three", "two", "one"]
    assert list_runs(tmp_path / "nowhere") == []


def test_a_run_is_found_by_name_or_folder(run, tmp_path):
    assert find_run("mine", run.folder.parent) == find_run(str(run.folder), tmp_path) == run
    with pytest.raises(UserError, match=r"Unknown run 'mien'. Choose one of: mine"):
        find_run("mien", run.folder.parent)
    with pytest.raises(UserError, match="holds none"):
        find_run("mine", tmp_path / "nowhere")


def test_a_stop_is_asked_for_by_a_file(run):
    run.request_stop()
    assert not (run.folder / "stop").exists(), "nobody is there to stop"
    set_status(run, state="running")
    run.request_stop()
    assert (run.folder / "stop").exists()
    assert run.status().state == "stopping"


def test_launching_forgets_the_last_end(run, launched):
    set_status(run, state="failed", error="The disk is full.", step=7)
    (run.folder / "stop").touch()
    run.launch()
    assert launched == [run.folder]
    status = run.status()
    assert (status.state, status.error, status.pid, status.step) == ("queued", "", None, 7)
    assert not (run.folder / "stop").exists()


def test_a_run_at_work_is_left_alone(run, launched):
    with run.lock():
        assert run.is_at_work()
        for forbidden in (run.launch, run.resume, run.delete, lambda: run.export(run.folder.parent / "x.zip")):
            with pytest.raises(UserError, match="is at work: stop it first"):
                forbidden()
    assert launched == []
    assert not run.is_at_work()


def test_resuming_may_change_what_does_not_make_it_another_run(run, launched):
    run.resume({"epochs": "9", "learning_rate": 0.5, "workers": 2, "previews": 1})
    config = run.config
    assert (config.training.epochs, config.training.optimizer.learning_rate) == (9, 0.5)
    assert (config.training.hardware.workers, config.recording.previews) == (2, 1)
    assert launched == [run.folder]


@pytest.mark.parametrize(
    "knob", ["model.width", "data.split_seed", "training.seed", "model.options.some", "training.ema"]
)
def test_resuming_does_not_make_another_run(run, launched, knob):
    with pytest.raises(UserError, match=f"cannot go on with another {knob}.*new run"):
        run.resume({knob: "0.5" if knob == "training.ema" else 8})
    assert run.config == small_config()
    assert launched == []


def test_a_finished_run_needs_more_to_do(run, launched):
    set_status(run, state="finished")
    with pytest.raises(UserError, match="--epochs"):
        run.resume()
    with pytest.raises(UserError, match="no state to go on from"):
        run.resume({"epochs": 5})
    (run.checkpoints / "last.json").write_text('{"format": 1, "folder": "step-3", "step": 3}')
    run.resume({"epochs": 5})
    assert launched == [run.folder]


def test_a_run_is_deleted_whole(run):
    run.delete()
    assert list(run.folder.parent.iterdir()) == []


def test_a_packed_run_opens_elsewhere(run, tmp_path):
    (run.folder / "checkpoints" / "best.safetensors").write_bytes(b"weights")
    (run.folder / "metrics.jsonl").write_text('{"step": 1}\n')
    told = []
    run.export(tmp_path / "run.zip", lambda done, total: told.append((done, total)))
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "there")
    assert set(names) == {
        "mine/config.yaml",
        "mine/status.json",
        "mine/metrics.jsonl",
        "mine/checkpoints/best.safetensors",
    }
    assert told == [(number, 4) for number in range(1, 5)]
    there = Run.open(tmp_path / "there" / "mine")
    assert there.config == run.config
    assert there.records() == [{"step": 1}]
    assert there.best_model.read_bytes() == b"weights"


def test_packing_into_no_folder_is_a_sentence(run, tmp_path):
    with pytest.raises(UserError, match="There is no folder"):
        run.export(tmp_path / "nowhere" / "run.zip")


def test_lists_of_runs_need_no_torch():
    code = "import sys, workbench.runs.run; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

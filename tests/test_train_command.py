"""`workbench train` and `workbench runs`: what they print, write, ask and refuse."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import zipfile
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
from PIL import Image
from small_run import has_steps, small_config, wait_until

from workbench import cli
from workbench.commands.knobs import as_knobs, parsed
from workbench.commands.train import train
from workbench.config import RunConfig, save_config
from workbench.errors import UserError
from workbench.models import load_model
from workbench.runs import run as run_module
from workbench.runs import worker
from workbench.runs.run import Run, list_runs


@pytest.fixture
def workbench(tmp_path, capsys):
    """Runs a command in the folder of runs of this test; returns status and output."""

    def run(*words):
        status = cli.main([*map(str, words), "--runs", str(tmp_path / "runs")])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def small(tmp_path):
    """The YAML file of a small run."""
    path = tmp_path / "small.yaml"
    save_config(small_config(), path)
    return path


@pytest.fixture
def at_once(monkeypatch):
    """Workers do all their work in this process before the command goes on."""

    def work(folder, *_):
        with (folder / "log.txt").open("a") as log, redirect_stdout(log), redirect_stderr(log):
            worker.main(str(folder))

    monkeypatch.setattr(worker, "_listen", lambda reporter: None)
    monkeypatch.setattr(run_module, "launch", work)


@pytest.fixture
def finished(at_once, small, workbench, tmp_path):
    assert workbench("train", small, "--name", "one")[0] == 0
    return Run.open(tmp_path / "runs" / "one")


# Knobs as options


@pytest.mark.parametrize(
    ("words", "rewritten"),
    [
        ("demo --epochs 3", "demo --epochs 3"),
        ("demo --training.batch 3", "demo --knob training.batch=3"),
        ("demo --batch=3 --name x", "demo --knob batch=3 --name x"),
        ("demo --learning-rate 1e-3", "demo --knob learning_rate=1e-3"),
        ("--compile demo", "--knob compile=demo"),
        ("demo --compile", "demo --knob compile=true"),
        ("demo --compile --detach", "demo --knob compile=true --detach"),
        ("demo --auxiliary_weight -1", "demo --knob auxiliary_weight=-1"),
        ("demo --knob batch=3 --help", "demo --knob batch=3 --help"),
    ],
)
def test_what_is_no_option_is_a_knob(words, rewritten):
    assert as_knobs(train, words.split()) == rewritten.split()


def test_knobs_are_names_and_values():
    assert parsed(("a=1", "b.c={x: y=z}")) == {"a": "1", "b.c": "{x: y=z}"}
    with pytest.raises(UserError, match="NAME=VALUE"):
        parsed(("a",))


def test_the_help_names_every_knob(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    printed = capsys.readouterr().out
    assert "--training.optimizer.learning_rate" in printed
    assert "--recording.keep_checkpoints" in printed


# train


def test_a_training_tells_where_it_is_and_how_good(at_once, small, workbench, tmp_path):
    status, out, _ = workbench("train", small, "--epochs", 3, "--name", "one", "--learning_rate", "0.02")
    assert status == 0
    run = Run.open(tmp_path / "runs" / "one")
    assert out.startswith(f"Run one in {run.folder}\n")
    assert [line.split()[:3] for line in out.splitlines() if line.startswith("epoch")] == [
        ["epoch", str(epoch), split] for epoch in (1, 2, 3) for split in ("train", "valid")
    ]
    assert f"jaccard + dice {run.best()['score']:.4f}: {run.best_model}" in out
    assert (run.config.training.epochs, run.config.training.optimizer.learning_rate) == (3, 0.02)


def test_data_alone_is_trained_with_the_defaults(monkeypatch, workbench, tmp_path):
    monkeypatch.setattr(run_module, "launch", lambda *_: None)
    assert workbench("train", "--data", "shapes", "--name", "one", "--detach")[0] == 0
    assert Run.open(tmp_path / "runs" / "one").config == RunConfig()


def test_a_training_goes_on(finished, workbench):
    status, out, _ = workbench("train", "--resume", "one", "--epochs", 3)
    assert status == 0
    assert "Going on from step 6." in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("epoch")] == ["3", "3"]
    assert workbench("runs", "resume", "one", "--epochs", 4, "--batch", 2)[0] == 0
    assert (finished.last_step, finished.config.training.batch) == (15, 2)


def test_a_failed_training_is_a_sentence_and_status_1(at_once, small, workbench):
    with pytest.raises(SystemExit) as ended:
        workbench("train", small, "--training.best", "dise")
    assert ended.value.code == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Give a folder with --data, a YAML file, or a preset: cityscapes"),
        (("no-such",), "Unknown preset 'no-such'"),
        (("demo", "--epoch", "3"), "There is no knob 'epoch'; did you mean epochs"),
        (("demo", "--batch", "many"), "training.batch = 'many' is refused"),
        (("demo", "--resume", "x"), "leave out everything but changes"),
        (("--resume", "x"), "There is no run 'x'"),
        (("demo", "--name", "a/b"), "cannot be called 'a/b'"),
    ],
)
def test_a_mistake_starts_nothing(workbench, tmp_path, words, sentence):
    status, _, error = workbench("train", *words)
    assert status == 2
    assert sentence in error
    assert list_runs(tmp_path / "runs") == []


# runs


def test_the_list_of_runs(finished, workbench):
    status, out, _ = workbench("runs")
    assert status == 0
    (line,) = [line.split() for line in out.splitlines() if line.startswith("one ")]
    assert line[1:4] == ["finished", "2", "2"]
    assert line[4] == f"{finished.best()['score']:.2f}"
    assert line[5:] == ["cpu", "0", "min"]


def test_a_damaged_run_does_not_hide_the_others(finished, workbench):
    (finished.folder.parent / "two").mkdir()
    (finished.folder.parent / "two" / "config.yaml").touch()
    (finished.folder.parent / "two" / "status.json").write_text("{")
    _, out, _ = workbench("runs")
    assert "one " in out
    assert "unreadable" in out
    status, _, error = workbench("runs", "show", "two")
    assert status == 2
    assert "status.json cannot be read" in error
    assert workbench("runs", "delete", "two", "--yes")[0] == 0


def test_no_runs(workbench):
    assert "There are no runs" in workbench("runs")[1]


def test_all_about_a_run(finished, workbench):
    status, out, _ = workbench("runs", "show", "one")
    assert status == 0
    for fact in ("finished", "epoch 2 of 2, step 6 of 6", "attention_unet", str(finished.best_model), "step 6"):
        assert fact in out
    assert f"dice                    {finished.best()['metrics']['dice']:.4f}" in out
    assert "epoch 2 of 2, valid: loss" in out, "the end of the log"


def test_the_curves_of_a_run(finished, workbench, tmp_path):
    assert workbench("runs", "plot", "one")[0] == 0
    with Image.open(finished.folder / "loss.png") as picture:
        assert picture.size[0] > 500
    assert "plotly" in (finished.folder / "loss.html").read_text(encoding="utf-8")
    assert workbench("runs", "plot", "one", "--to", tmp_path)[0] == 0
    assert (tmp_path / "loss.png").exists()


def test_curves_of_nothing_are_a_sentence(workbench, tmp_path):
    Run.create(small_config(), tmp_path / "runs", "new")
    status, _, error = workbench("runs", "plot", "new")
    assert status == 2
    assert "no losses to draw yet" in error


def test_a_run_is_packed(finished, workbench, tmp_path):
    assert workbench("runs", "export", "one", "--to", tmp_path / "one.zip")[0] == 0
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        archive.extractall(tmp_path / "there")
    there = Run.open(tmp_path / "there" / "one")
    assert there.records() == finished.records()
    assert there.previews.epochs == [1, 2]
    assert load_model(there.best_model).card.task.mode == "binary"


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 1), ("", 1)])
def test_deleting_asks_first(finished, workbench, monkeypatch, answer, left):
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert workbench("runs", "delete", "one")[0] == 0
    assert len(list_runs(finished.folder.parent)) == left


def test_deleting_without_anybody_to_ask(finished, workbench, monkeypatch):
    def nobody(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert workbench("runs", "delete", "one")[0] == 2
    assert workbench("runs", "delete", "one", "--yes")[0] == 0
    assert list_runs(finished.folder.parent) == []


def test_stopping_what_is_not_at_work(finished, workbench):
    assert "one is not at work: finished." in workbench("runs", "stop", "one")[1]


# With a worker of its own


def nuclei(folder, count):
    """Pictures of bright discs in the layout of the Data Science Bowl: a file an instance, of several sizes."""
    chance = np.random.default_rng(3)
    for number in range(count):
        height, width = ((48, 64), (64, 48), (56, 56))[number % 3]
        rows, columns = np.ogrid[:height, :width]
        picture = chance.integers(0, 50, (height, width, 3)).astype(np.uint8)
        of_this = folder / "stage1_train" / f"{number:032x}"
        (of_this / "images").mkdir(parents=True)
        (of_this / "masks").mkdir()
        for instance in range(3):
            y, x, radius = chance.uniform(8, 40), chance.uniform(8, 40), chance.uniform(4, 9)
            inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
            picture[inside] = 180 + chance.integers(0, 60, 3)
            Image.fromarray(inside.astype(np.uint8) * 255).save(of_this / "masks" / f"{instance}.png")
        Image.fromarray(picture).convert("RGBA").save(of_this / "images" / f"{of_this.name}.png")
    return folder


@pytest.mark.slow
def test_from_raw_files_to_a_best_model_by_one_command(workbench, tmp_path):
    data = nuclei(tmp_path / "nuclei", 30)
    words = ("--epochs", 6, "--batch", 4, "--model.width", 8, "--size", "[48, 48]", "--optimizer.name", "adam")
    status, out, _ = workbench(
        "train", "dsb2018-unet", "--data", data, *words, "--learning_rate", "5e-3", "--name", "n"
    )
    assert status == 0, out
    run = Run.open(tmp_path / "runs" / "n")
    dice = [record["metrics"]["dice"] for record in run.records() if record["split"] == "valid"]
    assert max(dice) > 0.7
    assert max(dice) > dice[0]
    assert load_model(run.best_model).card.preprocessing.size == (48, 48)


@pytest.mark.slow
def test_the_demo_reaches_a_dice_over_0_8(workbench, tmp_path):
    start = time.monotonic()
    assert workbench("train", "demo", "--name", "demo")[0] == 0
    run = Run.open(tmp_path / "runs" / "demo")
    assert run.best()["metrics"]["dice"] > 0.8
    model = load_model(run.best_model)
    assert sum(parameter.numel() for parameter in model.parameters()) < 600_000
    print(f"the demo took {time.monotonic() - start:.0f} s")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_the_run_properly(number, small, tmp_path):
    runs = tmp_path / "runs"
    words = ["train", str(small), "--epochs", "10000", "--name", "one", "--runs", str(runs)]
    command = subprocess.Popen([sys.executable, "-m", "workbench", *words], stdout=subprocess.PIPE, text=True)
    run = Run(runs / "one")
    wait_until(lambda: has_steps(run, 4))
    command.send_signal(number)
    out, _ = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "Stopping after this step" in out
    assert run.status().state == "stopped"
    assert run.last_step == run.status().step
    assert run.best_model.is_file()


@pytest.mark.slow
def test_a_detached_run_is_watched_and_stopped_later(small, workbench, tmp_path):
    status, out, _ = workbench("train", small, "--epochs", 10_000, "--name", "one", "--detach")
    assert status == 0
    assert "runs watch one" in out
    run = Run.open(tmp_path / "runs" / "one")
    wait_until(lambda: has_steps(run, 4))
    assert "running" in workbench("runs")[1]
    status, out, _ = workbench("runs", "stop", "one")
    assert "one is stopped" in out
    assert "stopped" in workbench("runs")[1]

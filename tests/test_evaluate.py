"""A run's evaluation, from its folder to the files in it, on one process and on two."""

import csv
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from workbench.cli import main
from workbench.config import DataConfig, ModelConfig, Preprocessing, RunConfig
from workbench.errors import UserError
from workbench.inference.evaluation_folder import load_evaluation
from workbench.inference.scores import summarise
from workbench.models import model_from_config, save_model
from workbench.runs.evaluated import evaluation_folder
from workbench.runs.evaluation import evaluate_run
from workbench.runs.preparing import prepare_for
from workbench.runs.run import Run


def make_run(folder, kind: str = "binary") -> Run:
    """A run as a training would leave it, with random weights as its best."""
    config = RunConfig(
        data=DataConfig(
            path=f"shapes:{kind}", options={"count": 40, "size": 48}, preprocessing=Preprocessing(size=(32, 32))
        ),
        model=ModelConfig(name="attention_unet", width=4),
    )
    run = Run.create(config, folder, f"{kind}-run")
    prepared = prepare_for(config.data, run.folder.parent, lambda done, total: None)
    torch.manual_seed(0)
    model = model_from_config(config.model, 3, prepared.task.channels)
    save_model(model, run.best_model, task=prepared.task, preprocessing=config.data.preprocessing)
    return run


@pytest.fixture(scope="module", params=["binary", "multiclass", "multilabel"])
def evaluated(request, tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("runs"), request.param)
    return run, evaluate_run(run)


def test_what_is_written_is_what_was_counted(evaluated):
    run, evaluation = evaluated
    folder = evaluation_folder(run, "test")
    assert json.loads((folder / "summary.json").read_text()) == summarise(evaluation)
    again = load_evaluation(folder)
    assert (again.names, again.task, again.threshold) == (evaluation.names, evaluation.task, evaluation.threshold)
    for ours, expected in zip(again.counted, evaluation.counted, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_the_table_has_a_line_a_picture_worst_first(evaluated):
    run, evaluation = evaluated
    with (evaluation_folder(run, "test") / "pictures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["picture"] for row in rows} == set(evaluation.names)
    dice = [float(row["dice"]) for row in rows if row["dice"]]
    assert dice == sorted(dice)


def test_the_report_shows_pictures_errors_and_attention(evaluated):
    run, _ = evaluated
    page = (evaluation_folder(run, "test") / "report.html").read_text()
    for text in ("The worst pictures", "Attention", "stride_8, stride_4, stride_2, stride_1", "attention_unet"):
        assert text in page
    assert page.count("data:image/") >= 8
    assert "http" not in page


def test_by_command(tmp_path, capsys):
    run = make_run(tmp_path / "runs")
    assert main(["evaluate", run.name, "--runs", str(tmp_path / "runs"), "--split", "valid", "--worst", "2"]) == 0
    printed = capsys.readouterr().out
    assert "4 pictures of valid" in printed
    assert "At the pictures' own size" in printed
    assert "At training size" in printed
    assert printed.count("shape_") == 2
    assert (run.folder / "evaluation" / "valid" / "report.html").is_file()


def test_mistakes_are_told(tmp_path):
    run = make_run(tmp_path / "runs")
    with pytest.raises(UserError, match="Unknown split 'tset'"):
        evaluate_run(run, "tset")
    with pytest.raises(UserError, match=r"no evaluation in .*test"):
        load_evaluation(evaluation_folder(run, "test"))
    run.best_model.unlink()
    with pytest.raises(UserError, match="has no best model yet"):
        evaluate_run(run)


def test_pictures_that_have_moved_are_named_anew(tmp_path):
    run = make_run(tmp_path / "runs")
    shutil.rmtree(next((tmp_path / "runs").glob("*prepared*"), tmp_path / "nothing"), ignore_errors=True)
    moved = evaluate_run(run, data="shapes:binary")
    assert len(moved.names) == 8


@pytest.mark.slow
def test_two_processes_count_the_same(tmp_path):
    run = make_run(tmp_path / "runs")
    alone = summarise(evaluate_run(run))
    shutil.rmtree(run.folder / "evaluation")
    launched = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
            *("-m", "workbench", "evaluate", run.name, "--runs", str(run.folder.parent)),
        ],
        env={**os.environ, "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert launched.returncode == 0, launched.stderr
    assert json.loads((evaluation_folder(run, "test") / "summary.json").read_text()) == alone
    assert launched.stdout.count("At training size") == 1

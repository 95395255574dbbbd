"""The run that comes with the package: this code reads all of it, and it tells of no machine."""

from __future__ import annotations

import re

import numpy as np
import pytest

from workbench.config import load_config
from workbench.data.layouts import open_source
from workbench.errors import UserError
from workbench.inference.evaluation_folder import load_evaluation
from workbench.inference.predictor import Predictor
from workbench.models import load_model
from workbench.runs.demo import DEMO, add_demo_run
from workbench.runs.evaluated import evaluation_folder
from workbench.runs.run import Run, list_runs


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return add_demo_run(tmp_path_factory.mktemp("runs"))


def test_it_is_a_run_like_any_other(run):
    assert [one.name for one in list_runs(run.folder.parent)] == ["demo"]
    assert run.status().state == "finished"
    assert run.config == load_config("demo")
    assert len(run.records()) == 12 * (18 + 2)
    assert run.system().records
    assert run.environment()[0]["data"]["splits"] == {"train": 140, "valid": 20, "test": 40}


def test_its_previews_are_there(run):
    assert len(run.previews.names) == 4
    assert run.previews.epochs == list(range(1, 13))
    assert set(run.previews.maps(12, 0).attention) == {"stride_1", "stride_2", "stride_4"}


def test_its_model_predicts(run):
    assert load_model(run.best_model).card.task == run.previews.task
    source = open_source("shapes", **run.config.data.options)
    item = source.items[0]
    prediction = Predictor(run.best_model)(source.read_image(item).array)
    truth = source.read_raw_mask(item) > 0
    assert np.mean((prediction.labels > 0) == truth) > 0.95


def test_its_evaluation_is_there(run):
    assert len(load_evaluation(evaluation_folder(run, "test")).names) == 40
    assert (evaluation_folder(run, "test") / "report.html").is_file()


def test_it_is_small_and_tells_of_no_machine():
    files = [path for path in DEMO.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 3e6
    assert not [path.name for path in files if path.name.startswith(".")]
    for path in files:
        if path.suffix in (".json", ".jsonl", ".yaml", ".txt", ".csv", ".html"):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"(?<![\w:/.<-])/(home|root|tmp|work|Users|var|private)/|[A-Z]:\\\\", text), path
    assert Run(DEMO).status().host == ""


def test_it_is_added_where_nothing_is_and_nowhere_else(tmp_path):
    assert add_demo_run(tmp_path / "new" / "runs").name == "demo"
    assert add_demo_run(tmp_path / "new" / "runs") is None
    assert not list((tmp_path / "new" / "runs").glob(".*"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        add_demo_run(tmp_path / "file")


def test_it_is_part_of_the_package(root):
    import tomllib

    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = told["tool"]["setuptools"]["package-data"]["workbench"]
    packed = {path for pattern in patterns for path in (root / "workbench").glob(pattern) if path.is_file()}
    assert {path for path in DEMO.rglob("*") if path.is_file()} <= packed
    assert set((root / "workbench" / "web").glob("*.js")) <= packed

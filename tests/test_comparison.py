"""Runs side by side: what differs, and what may be concluded from it."""

import re

import numpy as np
import pytest

from workbench.cli import main
from workbench.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from workbench.errors import UserError
from workbench.inference.evaluation import Counted, Evaluation
from workbench.inference.evaluation_folder import save_evaluation
from workbench.runs.comparison import compare_runs, comparison_page, difference, knob_differences
from workbench.runs.evaluated import evaluation_folder
from workbench.runs.run import Run
from workbench.task import Task


def made_up(names, right: float, seed: int = 0, own: bool = True) -> Evaluation:
    """Pictures of 1,000 foreground pixels, of which about a share is found."""
    rng = np.random.default_rng(seed)
    found = rng.binomial(1000, right, len(names))
    counts = np.stack([found, 1000 - found, 1000 - found, np.full(len(names), 5000)], -1)[:, None]
    nothing = np.zeros((len(names), 1))
    counted = Counted(
        np.full((len(names), 2), 64),
        counts,
        counts if own else counts[:0],
        np.zeros((len(names), 2, 2), int),
        nothing,
        nothing,
        np.ones((len(names), 1, 2, 256), int),
    )
    return Evaluation(Task(), "test", 0.5, 8, tuple(names), counted)


NAMES = [f"picture_{number}" for number in range(40)]


@pytest.fixture
def runs(tmp_path):
    """Two runs that differ in model and epochs, the second better."""
    folder = tmp_path / "runs"
    first = Run.create(RunConfig(model=ModelConfig(name="unet")), folder, "plain")
    config = RunConfig(model=ModelConfig(name="attention_unet"), training=TrainingConfig(epochs=7))
    second = Run.create(config, folder, "gated")
    save_evaluation(made_up(NAMES, 0.7), evaluation_folder(first, "test"))
    save_evaluation(made_up(NAMES, 0.8, seed=1), evaluation_folder(second, "test"))
    return first, second


def test_only_knobs_that_differ_are_listed(runs):
    configs = {run.name: run.config.model_dump(mode="json") for run in runs}
    assert knob_differences(configs) == {
        "model.name": {"plain": "unet", "gated": "attention_unet"},
        "training.epochs": {"plain": 50, "gated": 7},
    }


def test_a_knob_that_only_one_run_has_differs():
    assert knob_differences({"a": {"x": {"y": 1}}, "b": {"x": {}}}) == {"x.y": {"a": 1, "b": None}}


def test_a_clear_difference_is_told_and_a_small_one_is_not_claimed():
    far = difference("a", made_up(NAMES, 0.7), "b", made_up(NAMES, 0.8, seed=1), own=True)
    assert far.interval.low > 0
    assert "more than chance" in far.sentence
    near = difference("a", made_up(NAMES, 0.7), "b", made_up(NAMES, 0.7, seed=1), own=True)
    assert near.interval.low < 0 < near.interval.high
    assert "may be chance" in near.sentence


def test_pairs_go_by_name_not_by_place():
    evaluation = made_up(NAMES, 0.7)
    order = np.random.default_rng(0).permutation(len(NAMES))
    shuffled = Evaluation(
        evaluation.task, "test", 0.5, 8, tuple(NAMES[i] for i in order), evaluation.counted.take(order)
    )
    assert difference("a", evaluation, "b", shuffled, own=True).interval == (0, 0, 0)


def test_other_pictures_are_not_compared_in_pairs():
    assert difference("a", made_up(NAMES, 0.7), "b", made_up(NAMES[1:], 0.7), own=True) is None


def test_the_whole_comparison(runs):
    found = compare_runs(runs)
    assert [row.run for row in found.rows] == ["plain", "gated"]
    assert found.rows[1].scores["dice"].value > found.rows[0].scores["dice"].value
    assert len(found.differences) == 1
    page = comparison_page(found, runs)
    assert "attention_unet" in page
    assert not re.search(r"<script|https?:", page)


def test_one_without_own_size_puts_all_at_training_size(runs):
    save_evaluation(made_up(NAMES, 0.7, own=False), evaluation_folder(runs[0], "test"))
    assert "Scores are at training size." in compare_runs(runs).notes


def test_a_run_without_evaluation_is_listed_with_the_command_that_makes_it(runs):
    third = Run.create(RunConfig(data=DataConfig(path="shapes")), runs[0].folder.parent, "third")
    found = compare_runs([*runs, third])
    assert found.rows[2].scores == {}
    assert any("workbench evaluate third --split test" in note for note in found.notes)


def test_mistakes(runs):
    with pytest.raises(UserError, match="at least two"):
        compare_runs(runs[:1])
    with pytest.raises(UserError, match="each run once"):
        compare_runs([runs[0], runs[0]])


def test_by_command(runs, tmp_path, capsys):
    page = tmp_path / "page.html"
    folder = str(runs[0].folder.parent)
    assert main(["compare", "plain", "gated", "--runs", folder, "--html", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "more than chance" in printed
    assert "training.epochs" in printed
    assert page.is_file()

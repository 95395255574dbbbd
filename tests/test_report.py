"""An evaluation's report tells what the evaluation counted."""

import re

import numpy as np
import pytest

from workbench.inference.evaluation import Counted, Evaluation
from workbench.inference.report import Case, report
from workbench.inference.scores import summarise
from workbench.page import Line
from workbench.task import Task

TASKS = [
    Task(),
    Task(mode="multiclass", classes=("sky", "a <b>", "ground")),
    Task(mode="multilabel", classes=("left", "right")),
]


def made_up(task: Task) -> Evaluation:
    rng = np.random.default_rng(0)
    pictures, classes = 5, len(task.scored)
    counts = rng.integers(1, 100, (pictures, classes, 4))
    hd95 = rng.random((pictures, classes))
    hd95[2] = np.nan
    confusion = rng.integers(0, 9, (pictures, len(task.classes), len(task.classes)))
    counted = Counted(
        sizes=np.full((pictures, 2), 64),
        at_training_size=counts,
        at_own_size=counts[[4, 3, 2, 1, 0]],
        confusion=confusion,
        hd95=hd95,
        boundary_f=rng.random((pictures, classes)),
        histograms=rng.integers(0, 50, (pictures, classes, 2, 256)),
    )
    return Evaluation(task, "valid", 0.5, 2, tuple(f"picture <{n}>" for n in range(pictures)), counted)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.mode)
def test_the_page_tells_the_summary(task):
    evaluation = made_up(task)
    page, summary = report(evaluation, "A run & its <scores>"), summarise(evaluation)
    for size in ("at_own_size", "at_training_size"):
        assert f"{summary[size]['jaccard']['value']:.4f}" in page
        assert f"{summary[size]['dice_per_picture']['low']:.4f}" in page
    assert "A run &amp; its &lt;scores&gt;" in page
    assert "<b>valid</b>" in page
    assert "alone or in neither: 1." in page
    assert ("Confusion" in page) == (task.mode == "multiclass")
    assert ("best threshold" in page) == (task.mode != "multiclass")
    assert page.count("picture &lt;") == 5
    assert not re.search(r"<script|https?:", page)


def test_pictures_curves_and_details_are_inside():
    picture = np.full((8, 8, 3), 200, np.uint8)
    page = report(
        made_up(TASKS[0]),
        "title",
        worst=[Case("worst one", [picture, picture])],
        best=[Case("best one", [picture])],
        attention=[Case("stride_8", [picture])],
        curves={"loss": [Line("train", [0, 1], [1.0, 0.5])]},
        details={"configuration": "epochs: 5 <6>"},
    )
    assert page.count("data:image/") == 4
    for text in ("worst one", "best one", "stride_8", "The worst pictures", "Training", "epochs: 5 &lt;6&gt;"):
        assert text in page

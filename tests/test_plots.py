"""Curves of a training: what is drawn, thinned, and written."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from workbench.plots import (
    MOST_POINTS,
    extremes,
    live_series,
    loss_and_score_curves,
    loss_figure,
    scores_of,
    thinned,
    write_html,
    write_png,
)

RECORDS = [
    {"split": "train", "step": 1, "losses": {"loss": 1.0}, "metrics": {}},
    {"split": "train", "step": 2, "losses": {"loss": 0.5}, "metrics": {}},
    {"split": "train", "step": 2, "complete": True, "losses": {"loss": 0.75}, "metrics": {"dice": 0.5}},
    {
        "split": "valid",
        "step": 2,
        "complete": True,
        "losses": {"loss": 0.6},
        "metrics": {"dice": 0.8, "jaccard": 0.7},
    },
    {"split": "valid", "step": 4, "complete": True, "losses": {"loss": None}, "metrics": {"dice": 0.9}},
]


def test_every_kind_of_record_is_a_curve():
    curves = {curve.name: (curve.panel, *curve.steps, *curve.values) for curve in loss_and_score_curves(RECORDS)}
    assert curves == {
        "training, by step": ("Loss", 1, 2, 1.0, 0.5),
        "training": ("Loss", 2, 0.75),
        "validation": ("Loss", 2, 0.6),
        "validation dice": ("Score", 2, 4, 0.8, 0.9),
        "validation jaccard": ("Score", 2, 0.7),
    }


def test_nothing_is_no_curve():
    assert loss_and_score_curves([]) == []


def test_the_figure_holds_the_numbers():
    traces = {
        trace.name: (list(trace.x), list(trace.y), trace.yaxis)
        for trace in loss_figure(loss_and_score_curves(RECORDS)).data
    }
    assert traces["training, by step"] == ([1, 2], [1.0, 0.5], "y")
    assert traces["validation dice"] == ([2, 4], [0.8, 0.9], "y2")


def test_long_curves_are_thinned_by_means():
    steps, values = np.arange(1, 100_001.0), np.linspace(5, 1, 100_000)
    few_steps, few_values = thinned(steps, values)
    assert len(few_steps) == len(few_values) == MOST_POINTS
    assert few_values.mean() == pytest.approx(values.mean())
    assert (np.diff(few_steps) > 0).all()
    assert thinned(steps[:9], values[:9])[0] is not None
    assert len(thinned(steps[:9], values[:9])[0]) == 9


def test_a_picture_and_a_page_are_written(tmp_path):
    curves = loss_and_score_curves(RECORDS)
    write_png(curves, tmp_path / "loss.png", "my run")
    with Image.open(tmp_path / "loss.png") as picture:
        assert picture.size == (1350, 900)
        assert len(set(picture.convert("RGB").getdata())) > 20, "curves in colours"
    write_html(curves, tmp_path / "loss.html", "my run")
    page = (tmp_path / "loss.html").read_text(encoding="utf-8")
    assert "my run" in page
    assert "validation dice" in page
    assert 'src="http' not in page


def test_live_lines_are_added_to():
    def lines(records):
        return {(line.panel, line.name): (*line.steps, *line.values) for line in live_series(records)}

    assert lines(RECORDS) == {
        ("loss", "training"): (1, 2, 1.0, 0.5),
        ("loss", "epoch mean"): (2, 0.75),
        ("loss", "validation"): (2, 0.6),
        ("score", "dice"): (2, 4, 0.8, 0.9),
    }
    assert lines(RECORDS[1:2]) == {("loss", "training"): (2, 0.5)}
    assert scores_of(RECORDS) == ["dice", "jaccard"]


def test_a_score_has_a_line_a_class():
    record = {"split": "valid", "complete": True, "step": 1, "metrics": {"dice": 0.5, "dice[a]": 0.25, "jaccard": 0.4}}
    assert [line.name for line in live_series([record])] == ["dice", "dice[a]"]
    assert [line.name for line in live_series([record], "jaccard")] == ["jaccard"]
    assert scores_of([record]) == ["dice", "jaccard"]


def test_extremes_are_kept():
    steps, values = np.arange(50_000.0), np.sin(np.arange(50_000) / 500)
    values[[777, 40_001]] = 50, -50
    few_steps, few_values = extremes(steps, values, 1000)
    assert len(few_steps) <= 1000
    assert (np.diff(few_steps) > 0).all()
    assert dict(zip(few_steps, few_values, strict=True)).items() >= {777: 50, 40_001: -50}.items()
    assert len(extremes(steps[:9], values[:9], 1000)[0]) == 9

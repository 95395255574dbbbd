"""How pictures differ by split: counts that add up, in the doctor's report and of prepared data alike."""

from __future__ import annotations

import json

import pytest
from small_run import wait_until

from workbench.config import DataConfig
from workbench.data.doctor import check
from workbench.data.spread import STEPS, Measured, spread
from workbench.knobs import override
from workbench.runs.datasets import Datasets, Desk
from workbench.task import Task


def test_shares_and_sizes_are_counted_by_split():
    found = spread(
        Task(),
        {
            "train": [Measured((10, 20), (190, 10), 200)] * 3 + [Measured((20, 20), (400,), 400)],
            "valid": [Measured((10, 20), (100, 60), 200)],
            "test": [],
        },
    )
    assert found.largest == 0.5
    assert set(found.parts) == {"train", "valid"}
    train = found.parts["train"]
    assert (train.pictures, sum(train.marked), train.marked[0], train.marked[2]) == (4, 4, 1, 3)
    assert train.sizes == ((20, 10, 3), (20, 20, 1))
    assert train.classes == {"background": pytest.approx(0.97), "foreground": pytest.approx(0.03)}
    assert found.parts["valid"].marked[int(60 / 160 / 0.5 * STEPS)] == 1, "ignored pixels do not count"


def test_classes_that_overlap_have_shares_of_their_own():
    task = Task(mode="multilabel", classes=("cell", "nucleus"))
    part = spread(task, {"all": [Measured((10, 10), (80, 44), 100)]}).parts["all"]
    assert part.classes == {"cell": 0.8, "nucleus": 0.44}
    assert part.marked[int((0.8 + 0.44) / 2 * STEPS)] == 1


def test_a_class_0_that_is_no_background_is_marked():
    task = Task(mode="multiclass", classes=("road", "sky"))
    assert spread(task, {"all": [Measured((1, 4), (3, 1), 4)]}).parts["all"].marked[-1] == 1


def test_a_report_and_the_prepared_pictures_tell_it(tmp_path):
    small = {"count": 10, "size": 32}
    report = check(DataConfig(options=small), workers=1)
    assert json.loads(report.as_json())["summary"]["spread"]["parts"]["all"]["pictures"] == 10
    desk = Desk(Datasets(tmp_path))
    desk.prepare("shapes", override(desk.datasets.config("shapes"), {"data.options": small}))
    wait_until(lambda: not desk.jobs.get("shapes").at_work)
    told = desk.spread({"data": "shapes"})
    assert list(told["colours"]) == list(report.summary.spread.parts["all"].classes)[1:]
    assert [part["pictures"] for part in told["parts"].values()] == [7, 1, 2]
    shares = [part["classes"]["background"] * part["pictures"] for part in told["parts"].values()]
    assert sum(shares) / 10 == pytest.approx(report.summary.spread.parts["all"].classes["background"], abs=0.02)

"""The Correct tab as its user sees it: painting on the demo's masks, a run that goes on, and what it has brought."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from walking import choose, stroke

from workbench.runs.correcting.versions import versions_of
from workbench.runs.demo import add_demo_run
from workbench.runs.run import Run, list_runs


@pytest.fixture
def runs(tmp_path):
    add_demo_run(tmp_path)
    return tmp_path


@pytest.fixture
def page(show_app, runs, open_page):
    page = open_page(f"{show_app(runs)}?tab=correct", viewport={"width": 1400, "height": 1000})
    page.locator("#correction .frame").wait_for()
    page.locator("#correction").get_by_text("Original").first.wait_for()
    return page


def save(page, number):
    page.get_by_role("button", name="Save as a new version").click()
    page.locator("#correction").get_by_text(f"Version {number}").first.wait_for()


def test_a_label_is_corrected_trained_on_and_compared(page, runs):
    page.locator("#correct-retrain").click()
    page.get_by_text("No label of demo is corrected").wait_for()
    stroke(page)
    save(page, 1)
    (demo,) = list_runs(runs)
    versions = versions_of(demo.config.data, runs)
    ((picture, (count, in_use)),) = versions.all().items()
    assert (count, in_use) == (1, 1)
    assert np.unique(tifffile.imread(versions.path(picture, 1))).tolist() == [0, 1]

    page.locator("#correct-epochs input").fill("1")
    page.locator("#correct-retrain").click()
    page.locator("#correct-told .state[data-state=finished]").wait_for(timeout=120_000)
    assert "demo-corrected went on from demo: epoch 1 of 1" in page.locator("#correct-told").inner_text()
    after = Run.open(runs / "demo-corrected")
    assert after.config.model.weights == str(demo.best_model)

    page.locator("#correct-evaluate").click()
    page.locator("#correct-compare").get_by_text("demo-corrected against demo").wait_for(timeout=120_000)
    assert page.locator("#correct-compare tbody tr").count() == 2
    page.reload()
    page.locator("#correct-compare").get_by_text("demo-corrected against demo").wait_for()
    page.locator("#correct-told").get_by_role("link", name="demo-corrected").click()
    page.locator("#run-progress").get_by_text("finished").first.wait_for()
    page.set_viewport_size({"width": 500, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 500


def test_without_a_run_there_is_nothing_to_correct(show_app, open_page, tmp_path):
    page = open_page(f"{show_app(tmp_path)}?tab=correct")
    page.locator("#correct-retrain").click()
    page.get_by_text("There is no run with a model yet").wait_for()


def test_the_run_of_the_address_is_the_one_that_is_opened(show_app, open_page, runs):
    shutil.copytree(runs / "demo", runs / "other")
    url = show_app(runs)
    fields = {"correct": ("correct-run", "#correction [role=option]"), "take-away": ("taken-run", "#taken-about p")}
    for tab, (field, below) in fields.items():
        for name in ("demo", "other"):
            page = open_page(f"{url}?tab={tab}&run={name}")
            page.locator(below).first.wait_for()
            assert page.locator(f"#{field} input").input_value() == name


def test_why_a_run_is_not_evaluated_is_told(page, runs):
    """Without its pictures there is nothing to score, and the page says so."""
    stroke(page)
    save(page, 1)
    page.locator("#correct-epochs input").fill("1")
    page.locator("#correct-retrain").click()
    page.locator("#correct-told .state[data-state=finished]").wait_for(timeout=120_000)
    corrections = Run.open(runs / "demo-corrected").config.data.corrections
    shutil.rmtree(runs / "prepared")
    Path(corrections).unlink()
    page.locator("#correct-evaluate").click()
    page.locator("#correct-compare .problem").get_by_text("There is no corrections file").wait_for(timeout=120_000)


def test_the_run_that_was_chosen_last_follows_to_other_tabs(show_app, open_page, runs):
    shutil.copytree(runs / "demo", runs / "another")
    page = open_page(f"{show_app(runs)}?run=demo")
    page.locator("#run-progress").get_by_text("finished").first.wait_for()
    page.get_by_role("tab", name="Correct").click()
    page.wait_for_function("document.querySelector('#correct-run input').value === 'demo'")
    choose(page, "correct-run", "another")
    page.wait_for_function("location.search.includes('run=another')")
    page.get_by_role("tab", name="Take away").click()
    page.wait_for_function("document.querySelector('#taken-run input').value === 'another'")

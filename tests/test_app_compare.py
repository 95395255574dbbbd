"""The Compare tab as its user sees it: two runs together, their losses checked, and a shoot-out."""

from __future__ import annotations

import re
import shutil

import pytest
from walking import choose

from workbench.inference.intervals import Interval
from workbench.runs.demo import add_demo_run
from workbench.runs.files import write_json
from workbench.runs.standings import RESULTS, Standing, Standings


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The demo, a copy that knows it differs, and what came out of a shoot-out."""
    folder = tmp_path_factory.mktemp("runs")
    demo = add_demo_run(folder)
    shutil.copytree(demo.folder, folder / "other")
    config = (folder / "other" / "config.yaml").read_text()
    (folder / "other" / "config.yaml").write_text(config.replace("epochs: 12", "epochs: 13"))
    (folder / "contest").mkdir()
    write_json(folder / "contest" / "plan.json", {})
    standing = Standing("<b>bold</b>", "unet", ["a"], 3, Interval(0.8, 0.7, 0.9), [0.8], 1_000_000, 1.5, None)
    found = Standings("test", 9, [standing], "Only one has finished.", [])
    rows = [standing._asdict() | {"dice": standing.dice._asdict()}]
    write_json(folder / "contest" / RESULTS, {**found._asdict(), "standings": rows})
    return folder


@pytest.fixture(scope="module")
def url(show_app, runs):
    return f"{show_app(runs)}?tab=compare"


def test_two_runs_together(url, open_page, tmp_path):
    page = open_page(url, viewport={"width": 1400, "height": 1000})
    scores = page.get_by_role("region", name="Scores on test")
    scores.wait_for()
    assert scores.locator("tbody tr").count() == 2
    assert scores.get_by_role("columnheader", name="dice per picture").count() == 1
    assert page.get_by_text(re.compile(r"Dice a picture \+0.0000 .* may be chance")).count() == 1
    knobs = page.get_by_role("region", name="What differs in their configurations")
    assert knobs.locator("tbody tr").count() == 1
    assert {"training.epochs", "12", "13"} == set(knobs.locator("tbody tr").first.inner_text().split())
    page.wait_for_function("document.querySelector('#comparison .chart')?.dataset.lines === '2'")

    # the same picture in both, and epochs
    prediction = page.get_by_role("img", name="demo, epoch 12")
    prediction.wait_for()
    last = prediction.get_attribute("src")
    page.locator("#comparison").get_by_role("slider", name="Epoch").fill("0")
    first = page.get_by_role("img", name="demo, epoch 1", exact=True)
    first.wait_for()
    assert first.get_attribute("src") != last
    assert page.get_by_role("img", name="other, epoch 1", exact=True).get_attribute("src") == first.get_attribute("src")

    # a shoot-out of the folder, whose words are no HTML
    assert page.locator("#shootouts td").first.inner_text() == "<b>bold</b>"

    # the losses of one against the other's, and against a log
    page.locator("#alignment button").first.click()
    choose(page, "align-run", "demo")
    choose(page, "align-reference", "other")
    result = page.locator("#align-result textarea")
    page.locator("#align-check").click()
    page.wait_for_function("document.querySelector('#align-result textarea').value.includes('PASS')")
    assert result.input_value().startswith("12 losses compared.")
    log = tmp_path / "log.csv"
    log.write_text("step,loss\n" + "".join(f"{step},0.01\n" for step in range(5)))
    page.locator("#align-log input[type=file]").set_input_files(log)
    page.locator("#align-log").get_by_text("log").first.wait_for()
    page.locator("#align-check").click()
    page.wait_for_function("document.querySelector('#align-result textarea').value.includes('FAIL')")
    assert result.input_value().startswith("5 losses compared")

    page.set_viewport_size({"width": 500, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 500

    # one run is not enough
    page.locator("#compare-runs .token-remove").first.click()
    page.get_by_text("Choose at least two runs").wait_for()

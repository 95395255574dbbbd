"""The Evaluate tab as its user sees it: scores, thresholds and errors of the demo, and an evaluation from the page."""

from __future__ import annotations

import re

import pytest
from walking import choose, downloaded

from workbench.runs.demo import add_demo_run
from workbench.runs.evaluated import is_evaluated
from workbench.runs.run import list_runs

IMAGES = "document.querySelectorAll('#evaluation .card img').length"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of runs with the demo, which is evaluated on its test split."""
    folder = tmp_path_factory.mktemp("runs")
    add_demo_run(folder)
    return folder


@pytest.fixture
def page(show_app, runs, open_page):
    page = open_page(f"{show_app(runs)}?tab=evaluate", viewport={"width": 1400, "height": 1000})
    page.locator("#evaluation [data-score=dice]").wait_for()
    return page


def score(page):
    return float(page.locator("#evaluation [data-score=dice] td").first.inner_text()[:6])


def test_scores_errors_and_report_of_the_demo_are_there_at_once(page):
    table = page.get_by_role("region", name="Scores at the pictures' own size")
    assert re.fullmatch(
        r"0\.9\d+ 0\.9\d+ to 0\.9\d+", table.get_by_role("row", name="dice").locator("td").first.inner_text()
    )
    assert page.get_by_role("region", name="Scores at training size").count() == 1
    page.locator("#evaluation .chart .main-svg").first.wait_for()

    own = score(page)
    page.get_by_role("slider", name="Threshold").fill("250")
    assert score(page) < own, "at once, without a request"
    page.locator("#evaluation [data-score=dice] small").filter(has_text="to").first.wait_for()
    page.get_by_role("button", name="Back to 0.5").click()
    assert score(page) == own

    cards = page.locator("#evaluation .card")
    dice = cards.evaluate_all("cards => cards.map((card) => Number(card.dataset.dice))")
    assert len(dice) == 12
    assert dice == sorted(dice)
    cards.first.scroll_into_view_if_needed()
    page.wait_for_function(f"{IMAGES} >= 2")
    page.get_by_label("Direction").select_option("best first")
    page.wait_for_function(
        "worst => Number(document.querySelector('#evaluation .card').dataset.dice) > worst", arg=dice[0]
    )
    page.get_by_placeholder("part of a name").fill("no such name")
    page.get_by_text("No picture is so").wait_for()

    page.set_viewport_size({"width": 500, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 500

    page.wait_for_function("!document.querySelector('#evaluate-report').disabled")
    report = downloaded(page, "#evaluate-report")
    assert report.suggested_filename == "demo-test.html"
    assert "<h1>demo on test</h1>" in report.path().read_text()


def test_an_evaluation_from_the_page_goes_on_when_it_is_closed(page, runs):
    (run,) = list_runs(runs)
    choose(page, "evaluate-split", "valid")
    page.get_by_text("not evaluated on this split yet").wait_for()
    page.locator("#evaluate-start").click()
    page.locator("#evaluation .working .state").wait_for()
    page.reload()
    page.locator("#evaluation [data-score=dice]").wait_for()
    choose(page, "evaluate-split", "valid")
    page.get_by_text("pictures of the split valid").wait_for()
    assert is_evaluated(run, "valid")

"""The whole way of a user who has nothing but a browser: from a ZIP with faults to a model that runs elsewhere."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from app_process import AppProcess
from sent_data import zip_of_folder
from trees import drawn, save
from walking import (
    POINTS,
    choose,
    downloaded,
    open_step,
    send_zip,
    settled,
    stroke,
    wait_for_command,
    wait_for_state,
    wait_for_work,
    write,
)

from workbench.data.prepared import open_prepared, splits_of
from workbench.inference.formats.card import CARD
from workbench.runs.preparing import prepared_folder
from workbench.runs.run import Run, list_runs

COUNT, SIDE = 30, 64
RED = (4, 17)
"""Pictures whose masks are red where the others are white."""
KNOBS = {
    "model-width": "8",
    "model-depth": "3",
    "training-epochs": "6",
    "training-batch": "4",
    "training-optimizer-learning-rate": "0.01",
}
"""What is written into the form of Train; a training with it takes seconds."""
SEEN = 1
"""The picture that the exported model is given."""
CORRECTED = 3
DRAWN = """(layer => {
  const canvas = document.querySelector(`canvas.${layer}`);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, place) => place % 4 === 3 && value > 0);
})"""
"""Whether anything is to be seen on a canvas of the explorer."""


def faulty_zip(folder):
    """Of 30 pictures: two masks in another colour, and a picture that is another one, mirrored."""
    pictures = drawn(COUNT - 1, SIDE)
    pictures.append(tuple(array[:, ::-1] for array in pictures[0]))
    for number, (picture, mask) in enumerate(pictures):
        white = mask * np.uint8(255)
        coloured = np.dstack([white, white * 0, white * 0])
        save(folder / "images" / f"cell_{number:02d}.png", picture)
        save(folder / "masks" / f"cell_{number:02d}.png", coloured if number in RED else white)
    return zip_of_folder(folder, folder.with_suffix(".zip"))


@pytest.fixture
def runs(tmp_path):
    """The folder that the app makes; in the end all that is at work there is stopped."""
    yield tmp_path / "fresh" / "runs"
    for run in list_runs(tmp_path / "fresh" / "runs"):
        run.request_stop()
        run.wait(30)


@pytest.fixture
def page(runs, open_page):
    """Of an app that was started in an empty folder."""
    runs.parent.mkdir()
    app = AppProcess(runs.parent)
    try:
        yield open_page(app.address(), viewport={"width": 1400, "height": 1000})
    finally:
        app.kill()


def test_from_a_zip_to_a_model_that_runs_elsewhere(page, runs, tmp_path):
    send_and_mend(page, faulty_zip(tmp_path / "cells"))
    prepare(page)
    train(page)
    assert Run.open(runs / "first").best() is not None
    look(page)
    evaluate(page)
    correct(page)
    untouched(runs)
    compare(page)
    take_away(page, drawn(COUNT, SIDE))


def send_and_mend(page, packed):
    open_step(page, "data")
    send_zip(page, packed)
    page.get_by_text(f"Found folder: {COUNT} pictures with masks", exact=False).wait_for()
    findings = page.locator("#data-findings .finding")
    coloured, mirrored = (findings.filter(has_text=re.compile(words)) for words in ("colour", "nearly equal"))
    for finding in (coloured, mirrored):
        finding.wait_for()
        assert finding.get_by_role("checkbox").is_checked()
    page.get_by_role("button", name="Apply the ticked mends").click()
    for finding in (coloured, mirrored):
        finding.wait_for(state="detached")


def prepare(page):
    write(page, "data-knob-data-preprocessing-size", str(SIDE))
    page.locator("#data-prepare").click()
    wait_for_work(page, "Preparing")
    figures = page.locator("#data-gallery figure")
    figures.nth(COUNT - 7).wait_for()
    page.locator("#data-prepared").get_by_text(re.compile(r"\d+ train, \d+ valid, \d+ test")).wait_for()
    page.locator("#data-train").click()
    page.wait_for_url("**/?tab=train&data=uploads%2Fcells")


def train(page):
    wait_for_command(page, r"--data \S*/cells")
    page.get_by_role("button", name=re.compile(r"^Model\W*$")).click()
    for knob, value in KNOBS.items():
        write(page, f"knob-{knob}", value)
    write(page, "run-name", "first")
    wait_for_command(page, "--model.width 8 .*--training.epochs 6 .*--name first")
    page.locator("#start").click()
    wait_for_state(page, "running")
    page.wait_for_function(f"{POINTS} > 3")
    page.locator("#run-previews img[src]").first.wait_for()
    wait_for_state(page, "finished")
    assert page.locator("#run input").input_value() == "first"


def look(page):
    open_step(page, "explore")
    settled(page)
    assert page.locator("#explorer").get_by_label("Run", exact=True).input_value() == "first"
    page.locator("figcaption").filter(has_text="first best").filter(has_text="Dice").wait_for()
    assert page.evaluate(f"{DRAWN}('mask')"), "something is found"
    page.locator(".frame").first.press("a")
    assert page.evaluate(f"{DRAWN}('map')"), "attention"


def evaluate(page):
    open_step(page, "evaluate")
    choose(page, "evaluate-run", "first")
    page.locator("#evaluate-start").click()
    scores = page.get_by_role("region", name="Scores at the pictures' own size")
    dice = scores.get_by_role("row", name="dice").locator("td").first
    dice.wait_for()
    assert float(dice.inner_text()[:6]) > 0.6
    page.wait_for_function("!document.querySelector('#evaluate-report').disabled")
    report = downloaded(page, "#evaluate-report")
    assert report.suggested_filename == "first-test.html"
    assert "<h1>first on test</h1>" in report.path().read_text()


def correct(page):
    open_step(page, "correct")
    choose(page, "correct-run", "first")
    pictures = page.locator("#correction [role=option]").filter(has_text="cell_")
    pictures.nth(CORRECTED).wait_for()
    names = [pictures.nth(place).get_attribute("data-name") for place in range(CORRECTED)]
    for name in names:
        page.locator(f"#correction [role=option][data-name='{name}']").click()
        page.locator("#correction h3").filter(has_text=name).wait_for()
        stroke(page)
        page.get_by_text("Unsaved strokes", exact=True).wait_for()
        page.get_by_role("button", name="Save as a new version").click()
        page.get_by_text(f"Version 1 of {name} is saved and in use.").wait_for()
        versions = page.locator("#correction .versions li")
        assert versions.filter(has_text="Version 1").filter(has_text="in use").count() == 1
        assert versions.filter(has_text="Original").get_by_role("button", name="Use it").is_enabled()
    assert page.locator("#correction [role=option].corrected").count() == CORRECTED

    write(page, "correct-epochs", "2")
    page.locator("#correct-retrain").click()
    page.locator("#correct-told .state[data-state='finished']").wait_for()
    page.locator("#correct-evaluate").click()
    rows = page.locator("#correct-compare tbody tr")
    rows.nth(1).wait_for()
    assert [row.locator("th, td").first.inner_text() for row in rows.all()] == ["first", "first-corrected"]


def untouched(runs):
    """The pictures of all splits are the same before and after, and the labels of the test pictures too."""
    before, after = (Run.open(runs / name) for name in ("first", "first-corrected"))
    assert after.config.data.corrections
    old, new = (open_prepared(prepared_folder(run.config.data, runs)) for run in (before, after))
    assert splits_of(old) == splits_of(new)
    changed = [not np.array_equal(old.mask(number), new.mask(number)) for number in range(len(old.names))]
    assert sum(changed) == CORRECTED
    assert not any(changed[number] for number in old.splits["test"])


def compare(page):
    page.get_by_role("tab", name="Compare").click()
    choose(page, "compare-runs", "first", "first-corrected")
    rows = page.get_by_role("region", name="Scores on test").locator("tbody tr")
    rows.nth(2).wait_for()
    assert {row.locator("th, td").first.inner_text() for row in rows.all()} == {"demo", "first", "first-corrected"}


def take_away(page, pictures):
    onnxruntime = pytest.importorskip("onnxruntime")
    open_step(page, "take-away")
    choose(page, "taken-run", "first")
    page.get_by_text("Its best model is of epoch").wait_for()
    page.locator("#export-start").click()
    page.locator("#export-work [data-state=finished]").wait_for()
    file = downloaded(page, "#export-download")
    assert file.suggested_filename == "first-best.onnx"
    session = onnxruntime.InferenceSession(file.path())
    knobs = json.loads(session.get_modelmeta().custom_metadata_map[CARD])["preprocessing"]
    assert (knobs["size"], knobs["channels"]) == ([SIDE, SIDE], "rgb")
    picture, mask = pictures[SEEN]
    values = (picture / np.float32(255) - knobs["mean"]) / knobs["std"]
    (logits,) = session.run(None, {"image": values.transpose(2, 0, 1)[None].astype(np.float32)})
    found = logits[0, 0] > 0
    assert 2 * np.count_nonzero(found & (mask > 0)) / (found.sum() + mask.sum()) > 0.6, "its Dice"

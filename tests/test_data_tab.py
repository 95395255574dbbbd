"""The Data tab as its user sees it: from a ZIP to Train, whatever is wrong with what was sent."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace

import pytest
from sent_data import COUNT, bad_zips, faulty_folder, zip_of_folder
from trees import drawn, save
from walking import choose, send_zip, wait_for_work, write

from workbench.config import DataConfig, RunConfig
from workbench.data.store import Entry, read_index, write_index
from workbench.errors import UserError
from workbench.runs.datasets import Datasets
from workbench.runs.preparing import prepare_for, prepared_folder
from workbench.runs.run import Run
from workbench.ui.knob_form import values_of
from workbench.ui.new_run import asked_by
from workbench.ui.settings import Settings


@pytest.fixture
def app(show_app, tmp_path):
    """Over a root with an empty folder."""
    (tmp_path / "data" / "nothing").mkdir(parents=True)
    return show_app(tmp_path / "runs", [tmp_path / "data"])


def open_data(open_page, address, **options):
    page = open_page(address, **options)
    page.locator("#step-data").click()
    page.locator("#data-check").wait_for()
    return page


def drawn_with(page, preset, strength, seed=0):
    """The addresses of the pictures in the first row, once they are of these knobs."""
    shown = json.dumps([preset, strength, seed], separators=(",", ":"))
    row = page.locator(f"#data-augmentation section[data-shown='{shown}'] .row").first
    row.wait_for()
    return row.locator("img:first-child").evaluate_all("images => images.map(image => image.src)")


def test_from_a_zip_to_train(app, open_page, tmp_path):
    page = open_data(open_page, app)
    send_zip(page, zip_of_folder(faulty_folder(tmp_path / "cells"), tmp_path / "cells.zip"))
    page.get_by_text(f"Found folder: {COUNT} pictures with masks", exact=False).wait_for()
    assert page.locator("#data-set input").input_value() == "uploads/cells"

    findings = page.locator("#data-findings")
    unreadable = findings.locator(".finding.error").filter(has_text="cannot be read")
    unreadable.wait_for()
    coloured = findings.locator(".finding").filter(has_text=re.compile("colour", re.IGNORECASE))
    assert coloured.locator("img").count() == 6, "two pictures, each with its mask before and after"
    assert coloured.get_by_role("checkbox").is_checked()
    assert findings.get_by_role("row").filter(has_text="Values").is_visible()
    assert findings.get_by_role("group", name="all in charts").locator("svg rect").count() > 20
    findings.get_by_role("button", name="Apply the ticked mends").click()
    coloured.wait_for(state="detached")
    page.get_by_role("button", name="How files lie").click()
    assert "#ff0000" in page.locator("#data-knob-data-mask-values textarea").input_value()

    write(page, "data-knob-data-preprocessing-size", "48")
    page.locator("#data-prepare").click()
    wait_for_work(page, "Preparing")
    gallery = page.locator("#data-gallery")
    gallery.locator("figure").nth(COUNT - 2).wait_for()
    assert gallery.locator("figure").count() == COUNT - 1
    for split in ("train", "valid", "test"):
        assert gallery.get_by_role("group", name=f"{split} in charts").locator("svg").count() == 3
    told = page.locator("#data-prepared")
    told.get_by_text("cell_07").wait_for()
    write(page, "data-knob-data-folds", "3")
    told.get_by_text("Fold 0 of 3 validates. Pictures: 14 train, 7 valid, 0 test.").wait_for()
    write(page, "data-knob-data-folds", " ")
    told.get_by_text("cell_07").wait_for()

    gallery.get_by_label("Split").select_option("valid")
    gallery.locator("figure").nth(1).wait_for()
    page.wait_for_function("document.querySelectorAll('#data-gallery figure').length < 5")
    gallery.get_by_label("Split").select_option("")
    gallery.get_by_label("Search by name").fill("cell_11")
    page.wait_for_function("document.querySelectorAll('#data-gallery figure').length === 1")
    gallery.get_by_role("button", name="Show cell_11 alone").click()
    gallery.get_by_text("48 x 48, prepared 48 x 48").wait_for()
    page.keyboard.press("Escape")

    asit, *draws = drawn_with(page, "flips", 1)
    assert len(draws) == 5
    assert {*draws} - {asit}
    choose(page, "data-knob-data-augmentation", "medical")
    assert drawn_with(page, "medical", 1)[1:] != draws
    write(page, "data-knob-data-augmentation-strength", "0")
    asit, *draws = drawn_with(page, "medical", 0)
    assert {*draws} == {asit}
    page.get_by_role("button", name="Draw again").click()
    drawn_with(page, "medical", 0, seed=1)

    page.reload()
    page.locator("#step-data").click()
    gallery.locator("figure").first.wait_for()
    assert page.locator("#data-set input").input_value() == "uploads/cells"
    page.locator("#data-train").click()
    page.wait_for_url("**/?tab=train&data=uploads%2Fcells")
    command = page.locator("#command .cm-content")
    command.filter(has_text="uploads/cells").filter(has_text="#ff0000").wait_for()
    assert page.locator("#data input").input_value() == "uploads/cells, as decided in Data"
    assert "--data.preprocessing.size '[48, 48]'" in command.inner_text()
    decided = Datasets(tmp_path / "runs").config("uploads/cells").data
    choose(page, "source", "isic2018-unet")
    command.filter(has_text=re.compile(r"train isic2018-unet .*#ff0000")).wait_for()
    assert decided.mask_values["#ff0000"] == 1


def test_train_takes_what_was_decided_and_prepared(tmp_path):
    settings = Settings(tmp_path / "runs", (faulty_folder(tmp_path / "data" / "cells").parent,))
    knobs = {"mask_values": {0: 0, 255: 1, "#ff0000": 1}, "preprocessing": {"size": 48}, "folds": 3}
    decided = settings.datasets.decide("data/cells", RunConfig(data=knobs))
    fields = ["decided data/cells", "", "", *values_of(decided)]
    asked = asked_by(settings, "all knobs at their defaults", *fields).config
    assert asked.data == decided.data
    assert prepared_folder(asked.data, settings.runs) == prepared_folder(decided.data, settings.runs)
    with pytest.raises(UserError, match="There is no data set"):
        asked_by(settings, "demo", "decided ../cells", *fields[1:])


def test_every_bad_zip_is_a_sentence_and_the_page_goes_on(app, open_page, tmp_path):
    page = open_data(open_page, app)
    for path, told in bad_zips(tmp_path).items():
        send_zip(page, path)
        page.get_by_text(told).first.wait_for()
    assert page.locator("#data-set input").input_value() == ""
    page.locator("#data-prepare").click()
    page.get_by_text("There is no data set yet: choose a folder, or send a ZIP.").wait_for()
    choose(page, "data-set", "data/nothing")
    page.get_by_text(re.compile("nothing is empty")).first.wait_for()
    choose(page, "data-set", "drawn shapes, one class")
    page.get_by_text("Found shapes", exact=False).wait_for()


def test_pictures_and_masks_file_by_file(app, open_page, tmp_path):
    for number, (picture, mask) in enumerate(drawn(4)):
        save(tmp_path / "p" / f"{number}.png", picture)
        save(tmp_path / "m" / f"{number}.png", mask * 255)
    page = open_data(open_page, app)
    page.get_by_role("button", name="Send pictures and masks").click()
    for where, folder in (("data-pictures", "p"), ("data-masks", "m")):
        page.locator(f"#{where} input[type=file]").set_input_files(sorted((tmp_path / folder).iterdir()))
        page.locator(f"#{where} tr.file").nth(3).wait_for()
    write(page, "data-name", "few")
    page.locator("#data-add").click()
    page.get_by_text("Found folder: 4 pictures with masks", exact=False).wait_for()
    assert page.locator("#data-set input").input_value() == "uploads/few"
    page.locator("#data-findings .headline").wait_for()


def test_what_was_sent_is_deleted_once_that_is_confirmed(show_app, open_page, tmp_path):
    cells, runs = faulty_folder(tmp_path / "data" / "cells"), tmp_path / "runs"
    app = show_app(runs, [tmp_path / "data"])
    page = open_data(open_page, app)
    send_zip(page, zip_of_folder(cells, tmp_path / "cells.zip"))
    page.locator("#data-findings .checked").wait_for()
    sent = Datasets(runs).folders()["uploads/cells"]
    run = Run.create(RunConfig(data={"path": str(sent)}), runs, "trained")

    page.reload()
    page.locator("#step-data").click()
    page.locator("#data-findings .checked").wait_for()
    assert page.locator("#data-findings").get_by_text("have changed since").count() == 0
    (sent / "images" / "cell_00.png").touch()
    page.reload()
    page.locator("#step-data").click()
    page.locator("#data-findings").get_by_text("have changed since").wait_for()

    page.locator("#data-delete").click()
    page.get_by_text("Trained on it: trained.").wait_for()
    page.locator("#data-delete-no").click()
    page.locator("#data-delete-ask").wait_for(state="hidden")
    page.locator("#data-delete").click()
    with run.lock():
        page.locator("#data-delete-yes").click()
        page.get_by_text("trained is at work with uploads/cells").wait_for()
    assert sent.is_dir()
    page.locator("#data-delete-yes").click()
    page.locator("#data-delete-ask").wait_for(state="hidden")
    page.locator("#data-findings .checked").wait_for(state="hidden")
    page.wait_for_function("document.querySelector('#data-set input').value === ''")
    assert not sent.exists()
    choose(page, "data-set", "data/cells")
    page.get_by_text("Found folder", exact=False).wait_for()
    page.locator("#data-delete").wait_for(state="hidden")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_narrow_window(app, open_page, tmp_path, scheme):
    small = {"path": "shapes", "options": {"count": 8, "size": 32}, "preprocessing": {"size": 32}}
    datasets = Datasets(tmp_path / "runs")
    prepare_for(datasets.decide("shapes", RunConfig(data=small)).data, tmp_path / "runs", lambda *_: None)
    page = open_data(open_page, f"{app}?data=shapes", viewport={"width": 500, "height": 900}, color_scheme=scheme)
    page.locator("#data-gallery figure").first.wait_for()
    page.locator("#data-augmentation .row").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 500


def test_twenty_thousand_pictures(show_app, open_page, tmp_path):
    """Names by links; a few prepared pictures stand for all, since a gallery reads no more than it shows."""
    few, many = faulty_folder(tmp_path / "few"), tmp_path / "data" / "many"
    for kind in ("images", "masks"):
        (many / kind).mkdir(parents=True)
        for number in range(20_000):
            os.link(few / kind / f"cell_{number % 7:02d}.png", many / kind / f"p{number:05d}.png")
    datasets = Datasets(tmp_path / "runs", [tmp_path / "data"])
    data = DataConfig(path=str(few), preprocessing={"size": 48}, mask_values={0: 0, 255: 1, "#ff0000": 1})
    prepared = prepare_for(data, tmp_path / "runs", lambda *_: None)
    folder = prepared_folder(datasets.decide("data/many", RunConfig(data=data)).data, tmp_path / "runs")
    prepared.folder.rename(folder)
    index = read_index(folder)
    entries = [Entry.from_json(entry) for entry in index["entries"]]
    stand_ins = [replace(entries[number % len(entries)], name=f"p{number:05d}") for number in range(20_000)]
    names = [entry.name for entry in stand_ins]
    splits = {"train": names[:14_000], "valid": names[14_000:16_000], "test": names[16_000:]}
    write_index(folder, index | {"entries": [entry.to_json() for entry in stand_ins], "splits": splits})

    page = open_data(open_page, show_app(tmp_path / "runs", [tmp_path / "data"]))
    began = time.monotonic()
    choose(page, "data-set", "data/many")
    page.get_by_text("20,000 pictures with masks", exact=False).wait_for()
    gallery = page.locator("#data-gallery")
    gallery.get_by_text("page 1 of 834").wait_for()
    assert time.monotonic() - began < 15
    page.locator("#data-check").click()
    page.locator("#data-work .state[data-state='running']").wait_for()
    began = time.monotonic()
    gallery.get_by_role("button", name="Next page").click()
    gallery.get_by_text("page 2 of 834").wait_for()
    gallery.get_by_label("Order").select_option("most marked first")
    gallery.locator("section[data-page='0']").wait_for()
    gallery.get_by_label("Search by name").fill("p1999")
    page.wait_for_function("document.querySelectorAll('#data-gallery figure').length === 10")
    assert time.monotonic() - began < 8, "while the doctor is at work"
    page.locator("#data-work").get_by_role("button", name="Stop").click()
    page.locator("#data-work .state[data-state='stopped']").wait_for()

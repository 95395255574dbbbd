"""The Take away tab as its user sees it."""

from __future__ import annotations

import io
import zipfile

import gradio as gr
import numpy as np
import pytest
from exploring import trained_run
from PIL import Image
from walking import downloaded

from workbench.inference.exported import ExportedBackend
from workbench.inference.formats import FORMATS
from workbench.ui.server import launch
from workbench.ui.settings import Settings
from workbench.ui.takeaway_tab import EXPORTS, create_takeaway_tab


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    trained_run(folder, "tiny")
    with gr.Blocks() as app:
        create_takeaway_tab(Settings(folder))
    yield launch(app)
    app.close(verbose=False)


@pytest.fixture
def page(url, open_page):
    page = open_page(f"{url}?run=tiny", viewport={"width": 1400, "height": 1000})
    page.get_by_text("Its best model is of epoch").wait_for()
    return page


def taken(page, kind):
    """The file that is offered when the work is done."""
    page.locator(f"#{kind}-work [data-state=finished]").wait_for()
    return downloaded(page, f"#{kind}-download")


def picture(seed):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 40, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def send(page, name, data):
    page.locator("#sent input[type=file]").set_input_files({"name": name, "mimeType": "", "buffer": data})
    page.locator("#sent").get_by_text(name.removesuffix(".zip")).first.wait_for()


def test_the_formats_are_those_that_there_are():
    assert list(EXPORTS.values()) == list(FORMATS)


def test_a_model_is_exported_checked_and_taken_away(page, tmp_path):
    pytest.importorskip("onnxruntime")
    page.locator("#export-start").click()
    file = taken(page, "export")
    assert file.suggested_filename == "tiny-best.onnx"
    file.save_as(tmp_path / "tiny.onnx")
    assert ExportedBackend(tmp_path / "tiny.onnx").card.model == "attention_unet"
    rows = page.locator("#export-found tbody tr")
    assert rows.count() > 3
    for row in rows.all():
        difference, allowed = map(float, row.locator("td").all_inner_texts()[-2:])
        assert 0 <= difference <= allowed == 1e-4
    page.get_by_text("exported so far: best.onnx").wait_for()
    page.reload()  # what was done is still there
    assert taken(page, "export").suggested_filename == "tiny-best.onnx"


def test_a_zip_of_pictures_is_predicted_and_the_broken_one_told(page, tmp_path):
    files = {"cells/a.png": picture(0), "cells/b.png": picture(1), "cells/broken.png": picture(2)[:500]}
    send(page, "cells.zip", zipped(files))
    page.locator("#written label").filter(has_text="csv: ").click()
    page.locator("#predict-start").click()
    file = taken(page, "predict")
    file.save_as(tmp_path / "predicted.zip")
    names = zipfile.ZipFile(tmp_path / "predicted.zip").namelist()
    pictures = ("a_label.png", "a_overlay.png", "b_label.png", "b_overlay.png")
    ends = (*pictures, "left-out.txt", "objects.csv", "pictures.csv")
    assert sorted(names) == [f"tiny-predictions/{name}" for name in ends]
    told = page.locator("#predict-found").inner_text()
    assert "Predicted 2 of 3 pictures" in told
    assert "Left out: broken.png cannot be decoded as PNG" in told


def test_nothing_sent_and_a_hostile_zip_are_sentences(page):
    page.locator("#predict-start").click()
    page.locator("#predict-work .problem").get_by_text("There are no pictures").wait_for()
    send(page, "evil.zip", zipped({"../evil.png": picture(0)}))
    page.locator("#predict-start").click()
    page.locator("#predict-work .problem").get_by_text("outside of its folder").wait_for()
    assert not page.locator("#predict-download").is_visible()


def test_all_files_are_taken_away(page, tmp_path):
    page.locator("#pack-start").click()
    file = taken(page, "pack")
    assert file.suggested_filename == "tiny.zip"
    file.save_as(tmp_path / "tiny.zip")
    names = set(zipfile.ZipFile(tmp_path / "tiny.zip").namelist())
    assert {"tiny/config.yaml", "tiny/checkpoints/best.safetensors"} < names


def test_a_bench_is_stopped(page):
    page.locator("#bench-size input").fill("512")
    page.locator("#bench-start").click()
    page.locator("#bench-stop").click()
    page.locator("#bench-work [data-state=stopped]").wait_for()
    assert page.locator("#bench-start").is_enabled()
    assert not page.locator("#bench-download").is_visible()


def test_a_run_that_is_not_there_gives_nothing(page):
    page.locator("#taken-run input").fill("../../etc")
    page.locator("#taken-run input").press("Enter")
    page.locator("#pack-start:disabled").wait_for()
    assert page.locator("#taken-about").inner_text().strip() == ""

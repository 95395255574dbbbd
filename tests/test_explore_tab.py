"""The Explore tab as its user sees it, in a browser, and as a program asks it."""

import base64
import http.client
import json
import re
import shutil
from urllib.parse import urlsplit

import gradio as gr
import numpy as np
import pytest
from exploring import trained_run
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from pictures import by_pillow, by_tifffile, colours
from PIL import Image
from walking import settled

from workbench.inference.predictor import Predictor
from workbench.overlays import palette
from workbench.runs.exploring.uploads import Uploads
from workbench.runs.run import Run
from workbench.ui.app import create_app
from workbench.ui.explore_tab import create_explore_tab
from workbench.ui.server import launch
from workbench.ui.settings import Settings

KEYS = {"m": "Mask", "c": "Contours", "t": "True mask, in white"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    trained_run(folder, "plain", model__name="unet")
    trained_run(folder, "gated", training__epochs=4)
    return folder


def open_app(runs):
    with gr.Blocks() as app:
        create_explore_tab(Settings(runs))
    return app


@pytest.fixture(scope="module")
def url(runs):
    app = open_app(runs)
    yield launch(app)
    app.close(verbose=False)


@pytest.fixture
def page(url, open_page):
    return settled(open_page(url, viewport={"width": 1400, "height": 1000}))


def test_the_chosen_run_survives_a_reload(url, open_page):
    def shown(name):
        page.wait_for_function("name => document.querySelector('.explorer select')?.value === name", arg=name)
        settled(page)

    page = open_page(f"{url}?run=plain")
    shown("plain")
    page.get_by_label("Run", exact=True).select_option("gated")
    page.wait_for_url("**?run=gated")
    shown("gated")
    page.get_by_label("Run", exact=True).select_option("plain")
    page.wait_for_url("**?run=plain")
    page.reload()
    shown("plain")
    page.goto(f"{url}?run=nowhere")
    shown("gated")  # the newest


def frame(page):
    return page.locator(".frame").first


def pixels_of(page, layer, viewer=0):
    """A layer as it is drawn: [h, w, RGBA]."""
    found = page.evaluate(
        """async ([layer, viewer]) => {
          await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
          const canvas = document.querySelectorAll("." + layer)[viewer];
          const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return { width, data: Array.from(data) };
        }""",
        [layer, viewer],
    )
    return np.array(found["data"]).reshape(-1, found["width"], 4)


def drawn(page, layer, viewer=0):
    """Which pixels of a layer are not clear, [h, w]."""
    return pixels_of(page, layer, viewer)[..., 3] > 0


def slide(page, name, value):
    page.get_by_label(name, exact=True).evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }", value
    )


def requests_of(page):
    """A list that grows with every request from now on."""
    found = []
    page.on("request", lambda request: found.append(request.url) if request.url.startswith("http") else None)
    return found


def predicted(runs, run="gated"):
    """Of the first validation picture, by the run's best model."""
    from workbench.runs.exploring.explorer import Explorer

    explorer = Explorer(runs)
    key = explorer.list_pictures({"run": run})["validation"][0]
    picture = {"source": "validation", "key": key, "run": run}
    with explorer._result({"run": run, "checkpoint": "best", "picture": picture}) as result:
        return result.prediction


def test_it_shows_something_real_at_once(page, runs):
    prediction = predicted(runs)
    assert page.get_by_label("Run", exact=True).input_value() == "gated"
    caption = page.locator("figcaption").first.inner_text()
    assert "gated best (epoch" in caption
    assert "32 × 32" in caption
    assert "Dice" in caption
    np.testing.assert_array_equal(drawn(page, "mask"), prediction.labels > 0)
    assert prediction.name in frame(page).get_attribute("aria-label")


def test_sliders_and_keys_ask_nobody(page, runs):
    prediction, asked = predicted(runs), requests_of(page)
    threshold = float(np.quantile(prediction.probabilities, 0.7).clip(0.02, 0.98).round(2))
    slide(page, "Threshold", threshold)
    np.testing.assert_array_equal(
        drawn(page, "mask"), np.rint(prediction.probabilities[0] * 255) >= round(threshold * 255)
    )
    frame(page).focus()
    page.keyboard.press("a")
    assert drawn(page, "map").all()
    for name in ("Opacity", "Map opacity", "Threshold"):
        for value in (0.1, 0.7, 0.3):
            slide(page, name, value)
    assert page.locator(".mask").first.evaluate("canvas => canvas.style.opacity") == "0.3"
    for name, value in (("Blend", "multiply"), ("Colours", "cividis"), ("Map", "uncertainty"), ("Blend", "by value")):
        page.get_by_label(name, exact=True).select_option(value)
    page.get_by_label("Rescale to its own range").check()
    for key in "mcta1+-0":
        frame(page).press(key)
    page.mouse.move(400, 400)
    page.mouse.wheel(0, -200)
    assert asked == []


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["multiclass", "multilabel"])
def test_several_classes_have_their_colours_and_can_be_left_out(open_page, tmp_path, mode):
    trained_run(tmp_path, mode, mode, training__epochs=4)
    app = open_app(tmp_path)
    try:
        check_classes(settled(open_page(launch(app))), mode, predicted(tmp_path, mode))
    finally:
        app.close(verbose=False)


def check_classes(page, mode, prediction):
    of_class = palette(prediction.task)

    def expected(numbers):
        seen = np.zeros((32, 32, 3), np.uint8)
        for number in numbers:
            where = prediction.labels[number] if mode == "multilabel" else prediction.labels == number
            seen[where > 0] = of_class[number]
        return seen

    ids = list(prediction.task.foreground)
    shown = pixels_of(page, "mask")
    np.testing.assert_array_equal(shown[..., :3], expected(ids))
    assert page.locator(".legend button").all_inner_texts() == list(prediction.task.foreground.values())
    assert page.get_by_label("Threshold", exact=True).is_visible() == (mode == "multilabel")
    frame(page).press("1")
    np.testing.assert_array_equal(pixels_of(page, "mask")[..., :3], expected(ids[1:]))
    frame(page).press("1")
    page.locator(".legend button").nth(1).hover()
    alpha = pixels_of(page, "mask")[..., 3]
    where = prediction.labels[ids[1]] if mode == "multilabel" else prediction.labels == ids[1]
    faint = (shown[..., 3] > 0) & (shown[..., :3] != of_class[ids[1]]).any(2)
    assert (alpha[faint] == 40).all()
    assert (alpha[(where > 0) & ~faint] == 255).all()


def test_attention_is_on_its_true_scale_unless_rescaled(page, runs):
    gate = predicted(runs).attention["stride_1"]
    frame(page).press("a")
    told = page.locator(".range")
    low, high = re.search(r"dark 0, light 1; values here ([\d.e-]+) to ([\d.e-]+)\.", told.inner_text()).groups()
    assert [float(low), float(high)] == pytest.approx([gate.min(), gate.max()], rel=0.01)
    colours_seen = """() => {
      const { data } = document.querySelector("canvas.map").getContext("2d").getImageData(0, 0, 32, 32);
      return new Set(new Uint32Array(data.buffer)).size;
    }"""
    before = page.evaluate(colours_seen)
    page.get_by_label("Rescale to its own range").check()
    assert "rescaled: dark" in told.inner_text()
    assert page.evaluate(colours_seen) >= before


def test_keys_work_only_while_the_viewer_has_focus(page):
    for key, name in KEYS.items():
        switch = page.get_by_label(name, exact=True)
        before = switch.is_checked()
        page.get_by_role("button", name="Next picture").press(key)
        assert switch.is_checked() == before
        frame(page).press(key)
        assert switch.is_checked() != before
    frame(page).press("1")
    assert page.get_by_role("button", name="shape").get_attribute("aria-pressed") == "false"
    assert not drawn(page, "mask").any()


@pytest.mark.slow
def test_arrows_go_through_the_pictures(page):
    picture = page.get_by_label("Picture", exact=True)
    first = frame(page).get_attribute("aria-label")
    frame(page).press("ArrowRight")
    page.wait_for_function("first => document.querySelector('.frame').ariaLabel !== first", arg=first)
    assert picture.input_value() == "validation:1"
    settled(page)
    frame(page).press("ArrowLeft")
    page.wait_for_function("first => document.querySelector('.frame').ariaLabel === first", arg=first)


def test_a_click_tells_the_pixel_s_probability_and_what_spoke_for_it(page, runs):
    prediction = predicted(runs)
    frame(page).click()
    page.locator("meter").first.wait_for()
    row, column = page.evaluate(
        "() => document.querySelector('.facts p').textContent.match(/Row (\\d+), column (\\d+)/).slice(1).map(Number)"
    )
    assert {row, column} <= {15, 16}
    value = float(page.locator("meter").first.get_attribute("value"))
    assert value == pytest.approx(prediction.probabilities[0, row, column], abs=1e-6)
    assert page.get_by_label("Map", exact=True).input_value() == "cam"
    assert "no unit" in page.locator(".range").inner_text()
    page.locator(".cross").first.wait_for()


@pytest.mark.slow
def test_a_drag_moves_the_picture_and_explains_nothing(page):
    frame(page).focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    before = page.locator(".stage").first.bounding_box()
    box = frame(page).bounding_box()
    asked = requests_of(page)
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 250, steps=4)
    page.mouse.up()
    after = page.locator(".stage").first.bounding_box()
    assert (after["x"] - before["x"], after["y"] - before["y"]) == (
        pytest.approx(-40, abs=1),
        pytest.approx(-50, abs=1),
    )
    assert asked == []


def test_gates_are_opened_and_shuffled(page):
    frame(page).press("a")
    page.get_by_role("button", name="Shuffle its map").click()
    told = page.get_by_text("stride_1 shuffled:")
    told.wait_for()
    pixels = int(told.inner_text().split()[2])
    assert np.count_nonzero(drawn(page, "changes")) == pixels
    page.get_by_role("button", name="As it is").click()
    told.wait_for(state="detached")
    assert page.locator(".changes").first.is_hidden()


def test_two_runs_side_by_side_show_the_same_part(page):
    page.get_by_label("Compare with").select_option(label="plain, best")
    page.locator("figcaption").nth(1).get_by_text("plain best").wait_for()
    settled(page)
    frame(page).press("+")
    stages = [page.locator(".stage").nth(place).bounding_box() for place in range(2)]
    frames = [page.locator(".frame").nth(place).bounding_box() for place in range(2)]
    assert stages[0]["width"] == pytest.approx(stages[1]["width"], abs=1)
    assert stages[0]["x"] - frames[0]["x"] == pytest.approx(stages[1]["x"] - frames[1]["x"], abs=1)
    assert (drawn(page, "mask", 0) != drawn(page, "mask", 1)).any()
    page.get_by_label("Compare with").select_option("")
    page.locator("figure").nth(1).wait_for(state="hidden")


def test_sent_pictures_good_and_bad(page, tmp_path):
    files = {
        "good.png": by_pillow(colours(), "PNG"),
        "page.png": b"<html><script>alert(1)</script></html>",
        "cut.jpg": by_pillow(colours(), "JPEG")[:200],
        "stack.tif": by_tifffile(np.stack([colours(1)[:, :, 0]] * 5)),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    page.get_by_label("Pictures to send").set_input_files([tmp_path / name for name in files])
    message = page.locator(".message")
    message.wait_for()
    assert "page.png is a web page" in message.inner_text()
    assert "cut.jpg cannot be decoded" in message.inner_text()
    page.locator("figcaption").first.get_by_text("56 × 40").wait_for()
    assert page.get_by_label("Picture", exact=True).locator("option:checked").inner_text() == "stack.tif"
    assert str(tmp_path) not in page.content()
    page.get_by_label("Slice").wait_for()
    assert page.get_by_label("Slice").input_value() == "2"
    page.get_by_label("Picture", exact=True).select_option(label="good.png")
    page.locator("figcaption").first.get_by_text("56 × 40").wait_for()
    settled(page)
    assert page.get_by_label("True mask, in white").is_disabled()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(page, way):
    page.evaluate(
        """([way, bytes]) => {
          const files = new DataTransfer();
          files.items.add(new File([new Uint8Array(bytes)], way + "ped.png", { type: "image/png" }));
          const event = way === "drop"
            ? new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: files, bubbles: true, cancelable: true });
          document.querySelector(".frame").dispatchEvent(event);
        }""",
        [way, list(by_pillow(colours(), "PNG"))],
    )
    page.locator("figcaption").first.get_by_text("56 × 40").wait_for()


def test_files_are_taken_away(page, tmp_path, runs):
    prediction = predicted(runs)
    slide(page, "Threshold", 0.4)
    with page.expect_download() as loading:
        page.get_by_role("button", name="Mask", exact=True).click()
    assert loading.value.suggested_filename == f"{prediction.name}_label.png"
    loading.value.save_as(tmp_path / "label.png")
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "label.png")), prediction.probabilities[0] >= 0.4)
    for name, ending in (("Overlay", "_overlay.png"), ("GeoJSON", ".geojson"), ("Measurements", "_csv.zip")):
        with page.expect_download() as loading:
            page.get_by_role("button", name=name, exact=True).click()
        assert loading.value.suggested_filename == prediction.name + ending


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_it_fits_a_narrow_window(url, open_page, scheme):
    page = settled(open_page(url, viewport={"width": 500, "height": 900}, color_scheme=scheme))
    assert page.evaluate("document.documentElement.scrollWidth") <= 500
    assert frame(page).bounding_box()["width"] > 380


@pytest.mark.slow
def test_every_control_has_a_name(page):
    controls = page.locator(".explorer button, .explorer select, .explorer input, .explorer meter, .frame")
    nameless = controls.evaluate_all(
        "all => all.filter(one => !(one.ariaLabel || one.textContent.trim() || one.labels?.[0]?.textContent.trim()))"
        ".map(one => one.outerHTML)"
    )
    assert controls.count() > 20
    assert nameless == []


@pytest.mark.slow
def test_a_deleted_run_is_told_and_the_page_goes_on(runs, open_page, tmp_path):
    shutil.copytree(runs / "plain", tmp_path / "plain")
    shutil.copytree(runs / "plain", tmp_path / "gone")
    app = open_app(tmp_path)
    try:
        page = settled(open_page(launch(app)))
        run = page.get_by_label("Run", exact=True)
        other = next(name for name in ("gone", "plain") if name != run.input_value())
        shutil.rmtree(tmp_path / run.input_value())
        frame(page).press("ArrowRight")
        page.locator(".message").get_by_text("Unknown run").wait_for()
        run.select_option(other)
        page.locator("figcaption").first.get_by_text(f"{other} best").wait_for()
        assert page.locator(".message").is_hidden()
    finally:
        app.close(verbose=False)


@pytest.mark.slow
def test_without_a_run_it_says_what_to_do(open_page, tmp_path):
    app = open_app(tmp_path)
    try:
        page = open_page(launch(app))
        page.get_by_text("No run has a model yet").wait_for()
    finally:
        app.close(verbose=False)


def test_it_is_a_tab_of_the_app(runs, open_page):
    app = create_app(Settings(runs))
    try:
        page = open_page(launch(app))
        page.get_by_role("tab", name="Explore").click()
        settled(page)
        assert drawn(page, "mask").shape == (32, 32)
        assert frame(page).bounding_box()["width"] > 300
    finally:
        app.close(verbose=False)


def test_programs_predict_too(url, runs, tmp_path):
    (tmp_path / "cells.png").write_bytes(by_pillow(colours(), "PNG"))
    client = Client(url, verbose=False)
    found, files = client.predict("gated", handle_file(tmp_path / "cells.png"), "best", 0.3, 0, api_name="/predict")
    expected = Predictor(runs / "gated", device="cpu")(tmp_path / "cells.png").probabilities[0] >= 0.3
    assert found["classes"][0]["area_px"] == np.count_nonzero(expected)
    np.testing.assert_array_equal(np.array(Image.open(files[0])), expected)
    (tmp_path / "page.png").write_bytes(b"<html>")
    for arguments, sentence in (
        (("gated", handle_file(tmp_path / "page.png"), "best", 0.5, 0), "page.png is a web page"),
        (("nowhere", handle_file(tmp_path / "cells.png"), "best", 0.5, 0), "Unknown run"),
        (("gated", handle_file(tmp_path / "cells.png"), "best", 5, 0), "between 0 and 1"),
        (("gated", None, "best", 0.5, 0), "Send a picture"),
    ):
        with pytest.raises(AppError, match=sentence):
            client.predict(*arguments, api_name="/predict")


@pytest.mark.slow
def test_the_readme_s_program_runs(show_app, runs, root, tmp_path, monkeypatch):
    url = show_app(runs)
    (code,) = re.findall(
        r"```py\n(from gradio_client.*?handle_file.*?)```", (root / "README.md").read_text(), re.DOTALL
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells.png").write_bytes(by_pillow(colours(), "PNG"))
    names = {}
    exec(code.replace("http://127.0.0.1:7860", url.rstrip("/")).replace('"demo"', '"gated"'), names)
    assert names["measured"]["name"] == "cells"
    assert names["label"].endswith("cells_label.png")
    assert names["overlay"].endswith("cells_overlay.png")


@pytest.mark.slow
def test_sent_files_are_not_served(url):
    uploads = Uploads()
    key = uploads.begin("page.html", 6)
    uploads.append(key, base64.b64encode(b"<html>").decode())
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.request("GET", f"/gradio_api/file={uploads.path(key)}")
    answer = connection.getresponse()
    assert answer.status in (403, 404)
    assert b"<html>" not in answer.read()
    connection.close()


@pytest.mark.slow
def test_without_the_password_nothing_is_answered(runs):
    app = open_app(runs)
    try:
        address = urlsplit(launch(app, password="open sesame"))
        view = next(block for block in app.blocks.values() if getattr(block, "elem_id", None) == "explorer")
        question = {"component_id": view._id, "fn_name": "list_models", "data": {}, "session_hash": "mine"}
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/gradio_api/component_server", json.dumps(question), headers)
        assert connection.getresponse().status == 401
        connection.close()
    finally:
        app.close(verbose=False)


@pytest.mark.slow
def test_programs_cannot_name_a_file_of_the_server(url, tmp_path, runs):
    secret = Run.open(runs / "gated").folder / "config.yaml"
    picture = tmp_path / "private.png"
    picture.write_bytes(by_pillow(colours(), "PNG"))
    for path in (secret, picture):
        data = ["gated", {"path": str(path), "meta": {"_type": "gradio.FileData"}}, "best", 0.5, 0]
        address = urlsplit(url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/gradio_api/call/predict", json.dumps({"data": data}), headers)
        event = json.loads(connection.getresponse().read())["event_id"]
        connection.request("GET", f"/gradio_api/call/predict/{event}")
        answer = connection.getresponse().read().decode()
        assert "event: error" in answer
        assert "private_label" not in answer
        connection.close()

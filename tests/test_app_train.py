"""The Train tab as its user sees it: a run started, watched, stopped and gone on with, whatever becomes of the page."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket

import pytest
from app_process import AppProcess
from small_run import small_config
from walking import POINTS, choose, wait_for_command, wait_for_state, write

from workbench.runs.demo import add_demo_run
from workbench.runs.run import Run, list_runs


@pytest.fixture
def runs(tmp_path):
    """A folder of runs with the demo."""
    add_demo_run(tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def app(show_app, runs, tmp_path):
    (tmp_path / "data" / "nuclei").mkdir(parents=True)
    return show_app(runs, [tmp_path / "data"])


# --- looking at a run ---


def test_the_demo_is_there_at_once(app, open_page):
    page = open_page(app)
    wait_for_state(page, "finished")
    page.wait_for_function(f"{POINTS} === 216")
    assert "An example that came with the workbench" in page.locator("#run-progress").inner_text()
    images = page.locator("#run-previews .row").first.locator("img[src]")
    page.wait_for_function("document.querySelectorAll('#run-previews img[src]').length === 16")
    assert images.count() == 4
    assert page.locator("#stop, #resume, #extend").evaluate_all("buttons => buttons.every(button => button.disabled)")


def test_the_slider_goes_through_the_epochs(app, open_page):
    page = open_page(app)
    slider = page.get_by_role("slider", name="Epoch")
    prediction = page.locator("#run-previews .row").first.get_by_role("img", name=re.compile("Prediction"))
    page.wait_for_function("document.querySelectorAll('#run-previews img[src]').length === 16")
    last = prediction.get_attribute("src")
    slider.focus()
    page.keyboard.press("Home")
    page.get_by_text("1 of 12", exact=True).wait_for()
    page.wait_for_function("document.querySelector('#run-previews [data-epoch=\"1\"]')")
    assert prediction.get_attribute("src") != last
    attention = page.locator("#run-previews .row").first.get_by_role("img", name=re.compile("Attention"))
    true = attention.get_attribute("src")
    page.get_by_label("rescaled").check()
    page.get_by_text(re.compile("Attention, rescaled: ")).first.wait_for()
    assert attention.get_attribute("src") != true


def test_a_zoom_stays_while_points_arrive(app, open_page, runs):
    page = open_page(app)
    page.wait_for_function(f"{POINTS} === 216")
    chart = page.locator("#run-curves .js-plotly-plot").first
    chart.evaluate("chart => window.PlotlyPy.relayout(chart, {'xaxis.range': [50, 100]})")
    with (runs / "demo" / "metrics.jsonl").open("a") as file:
        for step in range(217, 220):
            file.write(json.dumps({"split": "train", "step": step, "losses": {"loss": 0.3}}) + "\n")
    page.wait_for_function(f"{POINTS} === 219")
    assert chart.evaluate("chart => chart.layout.xaxis.range") == [50, 100]
    assert chart.evaluate("chart => chart._fullLayout.yaxis.type") == "linear"
    page.get_by_label("Logarithmic loss").check()
    page.wait_for_function("document.querySelector('#run-curves .js-plotly-plot')._fullLayout.yaxis.type === 'log'")


def test_what_a_run_has_not_is_not_offered(app, open_page, runs):
    Run.create(small_config(), runs, "waiting")
    page = open_page(app)
    controls = page.locator("#run-previews .controls")
    controls.wait_for()
    choose(page, "run", "waiting")
    page.get_by_text("The first pictures come with the first validation.").wait_for()
    assert not controls.is_visible()


def test_smoothing_and_another_score(app, open_page):
    page = open_page(app)
    page.wait_for_function(f"{POINTS} === 216")
    lines = "document.querySelector('#run-curves .js-plotly-plot').data.length"
    assert page.evaluate(lines) == 4, "training as it is and smoothed, its epochs, validation"
    page.get_by_label("Smoothing").fill("0")
    page.wait_for_function(f"{lines} === 3")
    page.get_by_label("Score").select_option("sensitivity")
    title = "document.querySelectorAll('#run-curves .js-plotly-plot')[1].data[0].name"
    page.wait_for_function(f"{title} === 'sensitivity'")


@pytest.mark.parametrize(("tab", "shown"), [("explore", "#explorer select"), ("evaluate", "#evaluate-run input")])
def test_a_run_is_opened_in_another_tab(app, open_page, tab, shown):
    page = open_page(app)
    page.wait_for_function("document.querySelector('#run input')?.value === 'demo'")
    page.locator(f"#train-{tab}").click()
    page.wait_for_url(f"**/?tab={tab}&run=demo")
    page.locator(shown).first.wait_for()
    page.wait_for_function("shown => document.querySelector(shown)?.value === 'demo'", arg=shown)


# --- asking for a run ---


def test_the_form_says_what_to_type(app, open_page, tmp_path):
    page = open_page(app)
    wait_for_command(page, f"^workbench train demo --runs {re.escape(str(tmp_path))}/runs$")
    write(page, "knob-training-epochs", "3")
    write(page, "run-name", "mine")
    wait_for_command(page, "train demo --training.epochs 3 --name mine --runs")
    page.get_by_role("button", name="Training · loss").click()
    write(page, "knob-training-loss-terms", "dice: 1")
    wait_for_command(page, re.escape("--training.loss.terms '{dice: 1"))
    choose(page, "data", "drawn shapes that overlap")
    wait_for_command(page, "train demo --data.path shapes:multilabel")
    choose(page, "data", "data/nuclei")
    wait_for_command(page, f"train --data {re.escape(str(tmp_path))}/data/nuclei --name mine")
    write(page, "knob-training-epochs", "0")
    wait_for_command(page, "# training.epochs = 0 is refused")


def test_a_preset_fills_the_form(app, open_page):
    page = open_page(app)
    page.locator("#start").wait_for()
    choose(page, "source", "isic2018-unet")
    wait_for_command(page, "train isic2018-unet --runs")
    assert page.locator("#knob-training-epochs input").input_value() == "150"
    assert page.locator("#knob-model-name input").input_value() == "unet"
    choose(page, "source", "like demo")
    wait_for_command(page, "runs/demo/config.yaml")
    assert page.locator("#knob-training-epochs input").input_value() == "12"


def test_what_is_wrong_is_a_sentence_and_the_page_goes_on(app, open_page, runs):
    page = open_page(app)
    write(page, "run-name", "no/path")
    page.locator("#start").click()
    page.get_by_text(re.compile("A run cannot be called 'no/path'")).wait_for()
    assert [run.name for run in list_runs(runs)] == ["demo"]
    page.get_by_role("tab", name="Models").click()
    page.locator("#models-table").wait_for()


# --- a training ---


@pytest.fixture
def processes(tmp_path):
    """A function that starts the app's command, on the same port every time; in the end all runs are stopped."""
    started = []
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def start(runs):
        started.append(AppProcess(tmp_path, "--runs", str(runs), "--port", str(port)))
        return started[-1]

    yield start
    for app in started:
        app.kill()
    for run in list_runs(tmp_path / "runs"):
        run.request_stop()
        run.wait(30)


@pytest.mark.slow
def test_a_training_from_the_page_and_its_whole_life(runs, processes, open_page):
    """Start, points, a second tab, reload, stop, resume, and the app started again under the open page."""
    Run.create(small_config(training__epochs=2000, recording__previews=1), runs, "small")
    app = processes(runs)
    url = app.address()
    page = open_page(url)
    page.locator("#start").wait_for()
    choose(page, "source", "like small")
    wait_for_command(page, "runs/small/config.yaml")
    write(page, "run-name", "live")
    page.locator("#start").click()
    wait_for_state(page, "running")
    assert page.url.endswith("?run=live")
    page.wait_for_function(f"{POINTS} > 3")
    before = page.evaluate(POINTS)
    page.wait_for_function(f"{POINTS} > {before}")
    page.locator("#run-previews .changing img[src]").first.wait_for()

    second = page.context.new_page()
    second.goto(page.url)
    wait_for_state(second, "running")
    page.reload()
    page.wait_for_function(f"{POINTS} > {before}")
    assert page.locator("#run input").input_value() == "live"

    second.locator("#stop").click()
    wait_for_state(second, "stopped")
    wait_for_state(page, "stopped")
    assert "Resume goes on" in page.locator("#run-progress").inner_text()
    run = Run.open(runs / "live")
    step = run.status().step
    page.locator("#resume:not([disabled])").click()
    steps = "document.querySelector('#run-curves .js-plotly-plot').data[0].x"
    page.wait_for_function(f"{POINTS} > 0 && Math.max(...{steps}) > {step}")

    app.end()
    assert run.is_at_work(), "a training does not end with the app"
    page.get_by_text("The app does not answer; waiting for it to come back.").first.wait_for()
    app = processes(runs)
    assert app.address() == url
    before = page.evaluate(POINTS)
    page.wait_for_function(f"{POINTS} > {before}")
    page.locator("#stop:not([disabled])").click()
    wait_for_state(page, "stopped")
    write(page, "epochs", "3000")
    page.locator("#extend:not([disabled])").click()
    wait_for_state(page, "running")
    page.get_by_text(re.compile("of 3000$")).wait_for()
    assert run.config.training.epochs == 3000


@pytest.mark.slow
def test_a_run_that_fails_says_why(app, runs, open_page):
    Run.create(small_config(model__name="unknown_net"), runs, "wrong").launch()
    page = open_page(app + "?run=wrong")
    wait_for_state(page, "failed")
    alert = page.locator("#run-progress [role=alert]")
    assert "Unknown model 'unknown_net'" in alert.inner_text()
    assert "Mend what it names, then resume" in page.locator("#run-progress").inner_text()


# --- what goes wrong ---


def test_without_a_run_the_page_waits_for_one(tmp_path, show_app, open_page):
    page = open_page(show_app(tmp_path / "empty"))
    page.locator("#start").wait_for()
    page.wait_for_timeout(1500)
    assert not page.locator("#run-progress section").is_visible()
    assert page.locator("#run input").input_value() == ""


def test_a_run_that_is_deleted_or_damaged_is_a_sentence(app, runs, open_page):
    page = open_page(app)
    wait_for_state(page, "finished")
    status = runs / "demo" / "status.json"
    whole = status.read_text()
    status.write_text('{"format": 99}')
    page.get_by_text(
        re.compile("is of format 99 and this version reads up to 1: update the workbench")
    ).first.wait_for()
    status.write_text(whole)
    page.locator("#run-progress [role=alert]").wait_for(state="hidden")
    shutil.rmtree(runs / "demo")
    page.get_by_text("There is no run 'demo' here (any more): choose another one.").first.wait_for()
    page.locator("#start").wait_for()


def test_a_run_of_a_newer_format_does_not_hide_the_others(app, runs, open_page):
    shutil.copytree(runs / "demo", runs / "newer")
    (runs / "newer" / "status.json").write_text('{"format": 99}')
    page = open_page(app + "?run=newer")
    page.get_by_text(re.compile("update the workbench")).first.wait_for()
    choose(page, "run", "demo")
    wait_for_state(page, "finished")


def test_a_name_that_is_no_run_opens_nothing(app, runs, open_page, tmp_path):
    shutil.copytree(runs / "demo", tmp_path / "elsewhere")
    page = open_page(f"{app}?run=../elsewhere")
    wait_for_state(page, "finished")
    assert page.locator("#run input").input_value() == "demo"
    answers = page.evaluate(
        """async () => {
            const session = Math.random().toString(36).slice(2);
            const ask = async (component_id, fn_name, data) => {
                const request = { method: "POST", headers: { "Content-Type": "application/json" } };
                const body = JSON.stringify({ data, component_id, fn_name, session_hash: session });
                return (await fetch("gradio_api/component_server/", { ...request, body })).text();
            };
            const found = window.gradio_config.components.filter(c => (c.props.server_fns ?? []).includes("progress"));
            const id = found.find(c => c.props.elem_id === "run-progress").id;
            return [await ask(id, "progress", { run: "../elsewhere", mark: "" }),
                    await ask(id, "progress", { run: "demo/../../elsewhere", mark: "" })];
        }"""
    )
    assert all("There is no run" in answer for answer in answers)


@pytest.mark.skipif(not hasattr(os, "geteuid") or not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_a_sentence(app, runs, open_page, monkeypatch):
    def full(*given, **named):
        raise OSError(28, "No space left on device")

    page = open_page(app)
    page.locator("#start").wait_for()
    monkeypatch.setattr("workbench.runs.run.save_config", full)
    page.locator("#start").click()
    page.get_by_text(re.compile("The disk of .* is full: make room, then try again.")).wait_for()


def test_a_training_does_not_need_the_app_to_know_torch(root, tmp_path):
    """Looking at runs and starting them, the app imports no torch; tabs that calculate do, when they are opened."""
    code = """
import sys
from pathlib import Path
from workbench.runs import live, machine, preview_pictures
from workbench.runs.demo import add_demo_run
from workbench.ui.app import create_app
from workbench.ui.new_run import asked_by
from workbench.ui.knob_form import values_of
from workbench.ui.settings import Settings
from workbench.config import load_config
runs = Path(sys.argv[1])
run = add_demo_run(runs)
create_app(Settings(runs))
live.progress(run), live.curves(run), machine.machine(runs)
preview_pictures.answer_previews(run), preview_pictures.answer_maps(run, 1, "stride_1")
asked_by(Settings(runs), "demo", "", "", "", *values_of(load_config("demo")))
sys.exit("torch" in sys.modules)
"""
    import subprocess
    import sys

    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0

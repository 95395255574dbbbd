"""The notebooks: what they hold in git, that they run, and that their live views live in JupyterLab."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
spec = importlib.util.spec_from_file_location("run_all", FOLDER / "run_all.py")
run_all = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_all)

PATHS = run_all.notebooks()
NAMES = [path.stem for path in PATHS]
each = pytest.mark.parametrize("path", PATHS, ids=NAMES)
SEEN = {"image/png", "text/html"}
"""What GitHub, editors and nbconvert show."""


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell) -> list[str]:
    """What a cell shows: text, and the kinds of data that can be seen."""
    texts = [output.name for output in cell.outputs if output.output_type == "stream"]
    return texts + [kind for output in cell.outputs for kind in SEEN & set(output.get("data", {}))]


def headings(notebook) -> list[str]:
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def test_there_are_five():
    assert NAMES == [
        "01_prepare_data",
        "02_attention_maps",
        "03_train_and_watch",
        "04_evaluate_and_export",
        "05_bring_your_own",
    ]


@each
def test_headings_are_in_their_order(path):
    first, second, *steps, last = headings(read(path))
    assert (first, second, last) == ("What you will see", "Set-up", "What to try next")
    assert [step.split(".")[0] for step in steps] == [str(number) for number in range(1, len(steps) + 1)]


@each
def test_imports_stand_in_one_cell(path):
    importing = [cell for cell in code_cells(read(path)) if re.search(r"^(from|import) ", cell.source, re.MULTILINE)]
    assert importing == code_cells(read(path))[:1]


@each
def test_one_cell_leads_to_the_reader_s_own(path):
    cells = [cell for cell in code_cells(read(path)) if "of your own" in cell.source]
    assert cells
    assert cells[0] == code_cells(read(path))[1]


@each
def test_only_the_last_chapter_teaches_definitions(path):
    defined = re.findall(r"^(?:def|class) (\w+)", "\n".join(c.source for c in code_cells(read(path))), re.MULTILINE)
    assert defined == (["border", "Tiny"] if path.stem.startswith("05") else [])


@each
def test_files_are_small_and_their_own(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    for absolute in (str(ROOT), str(Path.home()) + "/", "/tmp/", "C:\\\\"):
        assert absolute not in text
    assert "widget-view" not in text, "live views need a kernel: make notebooks leaves their stills"
    assert "widgets" not in json.loads(text)["metadata"]


@each
def test_outputs_are_there_and_whole(path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert len([kind for cell in cells for kind in kinds(cell) if kind == "image/png"]) >= 2


@pytest.fixture
def quiet(tmp_path, monkeypatch):
    """One thread a process, since tests share the cores; runs wait for none of others."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WORKBENCH_QUEUE", str(tmp_path / "queue"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@each
def test_runs_and_shows_what_is_in_git(path, quiet, tmp_path, monkeypatch):
    """In kind: the same cells show text, pictures and tables; the numbers may differ from machine to machine."""
    monkeypatch.setattr(run_all, "FOLDER", tmp_path)
    fresh = run_all.cleaned(run_all.executed(path))
    kept = read(path)
    for now, before in zip(code_cells(fresh), code_cells(kept), strict=True):
        if "KnobForm" not in now.source and not re.match(r"(live|previews|progress|devices)\b", last_line(now)):
            assert kinds(now) == kinds(before), now.source


def last_line(cell) -> str:
    """A live view shows as much as there is at that moment."""
    return cell.source.rsplit("\n", 1)[-1]


# --- in JupyterLab, in a browser ---


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab as `make lab` starts it, over copies of the notebooks; a function from a name to its address."""
    home = tmp_path_factory.mktemp("lab")
    for path in PATHS:
        shutil.copy(path, home)
    tracker = home / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text('{"windowingMode": "none"}')  # cells out of sight stay on the page
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {name: str(home / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")}
    told = {"OMP_NUM_THREADS": "1", "JUPYTERLAB_SETTINGS_DIR": str(home / "settings")}
    options = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0"]
    settings = f"--LabApp.app_settings_dir={FOLDER / 'jupyterlab'}"
    with (home / "log.txt").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", str(home), settings, *options, "--IdentityProvider.token="],
            env={**os.environ, **folders, **told},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        await_answer(f"{address}/api", server)
        yield lambda name: f"{address}/lab/tree/{name}.ipynb"
    finally:
        server.terminate()
        server.wait(30)


def await_answer(address, server, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            with urlopen(address):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail("JupyterLab did not start")


OPACITIES = "(all) => all.map((each) => each.style.opacity).join()"


AT_WORK = "[...document.querySelectorAll('.jp-InputPrompt')].some((each) => each.textContent.includes('*'))"


def run_all_cells(page):
    """A kernel that has only just come may lose what it is told, so it is told again."""
    from playwright.sync_api import TimeoutError as NothingHappensError

    page.get_by_text("(ipykernel) | Idle").wait_for()
    page.wait_for_timeout(2000)
    for _ in range(5):
        for dialog in page.locator(".jp-Dialog").all_inner_texts():
            print("a dialog says:", dialog)
            page.keyboard.press("Escape")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
        with suppress(NothingHappensError):
            page.wait_for_function(AT_WORK, timeout=4000)
            return
    pytest.fail("the kernel does not run")


def await_cells(page, seconds=90):
    """Until nothing is left to run."""
    page.wait_for_function(f"!{AT_WORK}", timeout=1000 * seconds)


@pytest.mark.slow
def test_sliders_move_in_jupyterlab(lab, open_page):
    page = open_page(lab("02_attention_maps"), viewport={"width": 1400, "height": 1000})
    run_all_cells(page)
    await_cells(page)
    assert not page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()
    assert not page.get_by_text("Jupyter news").count()

    explorer = page.locator(".explorer")
    explorer.scroll_into_view_if_needed()
    explorer.get_by_label("Map", exact=True).select_option("gate:stride_2")
    explorer.get_by_text("dark 0, light 1").wait_for()
    shown = explorer.locator("canvas").evaluate_all(OPACITIES)
    explorer.get_by_label("Map opacity").fill("0.2")
    page.wait_for_timeout(300)
    assert explorer.locator("canvas").evaluate_all(OPACITIES) != shown
    explorer.get_by_role("button", name="Shuffle its map").click()
    explorer.get_by_text("pixels").first.wait_for()

    epochs = page.locator(".previews-view")
    epochs.scroll_into_view_if_needed()
    epochs.get_by_text("12 of 12").wait_for()
    picture = epochs.locator(".changing img").first
    before = picture.get_attribute("src")
    epochs.get_by_label("Epoch").fill("0")
    epochs.get_by_text("1 of 12").wait_for()
    page.wait_for_function(
        "([old]) => document.querySelector('.previews-view .changing img').src !== old", arg=[before]
    )


@pytest.mark.slow
def test_curves_grow_in_jupyterlab(lab, open_page):
    page = open_page(lab("03_train_and_watch"), viewport={"width": 1400, "height": 1000})
    run_all_cells(page)
    chart = page.locator(".js-plotly-plot").first
    chart.wait_for(state="attached")
    count = "() => Math.max(0, ...(document.querySelector('.js-plotly-plot').data ?? []).map((each) => each.x.length))"
    page.wait_for_function(f"() => ({count})() >= 2")
    first = page.evaluate(count)
    page.wait_for_function(f"() => ({count})() > {first} + 5")
    page.locator(".devices-view .device").first.wait_for(state="attached")
    page.locator(".progress-view .state").first.wait_for(state="attached")
    await_cells(page)
    assert not page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()

"""The strip of devices, which is above every tab."""

from __future__ import annotations

import pytest

from workbench.devices import Device, Reading
from workbench.runs import machine


@pytest.fixture
def app(show_app, tmp_path, monkeypatch):
    """An app on a machine with a GPU, whose load can be set."""
    load = {"now": 0.25}
    gpu, cpu = Device("cuda", 0, "NVIDIA H200"), Device("cpu", 0, "A processor", 8)
    monkeypatch.setattr(
        machine,
        "read_devices",
        lambda: [Reading(gpu, load["now"], 2**35, 2**37, 41.0, 350.0, 2**34), Reading(cpu, 0.5, 2**33, 2**36)],
    )
    monkeypatch.setattr(machine, "_recent", machine._Recent())
    return show_app(tmp_path), load


def test_every_figure_is_there_and_renews_itself(app, open_page):
    url, load = app
    page = open_page(url)
    gpu = page.locator("#devices .device").first
    gpu.wait_for()
    text = gpu.inner_text()
    for figure in ("cuda:0", "NVIDIA H200", "25 %", "32.0 of 128.0 GiB", "16.0 GiB own", "41 °C", "350 W"):
        assert figure in text
    load["now"] = 0.75
    page.get_by_text("75 %").first.wait_for()
    points = "document.querySelector('#devices polyline').getAttribute('points').split(' ').length"
    page.wait_for_function(f"{points} >= 3")
    page.get_by_role("tab", name="Models").click()
    assert gpu.is_visible(), "above every tab"


def test_on_a_narrow_screen_it_is_folded_into_a_line(app, open_page):
    url, _ = app
    page = open_page(url, viewport={"width": 500, "height": 900})
    summary = page.locator("#devices summary")
    page.get_by_text("cuda:0 25 %").wait_for()
    assert not page.locator("#devices .device").first.is_visible()
    assert summary.bounding_box()["height"] < 40
    summary.click()
    page.locator("#devices .device").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 500

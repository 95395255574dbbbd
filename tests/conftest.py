"""What several test files share: a browser, and a page that fails on script errors and outside requests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items):
    """Whatever opens a browser is slow."""
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def queue_of_these_tests(tmp_path_factory):
    """Runs of tests wait for each other, and for none of the user's."""
    os.environ["WORKBENCH_QUEUE"] = str(tmp_path_factory.mktemp("queue"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's top folder."""
    return ROOT


@pytest.fixture(scope="session")
def processor_seconds():
    """A function that runs a command three times and returns its least seconds of the processor, and what it printed.

    The processor's, not the clock's, so that a busy machine does not matter.
    """

    def measure(command: list[str]) -> tuple[float, str]:
        seconds = []
        for _ in range(3):
            before = os.times()
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            after = os.times()
            seconds.append(sum(after[2:4]) - sum(before[2:4]))
        return min(seconds), result.stdout

    return measure


@pytest.fixture(scope="session")
def browser():
    """Chromium; without one the test is skipped, but on a build server (CI is set) it fails."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs a browser: {', '.join(BROWSERS)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_OPTIONS))
        yield running
        running.close()


@pytest.fixture
def open_page(browser):
    """A function that opens an address and returns the page; its options are those of a playwright context.

    In the end the test fails if a page had a script error or asked any other machine for anything.
    """
    contexts, faults = [], []

    def watch(request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in ("127.0.0.1", "localhost"):
            faults.append(f"asked for {request.url}")

    def open_(url: str, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: faults.append(f"script error: {error}"))
        page.on("request", watch)
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not faults, faults


@pytest.fixture(scope="module")
def show_app():
    """A function that shows the app over a folder of runs and returns its address; further options are `launch`'s."""
    from workbench.ui.app import create_app
    from workbench.ui.server import launch
    from workbench.ui.settings import Settings

    apps = []

    def show(runs, data_roots=(), **options):
        apps.append(create_app(Settings(runs, tuple(data_roots))))
        return launch(apps[-1], **options)

    yield show
    for app in apps:
        app.close(verbose=False)

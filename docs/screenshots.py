"""Takes the pictures of the app that the README shows: `make screenshots` (about two minutes; needs chromium)."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from workbench.config import load_config
from workbench.runs.demo import add_demo_run
from workbench.runs.run import Run
from workbench.ui.app import create_app
from workbench.ui.server import launch
from workbench.ui.settings import Settings

FOLDER = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
LARGEST = 300_000  # bytes


class Shot(NamedTuple):
    """A picture of one page."""

    name: str
    prepare: Callable[[Page], None]
    size: tuple[int, int] = (1400, 1000)
    scheme: str = "light"
    run: str = "demo"


def train(page: Page) -> None:
    """Until the curves and pictures are drawn."""
    page.locator("#run-curves .main-svg").first.wait_for()
    page.locator("#run-previews .changing img[src]").last.wait_for()
    page.wait_for_timeout(1500)


def explore(page: Page) -> None:
    """Until the first picture is predicted and lies under its attention."""
    page.get_by_role("tab", name="Explore").click()
    page.locator(".explorer figcaption").first.get_by_text("×").wait_for()
    page.locator(".explorer .frame").first.press("a")
    page.wait_for_timeout(500)


def correct(page: Page) -> None:
    """Until a picture is there to paint on."""
    page.get_by_role("tab", name="Correct").click()
    page.locator("#correction .frame").wait_for()
    page.locator("#correction ol.versions li").first.wait_for()
    page.wait_for_timeout(500)


SHOTS = (
    Shot("train", train, run="training"),
    Shot("train-dark-narrow", train, size=(500, 1000), scheme="dark", run="training"),
    Shot("explore", explore),
    Shot("correct", correct),
)


def main() -> None:
    """Each at once after the other, while a training runs."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        sys.exit(f"error: this needs a browser: {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        add_demo_run(folder)
        training = Run.start(load_config("demo", {"training.epochs": 60}), folder, "training")
        app = create_app(Settings(Path(folder)))
        url = launch(app)
        browser = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        try:
            _wait_for_epochs(training, 3)
            for shot in SHOTS:
                _take(browser.new_page(viewport=_viewport(shot), color_scheme=shot.scheme), url, shot)
        finally:
            browser.close()
            training.request_stop()
            training.wait(60)
            app.close(verbose=False)


def _wait_for_epochs(run: Run, number: int) -> None:
    while len(run.previews.epochs) < number and not run.status().ended:
        run.wait(1)


def _viewport(shot: Shot) -> dict[str, int]:
    return {"width": shot.size[0], "height": shot.size[1]}


def _take(page: Page, url: str, shot: Shot) -> None:
    page.set_default_timeout(120_000)
    page.goto(f"{url}?run={shot.run}")
    shot.prepare(page)
    target = FOLDER / f"{shot.name}.webp"
    Image.open(io.BytesIO(page.screenshot())).save(target, quality=80, method=6)
    page.close()
    size = target.stat().st_size
    assert size < LARGEST, f"{target} has {size} bytes"
    print(f"{target.name}: {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

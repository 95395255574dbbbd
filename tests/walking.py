"""What a user does on the app's page, for every test that opens it."""

from __future__ import annotations

import re

POINTS = "(document.querySelector('#run-curves .js-plotly-plot')?.data?.[0]?.x.length ?? 0)"
"""Of the curve of the Train tab's loss."""


def open_step(page, tab):
    """By the button of the step, as `step-TAB` it is known."""
    page.locator(f"#step-{tab}").click()


def choose(page, field, *choices):
    """One of a dropdown's choices, by what is written there, or several where it takes several."""
    page.locator(f"#{field} input").click()
    for choice in choices:
        page.locator("li").and_(page.get_by_role("option", name=choice, exact=True)).click()
    if len(choices) > 1:
        page.keyboard.press("Tab")
    page.wait_for_function("!document.querySelector('li[role=option]')")  # it takes a moment to close


def write(page, field, text):
    """By keys, since gradio takes no notice of a text that is there at once; and out of the field again."""
    box = page.locator(f"#{field} textarea, #{field} input").first
    box.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(text)
    page.keyboard.press("Tab")  # some fields take it when they are left


def send_zip(page, path):
    """To the Data tab."""
    if not page.locator("#data-zip").is_visible():
        page.get_by_role("button", name="Send pictures and masks").click()
    page.locator("#data-zip input[type=file]").set_input_files(path)


def wait_for_state(page, state):
    """Of the run that the Train tab shows."""
    page.locator(f"#run-progress .state[data-state='{state}']").wait_for()


def wait_for_command(page, pattern):
    """Until the Train tab tells a command like this."""
    page.locator("#command .cm-content").filter(has_text=re.compile(pattern)).wait_for()


def wait_for_work(page, title, state="finished"):
    """Of the Data tab."""
    page.locator(f"#data-work .work:has([data-state='{state}'])").filter(has_text=title).wait_for()


def downloaded(page, button):
    """What a button gives."""
    with page.expect_download() as download:
        page.locator(button).click()
    return download.value


def settled(page):
    """The page, once the explorer has nothing left to wait for."""
    page.wait_for_function(
        "document.querySelector('.explorer figcaption')?.textContent && !document.querySelector('[aria-busy=true]')"
    )
    return page


def stroke(page):
    """With the brush of the Correct tab, from left to right through the middle."""
    sheet = page.locator("#correction .frame")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=5)
    page.mouse.up()

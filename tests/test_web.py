"""The live views' modules: each stands alone, and does on a page what `host` promises."""

from __future__ import annotations

import base64
import re

import gradio as gr
import pytest

from workbench import web
from workbench.errors import UserError
from workbench.ui.live_view import live_view

MODULES = sorted(path.stem for path in web.FOLDER.glob("*.js"))

ECHO = """
import { shout } from "./loud.js";
export function mount(element, host) {
  const button = document.createElement("button");
  const show = () => (button.textContent = shout(host.get("word")));
  host.watch("word", show);
  button.onclick = async () => {
    try {
      host.tell("answered", { answer: (await host.ask("reverse", { word: host.get("word") })).word });
    } catch (error) {
      button.textContent = error.message;
    }
  };
  show();
  element.append(button);
  return () => button.remove();
}
"""


@pytest.fixture
def echo(tmp_path, monkeypatch):
    """A module that imports another one, shows what it is given, asks and tells."""
    (tmp_path / "echo.js").write_text(ECHO)
    (tmp_path / "loud.js").write_text("export const shout = (word) => word.toUpperCase();\n")
    (tmp_path / "echo.css").write_text("button { padding: 7px; }\n")
    monkeypatch.setattr(web, "FOLDER", tmp_path)


def reverse(question):
    if question["word"] == "no":
        raise UserError("Not this word: take another.")
    return {"word": question["word"][::-1]}


@pytest.fixture
def page_with_echo(echo, open_page):
    with gr.Blocks(analytics_enabled=False) as app:
        view = live_view("echo", (reverse,), ("answered",), word="hello", elem_id="view")
        told = gr.Textbox(label="told")
        word = gr.Textbox(label="word")
        view.answered(take, outputs=told)
        word.submit(lambda word: gr.update(word=word), word, view)
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, run_history=False)
    yield open_page(url)
    app.close(verbose=False)


def take(event: gr.EventData):
    return event.answer


def test_a_module_with_imports_stands_alone(echo):
    inner = re.search(r'from "data:text/javascript;base64,([^"]+)"', web.source("echo"))
    assert "toUpperCase" in base64.b64decode(inner[1]).decode()


@pytest.mark.parametrize("name", MODULES)
def test_every_module_stands_alone(name):
    code = web.source(name)
    assert re.search(r"^export (async )?(function|const|class)", code, re.MULTILINE)
    assert not re.search(r'(from|import\() ?"(?!data:)', code)


def test_a_live_view_shows_asks_and_tells(page_with_echo):
    page = page_with_echo
    button = page.locator("#view button")
    assert button.inner_text() == "HELLO"
    assert button.evaluate("button => getComputedStyle(button).padding") == "7px"
    button.click()
    page.wait_for_function("document.querySelector('textarea, input').value === 'olleh'")
    page.get_by_label("word").fill("other")
    page.keyboard.press("Enter")
    page.get_by_text("OTHER").click()
    page.wait_for_function("document.querySelector('textarea, input').value === 'rehto'")
    page.get_by_label("word").fill("no")
    page.keyboard.press("Enter")
    page.get_by_text("NO", exact=True).click()
    page.get_by_text("Not this word: take another.").wait_for()

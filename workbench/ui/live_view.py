"""A live view of workbench/web on a gradio page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio as gr

from workbench import web
from workbench.ui.told import answering

# The template is empty and stays so: gradio then leaves alone what the module draws into the element.
MOUNT = """
import("%s").then(({ mount }) => {
  mount(element, {
    get: (name) => props[name],
    watch: (name, changed) => watch(name, changed),
    ask: async (name, question) => {
      const answer = await server[name](question ?? {}).catch(() => undefined);
      if (answer === undefined) throw new Error("The app does not answer; waiting for it to come back.");
      if (answer !== null && answer.refused) throw new Error(answer.refused);
      return answer;
    },
    tell: (name, facts) => trigger(name, facts), // one of %s
  });
});
"""


def live_view(
    name: str,
    answers: tuple[Callable[[dict[str, Any]], Any], ...] = (),
    tells: tuple[str, ...] = (),
    **values: Any,
) -> gr.HTML:
    """The module `name` of workbench/web; `answers` are the functions that it may ask, by their names.

    What it tells is an event of the page: with `tells=("opened",)`, `view.opened(handler)` connects one, which takes
    the facts as those of a `gr.EventData`. Other values are the module's own; a handler that returns
    `gr.update(run="one")` gives it another `run`. (A `gr.HTML` made in a handler would join any page that is laid out
    at that moment.) A function, since gradio writes a .pyi file beside every class of a component.
    """
    return gr.HTML(
        values.pop("value", None),
        html_template="",
        css_template=web.style(name),
        js_on_load=MOUNT % (web.address(name), json.dumps(tells)),
        server_functions=[answering(function) for function in answers],
        **values,
    )

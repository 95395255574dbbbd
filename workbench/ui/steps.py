"""The steps of the work from the first picture to a model elsewhere, each of which opens its tab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr


class Step(NamedTuple):
    """One step, and the `id` of the tab where it is done."""

    title: str
    tab: str


STEPS = (
    Step("Data", "data"),
    Step("Train", "train"),
    Step("Look", "explore"),
    Step("Evaluate", "evaluate"),
    Step("Correct", "correct"),
    Step("Take away", "take-away"),
)


def create_steps(tabs: gr.Tabs, made: Sequence[gr.Tab]) -> None:
    """A button a step whose tab is there; an address with `?tab=` opens one too."""
    there = {tab.id for tab in made}
    for number, step in enumerate([step for step in STEPS if step.tab in there], start=1):
        button = gr.Button(f"{number} {step.title}", size="sm", scale=0, min_width=80, elem_id=f"step-{step.tab}")
        button.click(_opening(step.tab), outputs=tabs, show_progress="hidden", api_visibility="private")

    def at_first(request: gr.Request) -> Any:
        asked = request.query_params.get("tab")
        return gr.Tabs(selected=asked) if asked in there else gr.skip()

    gr.on(None, at_first, outputs=tabs, show_progress="hidden", api_visibility="private")  # when the page is opened


def _opening(tab: str):
    return lambda: gr.Tabs(selected=tab)

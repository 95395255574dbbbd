"""The tab that looks at pictures with the models of runs: what they see in them, and why."""

from __future__ import annotations

import gradio as gr

from workbench.inference.exploration import colours
from workbench.runs.exploring import Explorer
from workbench.ui.live_view import live_view
from workbench.ui.settings import Settings


def create_explore_tab(settings: Settings) -> gr.Tab:
    """The viewer, which asks when it is first seen; until then nothing of torch is needed."""
    explorer = Explorer(settings.runs)
    with gr.Tab("Explore", id="explore") as tab:
        live_view(
            "explorer",
            (
                explorer.list_models,
                explorer.list_pictures,
                explorer.send_picture,
                explorer.predict,
                explorer.explain,
                explorer.change_gate,
                explorer.take_away,
                explorer.progress,
            ),
            colours=colours(),
            elem_id="explorer",
        )
    return tab

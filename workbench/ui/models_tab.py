"""The tab that lists the networks with their sizes."""

from __future__ import annotations

import functools

import gradio as gr

from workbench.tables import model_table
from workbench.ui.html_table import as_html
from workbench.ui.settings import Settings

SIZES = (96, 128, 224, 256, 512)


def create_models_tab(settings: Settings) -> gr.Tab:
    """The table is made when the tab is first opened, since it needs torch, which takes seconds to import."""
    with gr.Tab("Models", id="models") as tab:
        with gr.Row():
            size = gr.Dropdown(SIZES, value=256, label="Picture size", scale=0, min_width=160, elem_id="models-size")
        table = gr.HTML(padding=False, min_height=300, elem_id="models-table")
    for event in (tab.select, size.change):
        event(show_models, size, table, api_visibility="private")
    return tab


@functools.cache
def show_models(size: int) -> str:
    """The table, with the multiply-adds of one picture of this size."""
    from workbench.models import describe_models

    return as_html(model_table(describe_models(size), size))

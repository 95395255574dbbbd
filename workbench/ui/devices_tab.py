"""The tab that shows what the machine's devices do now."""

from __future__ import annotations

import gradio as gr

from workbench.devices import read_devices
from workbench.tables import device_table
from workbench.ui.html_table import as_html
from workbench.ui.settings import Settings

SECONDS_BETWEEN_READINGS = 2.0


def create_devices_tab(settings: Settings) -> gr.Tab:
    """A table that renews itself."""
    with gr.Tab("Devices", id="devices") as tab:
        table = gr.HTML(show_devices, padding=False, elem_id="devices-table")
        gr.Markdown(
            "*This process* is the app with everything that it started. "
            "A dash is what the device, its driver or the system does not tell."
        )
    tick = gr.Timer(SECONDS_BETWEEN_READINGS).tick
    tick(show_devices, outputs=table, show_progress="hidden", api_visibility="private")
    return tab


def show_devices() -> str:
    """The table of this moment."""
    return as_html(device_table(read_devices()))

"""What the devices do, above all tabs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.runs.machine import machine
from workbench.ui.live_view import live_view
from workbench.ui.settings import Settings


def create_devices_strip(settings: Settings) -> gr.HTML:
    """A live view that needs no event of the page."""

    def devices(question: dict[str, Any]) -> dict[str, Any]:
        return machine(settings.runs, question.get("since") or 0.0, question.get("known") or ())

    return live_view("devices", (devices,), elem_id="devices")

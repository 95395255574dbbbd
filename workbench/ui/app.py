"""The app: how its tabs are laid out."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from workbench.ui.api import create_api
from workbench.ui.compare_tab import create_compare_tab
from workbench.ui.correct_tab import create_correct_tab
from workbench.ui.data_tab import create_data_tab
from workbench.ui.devices_strip import create_devices_strip
from workbench.ui.evaluate_tab import create_evaluate_tab
from workbench.ui.explore_tab import create_explore_tab
from workbench.ui.models_tab import create_models_tab
from workbench.ui.settings import Settings
from workbench.ui.steps import create_steps
from workbench.ui.takeaway_tab import create_takeaway_tab
from workbench.ui.train_tab import create_train_tab

TITLE = "Attention U-Net Workbench"
DELETE_UPLOADS = (3600, 86400)  # every hour those older than a day

TABS: tuple[Callable[[Settings], gr.Tab], ...] = (
    create_data_tab,
    create_train_tab,
    create_explore_tab,
    create_evaluate_tab,
    create_correct_tab,
    create_compare_tab,
    create_takeaway_tab,
    create_models_tab,
)
"""From left to right; each makes its tab, whose `id` is the name that steps and addresses know it by."""


def create_app(settings: Settings | None = None) -> gr.Blocks:
    """The page: what the devices do, the steps of the work, and the tabs."""
    settings = settings or Settings()
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=DELETE_UPLOADS, fill_width=True) as app:
        with gr.Row(elem_id="top"):
            with gr.Column(scale=3, min_width=320):
                gr.Markdown(f"# {TITLE}")
                steps = gr.Row(elem_id="steps")
            with gr.Column(scale=4, min_width=320):
                create_devices_strip(settings)
        with gr.Tabs(elem_id="tabs", selected="train") as tabs:
            made = [create(settings) for create in TABS]
        with steps:
            create_steps(tabs, made)
        create_api(settings)
    return app

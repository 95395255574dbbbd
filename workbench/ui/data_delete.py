"""Where a data set that was sent is deleted: asked for first, in the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from workbench.errors import UserError
from workbench.runs.datasets import Desk
from workbench.runs.datasets.deleting import is_about
from workbench.ui.events import QUIET
from workbench.ui.told import told


def create_delete(
    desk: Desk, chosen: gr.Dropdown, button: gr.Button, names: Callable[[], list[tuple[str, str]]]
) -> gr.events.Dependency:
    """The question that the button asks, about what is `chosen` among the `names`. Returns the event that deletes."""
    with gr.Column(visible=False, elem_id="data-delete-ask") as box:
        question = gr.Markdown()
        with gr.Row():
            yes = gr.Button("Delete it for good", variant="stop", scale=0, min_width=220, elem_id="data-delete-yes")
            no = gr.Button("Keep it", scale=0, min_width=120, elem_id="data-delete-no")

    def asking(name: str | None) -> list[Any]:
        return [gr.Column(visible=True), desk.deletion_told(_a_name(name))]

    def deleting(name: str | None) -> list[Any]:
        desk.delete(_a_name(name))
        return [gr.Dropdown(choices=names(), value=None), gr.Column(visible=False)]

    def closed() -> gr.Column:
        return gr.Column(visible=False)

    def closed_for_another(name: str | None, asked: str | None) -> Any:
        """What the page chooses when it is opened closes nothing, since nothing is asked yet."""
        return closed() if asked and not is_about(asked, name) else gr.skip()

    button.click(told(asking), chosen, [box, question], trigger_mode="multiple", **QUIET)
    no.click(closed, outputs=box, **QUIET)
    chosen.change(closed_for_another, [chosen, question], box, **QUIET)
    return yes.click(told(deleting), chosen, [chosen, box], **QUIET)


def _a_name(name: str | None) -> str:
    if not name:
        raise UserError("There is no data set chosen: choose the one to delete.")
    return name

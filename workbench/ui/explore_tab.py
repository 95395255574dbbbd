"""The tab that looks at pictures with the models of runs, and the same for programs: the endpoint `predict`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.errors import UserError
from workbench.inference.exploration import colours
from workbench.runs.exploring import Explorer
from workbench.ui import address
from workbench.ui.events import OWN, QUIET
from workbench.ui.live_view import live_view
from workbench.ui.settings import Settings
from workbench.ui.told import told

CHOSEN = "document.querySelector('#explorer .explorer').dataset.run"


def create_explore_tab(settings: Settings) -> gr.Tab:
    """The viewer, which asks when it is first seen; until then nothing of torch is needed."""
    explorer = Explorer(settings.runs)
    with gr.Tab("Explore", id="explore") as tab:
        view = live_view(
            "explorer",
            explorer.answers,
            ("chosen",),
            colours=colours(),
            run=None,
            elem_id="explorer",
        )
        _create_endpoint(explorer)

    def at_first(request: gr.Request) -> Any:
        # With all values, since gradio forgets what an update, or none, leaves out while its tab has not been seen.
        return gr.update(run=request.query_params.get("run"), colours=colours())

    gr.on(None, at_first, outputs=view, **QUIET)  # when the page is opened
    view.chosen(None, js=f"() => ({address.keep('run')})({CHOSEN})", **OWN)
    return tab


def _create_endpoint(explorer: Explorer) -> None:
    """For gradio's client; what it sends goes the way of uploads, so that no other file can be named."""

    @told
    def predict(
        run: str, picture: str | None, checkpoint: str, threshold: float, slice_number: float
    ) -> tuple[dict[str, Any], list[str]]:
        if picture is None:
            raise UserError("Send a picture, with handle_file(path).")
        from workbench.runs.exploring.results import one_file, summary

        found = explorer.prediction(run, checkpoint, Path(picture), int(slice_number), threshold)
        folder = Path(tempfile.mkdtemp(prefix="predicted-", dir=os.environ["GRADIO_TEMP_DIR"]))
        return summary(found), [str(one_file(found, name, folder)) for name in ("label", "overlay")]

    with gr.Group(visible=False):
        given = [
            gr.Textbox(label="run"),
            gr.File(label="picture"),
            gr.Textbox("best", label="checkpoint"),
            gr.Number(0.5, label="threshold"),
            gr.Number(0, label="slice", precision=0),
        ]
        results = [gr.JSON(label="measured"), gr.File(label="label and overlay", file_count="multiple")]
        gr.Button("predict").click(
            predict, given, results, api_name="predict", concurrency_id="predict", concurrency_limit=1
        )

"""A run as the Train tab shows it: how it is, its curves and its previews, all asked for by the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import plotly

from workbench.runs import live
from workbench.runs.preview_pictures import answer_maps, answer_previews
from workbench.ui.live_view import live_view
from workbench.ui.settings import Settings

PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


class RunViews(NamedTuple):
    """The live views of one run; each takes `run`, its name."""

    progress: gr.HTML
    curves: gr.HTML
    previews: gr.HTML

    def showing(self, run: str | None) -> Sequence[dict[str, Any]]:
        """What a handler returns to make them show another run."""
        return [gr.update(run=run) for _ in self]


def create_run_views(settings: Settings) -> RunViews:
    """One above the other."""
    gr.set_static_paths([PLOTLY])

    def progress(question: dict[str, Any]) -> Any:
        return live.progress(settings.run(question["run"]), question["mark"])

    def curves(question: dict[str, Any]) -> Any:
        return live.curves(settings.run(question["run"]), question["offset"], question["score"])

    def previews(question: dict[str, Any]) -> Any:
        return answer_previews(settings.run(question["run"]), question["mark"])

    def maps(question: dict[str, Any]) -> Any:
        return answer_maps(settings.run(question["run"]), question["epoch"], question["gate"], question["rescale"])

    address = f"gradio_api/file={PLOTLY.as_posix()}"
    return RunViews(
        live_view("progress", (progress,), ("changed",), run=None, nudge=0, elem_id="run-progress"),
        live_view("curves", (curves,), run=None, plotly=address, elem_id="run-curves"),
        live_view("previews", (previews, maps), run=None, elem_id="run-previews"),
    )

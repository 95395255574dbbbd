"""The tab where a model is scored on a split, and where its errors are looked at."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.data.folders import data_folders
from workbench.runs.evaluated import BEST, SPLITS, evaluated_splits
from workbench.runs.evaluations import Evaluations
from workbench.runs.exploring.models import CHECKPOINTS
from workbench.runs.run import Run, list_runs
from workbench.ui.events import QUIET
from workbench.ui.live_view import live_view
from workbench.ui.settings import Settings
from workbench.ui.told import told
from workbench.ui.train_live import PLOTLY

AS_IN_THE_RUN = ""
"""The choice of pictures where the run found them."""


def create_evaluate_tab(settings: Settings) -> gr.Tab:
    """What is to be evaluated above, what came out below."""
    gr.set_static_paths([PLOTLY])
    evaluations = Evaluations(settings.runs, lambda: data_folders(settings.data_roots))
    with gr.Tab("Evaluate", id="evaluate") as tab, gr.Column(elem_id="evaluate"):
        with gr.Row(elem_classes="toolbar"):
            run = gr.Dropdown([], label="Run", scale=3, min_width=220, elem_id="evaluate-run")
            split = gr.Dropdown(SPLITS, value=SPLITS[0], label="Split", min_width=110, elem_id="evaluate-split")
            checkpoint = gr.Dropdown(
                list(CHECKPOINTS), value=BEST, label="Model", min_width=110, elem_id="evaluate-checkpoint"
            )
            threshold = gr.Number(0.5, label="Threshold", minimum=0, maximum=1, step=0.05, min_width=110)
            data = gr.Dropdown(_folders(settings), value=AS_IN_THE_RUN, label="Pictures", scale=2, min_width=180)
        with gr.Row(elem_classes="toolbar"):
            start = gr.Button("Evaluate", variant="primary", min_width=120, elem_id="evaluate-start")
            stop = gr.Button("Stop", variant="stop", interactive=False, min_width=80, elem_id="evaluate-stop")
            report = gr.DownloadButton("Report as HTML", interactive=False, min_width=140, elem_id="evaluate-report")
        gr.Markdown(
            "An evaluation is a process of its own: it goes on when this page is closed, and nothing of an earlier one "
            "is touched before it is done.",
            elem_classes="hint",
        )
        chosen = [run, split, checkpoint]
        view = live_view(
            "evaluation",
            evaluations.answers,
            ("changed",),
            **_values(None, SPLITS[0]),
            elem_id="evaluation",
        )

    _connect(settings, run, split, checkpoint, data, view)

    def evaluate(*values: Any) -> dict[str, Any]:
        evaluations.begin(_order(*values))
        return gr.update(nudge=time.time())

    def stopping(*values: Any) -> dict[str, Any]:
        evaluations.stop(_order(*values))
        return gr.update(nudge=time.time())

    def able(event: gr.EventData, *values: Any) -> list[Any]:
        copy = _copy(evaluations.report(_order(*values)), *values[:3])
        return [
            gr.Button(interactive=not event.at_work),
            gr.Button(interactive=event.at_work),
            gr.DownloadButton(value=copy, interactive=copy is not None),
        ]

    start.click(told(evaluate), [*chosen, data, threshold], view, **QUIET)
    stop.click(told(stopping), chosen, view, **QUIET)
    view.changed(told(able), chosen, [start, stop, report], **QUIET)
    return tab


def _connect(
    settings: Settings,
    run: gr.Dropdown,
    split: gr.Dropdown,
    checkpoint: gr.Dropdown,
    data: gr.Dropdown,
    view: gr.HTML,
) -> None:
    """What is chosen is what the view shows; of a run first the split that was evaluated."""

    def at_first(request: gr.Request) -> list[Any]:
        asked, runs = request.query_params.get("run"), list_runs(settings.runs)
        evaluated = [one for one in runs if evaluated_splits(one)]
        first = next((one for one in runs if one.name == asked), next(iter(evaluated or runs), None))
        if first is None:
            return [gr.Dropdown(choices=[]), SPLITS[0], gr.skip()]
        names, split = [one.name for one in runs], _split_of(first)
        return [gr.Dropdown(names, value=first.name), split, gr.update(**_values(first.name, split))]

    def other_run(name: str, split: str, checkpoint: str, data: str) -> list[Any]:
        there = evaluated_splits(settings.run(name), checkpoint)
        shown = split if split in there or not there else there[0]
        return [shown, gr.update(**_values(name, shown, checkpoint, data))]

    def other(name: str, split: str, checkpoint: str, data: str) -> dict[str, Any]:
        return gr.update(**_values(name, split, checkpoint, data))

    gr.on(None, at_first, outputs=[run, split, view], **QUIET)
    run.focus(lambda: gr.Dropdown([one.name for one in list_runs(settings.runs)]), outputs=run, **QUIET)
    data.focus(lambda: gr.Dropdown(_folders(settings)), outputs=data, **QUIET)
    run.input(told(other_run), [run, split, checkpoint, data], [split, view], **QUIET)
    gr.on([split.input, checkpoint.input, data.input], other, [run, split, checkpoint, data], view, **QUIET)


def _values(run: str | None, split: str, checkpoint: str = BEST, data: str = AS_IN_THE_RUN) -> dict[str, Any]:
    """All that the view knows, since gradio forgets what an update leaves out while its tab has not been seen."""
    address = f"gradio_api/file={PLOTLY.as_posix()}"
    return {"run": run, "split": split, "checkpoint": checkpoint, "data": data, "nudge": 0, "plotly": address}


def _split_of(run: Run) -> str:
    return next(iter(evaluated_splits(run)), SPLITS[0])


def _order(run: str, split: str, checkpoint: str, data: str = AS_IN_THE_RUN, threshold: float = 0.5) -> dict[str, Any]:
    return {"run": run, "split": split, "checkpoint": checkpoint, "data": data, "threshold": threshold}


def _folders(settings: Settings) -> list[tuple[str, str]]:
    return [("as in the run", AS_IN_THE_RUN), *((name, name) for name in data_folders(settings.data_roots))]


def _copy(report: Path | None, run: str, split: str, checkpoint: str) -> str | None:
    """In the app's own folder, since no file of a run is ever given out by its path."""
    if report is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="report-", dir=os.environ["GRADIO_TEMP_DIR"]))
    return str(shutil.copy(report, folder / f"{run}-{split}{'' if checkpoint == BEST else f'-{checkpoint}'}.html"))

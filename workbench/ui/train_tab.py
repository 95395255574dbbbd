"""The tab where runs are started, watched, stopped and gone on with; all that is known of a run is in its folder."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from workbench.config import load_config
from workbench.errors import UserError
from workbench.runs.run import Run, list_runs
from workbench.ui import address
from workbench.ui.events import OWN, QUIET
from workbench.ui.new_run import Form, asked_by, create_form
from workbench.ui.settings import Settings
from workbench.ui.told import told
from workbench.ui.train_live import RunViews, create_run_views


def create_train_tab(settings: Settings) -> gr.Tab:
    """The form on the left, the run on the right; on narrow screens the run comes first."""
    with gr.Tab("Train", id="train") as tab, gr.Row(elem_id="train"):
        with gr.Column(scale=2, min_width=320, elem_id="train-form"):
            form = create_form(settings)
        with gr.Column(scale=3, min_width=320, elem_id="train-run"):
            with gr.Row():
                chosen = gr.Dropdown([], label="Run", scale=2, min_width=200, elem_id="run")
                epochs = gr.Number(label="Extend to epochs", precision=0, min_width=100, elem_id="epochs")
            with gr.Row():
                stop = gr.Button("Stop", variant="stop", interactive=False, min_width=80, elem_id="stop")
                resume = gr.Button("Resume", interactive=False, min_width=80, elem_id="resume")
                extend = gr.Button("Extend", interactive=False, min_width=80, elem_id="extend")
            with gr.Row():
                look = gr.Button("Look at it in Explore", size="sm", min_width=160, elem_id="train-explore")
                score = gr.Button("Score it in Evaluate", size="sm", min_width=160, elem_id="train-evaluate")
            views = create_run_views(settings)
    for button, tab_id in ((look, "explore"), (score, "evaluate")):
        button.click(None, chosen, js=address.open_tab(tab_id, "run"), **OWN)
    _connect_choice(settings, chosen, views)
    _connect_start(settings, form, chosen)
    _connect_buttons(settings, chosen, views, stop, resume, extend, epochs)
    return tab


def _connect_choice(settings: Settings, chosen: gr.Dropdown, views: RunViews) -> None:
    def at_first(request: gr.Request) -> Any:
        names = _names(settings)
        asked = request.query_params.get("run")
        value = asked if asked in names else next(iter(names), None)
        return [gr.Dropdown(choices=names, value=value), *views.showing(value)]

    gr.on(None, at_first, outputs=[chosen, *views], **QUIET)  # when the page is opened
    chosen.focus(lambda: gr.Dropdown(choices=_names(settings)), outputs=chosen, **QUIET)
    chosen.change(views.showing, chosen, list(views), trigger_mode="always_last", **QUIET)
    chosen.change(None, chosen, js=address.keep("run"), **OWN)


def _connect_start(settings: Settings, form: Form, chosen: gr.Dropdown) -> None:
    def start(*values: Any) -> Any:
        asked = asked_by(settings, *values)
        return _show(settings, Run.start(asked.config, settings.runs, asked.name or None))

    def demo() -> Any:
        return _show(settings, Run.start(load_config("demo"), settings.runs))

    form.start.click(told(start), form.fields, chosen, **OWN)
    form.demo.click(told(demo), outputs=chosen, **OWN)


def _connect_buttons(
    settings: Settings,
    chosen: gr.Dropdown,
    views: RunViews,
    stop: gr.Button,
    resume: gr.Button,
    extend: gr.Button,
    epochs: gr.Number,
) -> None:
    def able(event: gr.EventData) -> Any:
        return [
            gr.Button(interactive=event.at_work),
            gr.Button(interactive=event.can_go_on and event.state != "finished"),
            gr.Button(interactive=event.can_go_on),
        ]

    def stopping(name: str) -> dict[str, Any]:
        settings.run(name).request_stop()
        return _look_again()

    def resuming(name: str) -> dict[str, Any]:
        settings.run(name).resume()
        return _look_again()

    def extending(name: str, to: int | None) -> dict[str, Any]:
        run = settings.run(name)
        if to is None or to <= run.config.training.epochs:
            raise UserError(
                f"{run.name} has {run.config.training.epochs} epochs: give a larger number to extend it to."
            )
        run.resume({"training.epochs": to})
        return _look_again()

    def twice(name: str | None) -> int | None:
        return 2 * settings.run(name).config.training.epochs if name else None

    every: dict[str, Any] = {**QUIET, "trigger_mode": "multiple"}  # else gradio drops what comes while it works
    views.progress.changed(able, outputs=[stop, resume, extend], **every)
    chosen.change(told(twice), chosen, epochs, **every)
    stop.click(told(stopping), chosen, views.progress, **QUIET)
    resume.click(told(resuming), chosen, views.progress, **QUIET)
    extend.click(told(extending), [chosen, epochs], views.progress, **QUIET)


def _look_again() -> dict[str, Any]:
    return gr.update(nudge=time.time())


def _names(settings: Settings) -> list[str]:
    return [run.name for run in list_runs(settings.runs)]


def _show(settings: Settings, run: Run) -> gr.Dropdown:
    return gr.Dropdown(choices=_names(settings), value=run.name)

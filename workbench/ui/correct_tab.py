"""The tab where labels are corrected on a model's mask, and where a run goes on from there."""

from __future__ import annotations

import time
from html import escape
from itertools import starmap
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from workbench.errors import UserError
from workbench.runs.correcting import Correcting
from workbench.runs.correcting.retraining import (
    Pair,
    compare_pair,
    evaluate_pair,
    evaluations_of,
    pair_of,
    retrain,
)
from workbench.runs.run import Run, list_runs
from workbench.runs.status import Status
from workbench.tables import Table, Value
from workbench.ui import address
from workbench.ui.events import OWN, QUIET
from workbench.ui.html_table import as_html
from workbench.ui.live_view import live_view
from workbench.ui.settings import Settings
from workbench.ui.told import told


def create_correct_tab(settings: Settings) -> gr.Tab:
    """From top to bottom: whose masks, the painting, the new run, and what it has brought."""
    desk = Correcting(settings.runs)
    with gr.Tab("Correct", id="correct") as tab, gr.Column(elem_id="correct"):
        with gr.Row(elem_classes="toolbar"):
            chosen = gr.Dropdown([], label="Run", min_width=220, elem_id="correct-run")
        view = live_view("correction", desk.answers, ("changed",), run=None, nudge=0, elem_id="correction")
        gr.Markdown("### Train on, with the corrected labels")
        with gr.Row(elem_classes="toolbar"):
            epochs = gr.Number(label="Epochs", precision=0, minimum=1, min_width=110, elem_id="correct-epochs")
            name = gr.Textbox(
                label="Name",
                placeholder="the run's, and -corrected",
                max_lines=1,
                min_width=200,
                elem_id="correct-name",
            )
            start = gr.Button(
                "Train on from these weights", variant="primary", min_width=220, elem_id="correct-retrain"
            )
        state = gr.HTML(padding=False, elem_id="correct-told")
        gr.Markdown("### Before and after, on the test pictures")
        evaluate = gr.Button("Evaluate both", scale=0, min_width=160, elem_id="correct-evaluate")
        compared = gr.HTML(padding=False, elem_id="correct-compare")
        clock = gr.Timer(1.0, active=False)

    outcome = [state, compared, evaluate, clock]

    def shown(name: str | None) -> list[Any]:
        return _outcome(settings.run(name)) if name else _nothing()

    def looked_at(name: str | None) -> list[Any]:
        if not name:
            return [gr.update(run=None), None, *_nothing()]
        run = settings.run(name)
        return [gr.update(run=name, nudge=time.time()), run.config.training.epochs, *_outcome(run)]

    def first(asked: str | None) -> list[Any]:
        names = [run.name for run in list_runs(settings.runs) if run.best_model.is_file()]
        value = asked if asked in names else next(iter(names), None)
        return [gr.Dropdown(choices=names, value=value), *looked_at(value)]

    def at_first(request: gr.Request) -> list[Any]:
        return first(request.query_params.get("run"))

    def opened(name: str | None, request: gr.Request) -> list[Any]:
        """An address that opens this tab may have it selected before anything is chosen."""
        return first(name) if name else at_first(request)

    def beginning(name: str | None, epochs: float | None, new_name: str | None) -> list[Any]:
        if not name:
            raise UserError("There is no run with a model yet: train one first.")
        retrain(settings.run(name), _whole(epochs), (new_name or "").strip() or None)
        return _outcome(settings.run(name))

    def evaluating(name: str | None) -> list[Any]:
        pair = pair_of(settings.run(name)) if name else None
        if pair is None:
            raise UserError("There is no run on corrected labels to compare with yet: train on first.")
        evaluate_pair(pair)
        return _outcome(settings.run(name))

    everything = [chosen, view, epochs, *outcome]
    gr.on(None, told(at_first), outputs=everything, **QUIET)  # when the page is opened
    tab.select(told(opened), chosen, everything, trigger_mode="always_last", js=address.follow("run"), **QUIET)
    chosen.input(None, chosen, js=address.keep("run"), **OWN)
    chosen.input(told(looked_at), chosen, everything[1:], trigger_mode="always_last", **QUIET)
    start.click(told(beginning), [chosen, epochs, name], outcome, **QUIET)
    evaluate.click(told(evaluating), chosen, outcome, **QUIET)
    clock.tick(told(shown), chosen, outcome, **QUIET)
    return tab


def _nothing() -> list[Any]:
    return ["", "", gr.Button(interactive=False), gr.Timer(active=False)]


def _outcome(run: Run) -> list[Any]:
    """What is told of the run that went on from this one, and whether there is more to come."""
    pair = pair_of(run)
    if pair is None:
        return _nothing()
    status = pair.after.status()
    evaluations = evaluations_of(pair)
    scoring = any(not each.ended for each in evaluations.values())
    at_work = scoring or not status.ended
    return [
        _training(pair, status.state, f"epoch {status.epoch} of {status.epochs}", status.error or ""),
        (not scoring and _compared(pair)) or "".join(starmap(_evaluation, evaluations.items())),
        gr.Button(interactive=not at_work),
        gr.Timer(active=at_work),
    ]


def _training(pair: Pair, state: str, how_far: str, error: str) -> str:
    address = f"?{urlencode({'tab': 'train', 'run': pair.after.name})}"
    words = (
        f"<span class='state' data-state='{escape(state)}'>{escape(state)}</span> "
        f"<a href='{escape(address)}'>{escape(pair.after.name)}</a> went on from {escape(pair.before.name)}: {how_far}."
    )
    problem = f"<p class='problem' role='alert'>{escape(error)}</p>" if error else ""
    return f"<div class='taken'><p role='status'>{words}</p>{problem}</div>"


def _evaluation(name: str, status: Status) -> str:
    """How far it is, or why there is none."""
    if status.ended and status.state != "finished":
        words = f"{name} is not evaluated, {status.state}: {status.error or status.detail}"
        return f"<p class='problem' role='alert'>{escape(words)}</p>"
    count = f" {status.step} of {status.total} pictures." if status.total else ""
    return f"<p role='status'>{escape(f'{name}: {status.detail or status.state}{count}')}</p>"


def _compared(pair: Pair) -> str:
    found = compare_pair(pair)
    if found is None:
        return ""
    scores = list(found.rows[0].scores)
    rows: list[tuple[Value, ...]] = [(row.run, *(str(row.scores[score]) for score in scores)) for row in found.rows]
    table = as_html(Table(("run", *(score.replace("_", " ") for score in scores)), rows))
    told = [*(each.sentence for each in found.differences), *found.notes]
    return table + "".join(f"<p>{escape(sentence)}</p>" for sentence in told)


def _whole(epochs: float | None) -> int | None:
    if epochs is not None and epochs < 1:
        raise UserError("A training takes at least 1 epoch.")
    return None if epochs is None else int(epochs)

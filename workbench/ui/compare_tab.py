"""The tab that shows several runs together, checks a training against a reference, and tells what shoot-outs gave."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from workbench.errors import UserError
from workbench.runs.alignment import align, losses_of_run, read_losses
from workbench.runs.comparing import MOST_RUNS, Comparing
from workbench.runs.evaluated import SPLITS, evaluated_splits
from workbench.runs.exploring.uploads import named_by_user
from workbench.runs.run import list_runs
from workbench.runs.shootout import list_shootouts
from workbench.tables import Table
from workbench.ui.events import QUIET
from workbench.ui.html_table import as_html
from workbench.ui.live_view import live_view
from workbench.ui.settings import Settings
from workbench.ui.told import told
from workbench.ui.train_live import PLOTLY

AT_FIRST = 4
"""So many of the newest runs are compared when the page is opened."""


def create_compare_tab(settings: Settings) -> gr.Tab:
    """Which runs above; below them what the browser asks for, the alignment and the shoot-outs."""
    gr.set_static_paths([PLOTLY])
    with gr.Tab("Compare", id="compare") as tab, gr.Column(elem_id="compare"):
        with gr.Row(elem_classes="toolbar"):
            runs = gr.Dropdown(
                [],
                multiselect=True,
                max_choices=MOST_RUNS,
                label="Runs",
                scale=4,
                min_width=260,
                elem_id="compare-runs",
            )
            split = gr.Dropdown(SPLITS, value=SPLITS[0], label="Split", min_width=110, elem_id="compare-split")
        view = live_view("comparison", Comparing(settings.runs).answers, **_values([], SPLITS[0]), elem_id="comparison")
        with gr.Accordion("Do the losses follow a reference?", open=False, elem_id="alignment"):
            names = _create_alignment(settings)
        shootouts = gr.HTML(padding=False, elem_id="shootouts")

    def at_first() -> list[Any]:
        known = list_runs(settings.runs)
        trained = [run for run in known if run.best() is not None][:AT_FIRST]
        evaluated = [split for run in trained for split in evaluated_splits(run)]
        shown = max(SPLITS, key=evaluated.count)
        chosen = [run.name for run in trained]
        choices = [run.name for run in known]
        update = gr.update(**_values(chosen, shown))
        return [gr.Dropdown(choices, value=chosen), shown, update, *(gr.Dropdown(choices) for _ in names)]

    def listed() -> gr.Dropdown:
        return gr.Dropdown([run.name for run in list_runs(settings.runs)])

    gr.on(None, at_first, outputs=[runs, split, view, *names], **QUIET)
    for field in (runs, *names):
        field.focus(listed, outputs=field, **QUIET)
    gr.on(
        [runs.input, split.input], lambda runs, split: gr.update(**_values(runs, split)), [runs, split], view, **QUIET
    )
    tab.select(told(lambda: _shootouts(settings.runs)), outputs=shootouts, **QUIET)
    return tab


def _values(runs: list[str], split: str) -> dict[str, Any]:
    """All that the view knows, since gradio forgets what an update leaves out while its tab has not been seen."""
    return {"runs": runs, "split": split, "plotly": f"gradio_api/file={PLOTLY.as_posix()}"}


def _create_alignment(settings: Settings) -> list[gr.Dropdown]:
    """The dropdowns that name runs; what they hold is looked up, whatever it is."""
    gr.Markdown(
        "By the rule of the Teco model zoo: the mean relative error of the losses, one with one, is at most 0.05, or "
        "the mean absolute error at most 0.0002; both keep their signs. A log may be CSV, JSON or printed text."
    )
    with gr.Row():
        named: dict[str, Any] = {"allow_custom_value": True, "min_width": 180}
        ours = gr.Dropdown([], label="Run", elem_id="align-run", **named)
        reference = gr.Dropdown([], label="Reference: a run", elem_id="align-reference", **named)
        log = gr.File(label="or a log", height=90, elem_id="align-log")
        by = gr.Radio(["epoch", "step"], value="epoch", label="Losses by", min_width=140, elem_id="align-by")
        column = gr.Textbox("loss", label="Name in the log", max_lines=1, min_width=120, elem_id="align-column")
    check = gr.Button("Check", min_width=120, elem_id="align-check")
    result = gr.Textbox(label="Result", lines=5, interactive=False, elem_id="align-result")

    def checked(ours: str | None, reference: str | None, log: str | None, by: str, column: str) -> str:
        mine = losses_of_run(settings.run(ours), by)
        if log is None and not reference:
            raise UserError("Choose a run as the reference, or send a log.")
        if log is None:
            return str(align(mine, losses_of_run(settings.run(reference), by)))
        path = Path(log)  # gradio lets no other file through than one that was sent
        with named_by_user(path):
            return str(align(mine, read_losses(path, column.strip() or "loss")))

    check.click(told(checked), [ours, reference, log, by, column], result, api_visibility="private")
    return [ours, reference]


def _shootouts(runs: Path) -> str:
    """A table each; nothing where there is none."""
    folders = list_shootouts(runs)
    if not folders:
        return ""
    from workbench.runs.standings import TITLES, read_standings, row_of  # which knows torch

    parts = ["<h3>Shoot-outs</h3>"]
    for folder in folders:
        found = read_standings(folder)
        parts.append(f"<h4>{escape(folder.name)}</h4>")
        if found is None:
            parts.append("<p>Nothing has come out yet.</p>")
            continue
        parts.append(as_html(Table(TITLES, [row_of(standing) for standing in found.standings])))
        ground = f"Dice on {found.pictures} pictures of {found.split}, over all seeds."
        parts += [f"<p>{escape(sentence)}</p>" for sentence in (found.conclusion, *found.notes, ground)]
    return "".join(parts)

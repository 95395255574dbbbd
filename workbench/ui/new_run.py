"""The form of the Train tab that asks for a new run, and the command line that would ask for the same."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from workbench.config import RunConfig, load_config, presets, with_options_that_fit
from workbench.data.folders import data_folders
from workbench.errors import UserError, choices
from workbench.knobs import override
from workbench.runs.run import CONFIG, Run, list_runs
from workbench.runs.words import train_command
from workbench.ui.events import QUIET
from workbench.ui.knob_form import config_of, create_knob_fields, values_of
from workbench.ui.settings import Settings
from workbench.ui.told import told

DRAWN = {
    "drawn shapes, one class": "shapes",
    "drawn shapes, several classes": "shapes:multiclass",
    "drawn shapes that overlap": "shapes:multilabel",
}
"""Data that needs no folder."""

FIRST = "demo"
AS_IT_IS = ""
"""The choice that keeps what the preset or run has."""
DEFAULTS = "all knobs at their defaults"
LIKE = "like "
"""Before the name of a run whose configuration is to be taken."""


class Asked(NamedTuple):
    """What the form asks for."""

    config: RunConfig
    source: str
    """The preset or file that a command line names."""
    base: RunConfig
    """What the source holds."""
    name: str


class Form(NamedTuple):
    """What the Train tab needs of the form."""

    start: gr.Button
    demo: gr.Button
    fields: list[Any]
    """What `asked_by` takes, in its order."""


def create_form(settings: Settings) -> Form:
    """The fields for a new run, and its command."""
    with gr.Row():
        source = gr.Dropdown(_sources(settings), value=FIRST, label="Preset, or a run to start like", elem_id="source")
        data = gr.Dropdown(_data(settings, FIRST), value=AS_IT_IS, label="Data", elem_id="data")
    with gr.Row():
        name = gr.Textbox(label="Name", placeholder="by model and time", max_lines=1, elem_id="run-name")
        weights = gr.Dropdown(_models(settings), value=AS_IT_IS, label="Weights to begin with", elem_id="weights")
    with gr.Row():
        start = gr.Button("Start training", variant="primary", min_width=140, elem_id="start")
        demo = gr.Button("Train the demo", min_width=140, elem_id="train-demo")
    command = gr.Code(
        _command(settings, FIRST, AS_IT_IS, AS_IT_IS, "", *values_of(load_config(FIRST))),
        language="shell",
        label="The same on the command line",
        interactive=False,
        wrap_lines=True,
        show_line_numbers=False,
        elem_id="command",
    )
    knobs = create_knob_fields(load_config(FIRST))
    fields: list[Any] = [source, data, weights, name, *knobs]

    def command_line(*values: Any) -> str:
        return _command(settings, *values)

    def from_source(chosen: str) -> list[Any]:
        _, config = _source(settings, chosen)
        return [gr.Dropdown(choices=_data(settings, chosen), value=AS_IT_IS), AS_IT_IS, *values_of(config)]

    source.focus(lambda: gr.Dropdown(choices=_sources(settings)), outputs=source, **QUIET)
    data.focus(lambda chosen: gr.Dropdown(choices=_data(settings, chosen)), source, data, **QUIET)
    weights.focus(lambda: gr.Dropdown(choices=_models(settings)), outputs=weights, **QUIET)

    def to_folder(chosen: str, folder: str) -> list[Any]:
        """The demo's knobs are for drawn pictures of one size, so a folder is begun with the defaults."""
        if chosen != FIRST or folder not in data_folders(settings.data_roots):
            return [gr.skip() for _ in (source, *knobs)]
        return [DEFAULTS, *values_of(RunConfig())]

    loaded = source.input(told(from_source), source, [data, weights, *knobs], **QUIET)
    loaded.then(command_line, fields, command, **QUIET)
    data.input(to_folder, [source, data], [source, *knobs], **QUIET).then(command_line, fields, command, **QUIET)
    edited = [field.input for field in fields[2:]]
    gr.on(edited, command_line, fields, command, trigger_mode="always_last", **QUIET)
    return Form(start, demo, fields)


def asked_by(settings: Settings, source: str, data: str, weights: str, name: str, *knobs: Any) -> Asked:
    """The run that the form asks for; what it names is looked up in lists."""
    named, base = _source(settings, source)
    changes: dict[str, Any] = {}
    if data != AS_IT_IS:
        changes["data.path"] = _data_path(settings, data)
    if weights != AS_IT_IS:
        changes["model.weights"] = str(settings.run(weights).best_model)
    config = config_of(base, knobs)
    return Asked(with_options_that_fit(override(config, changes), config), named, base, name.strip())


def _command(settings: Settings, *values: Any) -> str:
    """What is wrong with the fields takes the command's place."""
    try:
        asked = asked_by(settings, *values)
    except UserError as error:
        return f"# {error}"
    return train_command(asked.config, asked.source, asked.base, asked.name, settings.runs)


def _sources(settings: Settings) -> list[str]:
    return [*presets(), DEFAULTS, *(f"{LIKE}{run.name}" for run in list_runs(settings.runs))]


def _source(settings: Settings, chosen: str) -> tuple[str, RunConfig]:
    """How the command line names it, and what it holds."""
    if chosen.startswith(LIKE):
        run = settings.run(chosen.removeprefix(LIKE))
        return str(run.folder / CONFIG), run.config
    if chosen == DEFAULTS:
        return "", RunConfig()
    if chosen not in presets():
        raise choices("preset", chosen, _sources(settings))
    return chosen, load_config(chosen)


def _data(settings: Settings, source: str) -> list[tuple[str, str]]:
    _, config = _source(settings, source)
    folders = [(name, name) for name in data_folders(settings.data_roots)]
    return [(f"{config.data.path}, as in {source}", AS_IT_IS), *DRAWN.items(), *folders]


def _data_path(settings: Settings, chosen: str) -> str:
    if chosen in DRAWN.values():
        return chosen
    folders = data_folders(settings.data_roots)
    if chosen not in folders:
        raise choices("data", chosen, [*DRAWN.values(), *folders])
    return str(folders[chosen])


def _models(settings: Settings) -> list[tuple[str, str]]:
    trained = [run for run in list_runs(settings.runs) if _has_model(run)]
    return [("new, or as the preset has it", AS_IT_IS), *((f"best model of {run.name}", run.name) for run in trained)]


def _has_model(run: Run) -> bool:
    return run.best_model.is_file()

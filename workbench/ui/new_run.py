"""The form of the Train tab that asks for a new run, and the command line that would ask for the same."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from workbench.config import DataConfig, RunConfig, load_config, presets, with_options_that_fit
from workbench.errors import UserError, choices
from workbench.knobs import override
from workbench.runs.run import CONFIG, list_runs
from workbench.runs.words import train_command
from workbench.ui.events import QUIET
from workbench.ui.knob_form import config_of, create_knob_fields, form_paths, values_of
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
DECIDED = "decided "
"""Before the name of a data set that is taken with all that was decided about it."""
OF_ONE_SET = ("data.layout", "data.mode", "data.classes", "data.mask_values", "data.snap_mask_values")
"""Knobs that say what one data set is, and have no meaning for another."""


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
        weights = gr.Dropdown(
            _models(settings, FIRST), value=AS_IT_IS, label="Weights to begin with", elem_id="weights"
        )
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

    def from_source(chosen: str, chosen_data: str) -> list[Any]:
        _, config = _source(settings, chosen)
        kept = chosen_data if chosen_data.startswith(DECIDED) else AS_IT_IS
        shown = values_of(_with_data(settings, config, kept))
        return [gr.Dropdown(choices=_data(settings, chosen), value=kept), AS_IT_IS, *shown]

    def from_data(chosen: str, chosen_data: str) -> list[Any]:
        """The demo's knobs are for drawn pictures of one size, so a folder is begun with the defaults; what was decided
        of one data set in the Data tab holds for it alone."""
        decided = chosen_data.startswith(DECIDED)
        anew = chosen == FIRST and (decided or chosen_data in settings.datasets.folders())
        chosen = DEFAULTS if anew else chosen
        config = _with_data(settings, _source(settings, chosen)[1], chosen_data)
        shown = zip(form_paths(), values_of(config), strict=True)
        of_data = "data." if decided else OF_ONE_SET
        return [chosen, *(value if anew or path.startswith(of_data) else gr.skip() for path, value in shown)]

    def at_first(request: gr.Request) -> list[Any]:
        """The data tab opens this one with a data set in the address."""
        asked = f"{DECIDED}{request.query_params.get('data')}"
        known = _data(settings, FIRST)
        if request.query_params.get("tab") != "train" or asked not in dict(known).values():
            return [gr.skip() for _ in (data, source, *knobs)]
        return [gr.Dropdown(choices=known, value=asked), *from_data(FIRST, asked)]

    source.focus(lambda: gr.Dropdown(choices=_sources(settings)), outputs=source, **QUIET)
    data.focus(lambda chosen: gr.Dropdown(choices=_data(settings, chosen)), source, data, **QUIET)
    weights.focus(lambda chosen: gr.Dropdown(choices=_models(settings, chosen)), source, weights, **QUIET)

    loaded = source.input(told(from_source), [source, data], [data, weights, *knobs], **QUIET)
    taken = data.input(told(from_data), [source, data], [source, *knobs], **QUIET)
    opened = gr.on(None, told(at_first), outputs=[data, source, *knobs], **QUIET)  # when the page is opened
    for event in (loaded, taken, opened):
        event.then(command_line, fields, command, **QUIET)
    edited = [field.input for field in fields[2:]]
    gr.on(edited, command_line, fields, command, trigger_mode="always_last", **QUIET)
    return Form(start, demo, fields)


def asked_by(settings: Settings, source: str, data: str, weights: str, name: str, *knobs: Any) -> Asked:
    """The run that the form asks for; what it names is looked up in lists."""
    named, base = _source(settings, source)
    changes: dict[str, Any] = {}
    if data.startswith(DECIDED):
        decided = _decided(settings, data)
        changes |= {f"data.{knob}": getattr(decided, knob) for knob in ("path", "split_file", "group_file")}
    elif data != AS_IT_IS:
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
    decided = [(f"{name}, as decided in Data", f"{DECIDED}{name}") for name in settings.datasets.decided()]
    folders = [(name, name) for name in settings.datasets.folders()]
    return [(f"{config.data.path}, as in {source}", AS_IT_IS), *decided, *DRAWN.items(), *folders]


def _data_path(settings: Settings, chosen: str) -> str:
    if chosen in DRAWN.values():
        return chosen
    folders = settings.datasets.folders()
    if chosen not in folders:
        raise choices("data", chosen, [*DRAWN.values(), *folders])
    return str(folders[chosen])


def _decided(settings: Settings, chosen: str) -> DataConfig:
    return settings.datasets.config(chosen.removeprefix(DECIDED)).data


def _with_data(settings: Settings, config: RunConfig, chosen: str) -> RunConfig:
    """The configuration with the data as it was decided, if such a choice was made."""
    if not chosen.startswith(DECIDED):
        return config
    return config.model_copy(update={"data": _decided(settings, chosen)})


def _models(settings: Settings, source: str) -> list[tuple[str, str]]:
    _, config = _source(settings, source)
    trained = [run.name for run in list_runs(settings.runs) if run.best_model.is_file()]
    return [(config.model.weights or "new", AS_IT_IS), *((f"best of {name}", name) for name in trained)]

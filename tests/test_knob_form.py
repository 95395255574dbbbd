"""The form's fields: one a knob, and what they hold is read as it was shown."""

from __future__ import annotations

import gradio as gr
import pytest
from test_words import CHANGES

from workbench.config import RunConfig, load_config, presets
from workbench.errors import UserError
from workbench.knobs import knob_paths, override
from workbench.ui.knob_form import BASIC, NAMES, PATHS, config_of, create_knob_fields, form_paths, values_of


def with_text(base, path, value):
    """The configuration, after a user wrote this into one field."""
    values = values_of(base)
    values[form_paths().index(path)] = value
    return config_of(base, tuple(values))


def test_every_knob_has_a_field_but_for_those_that_name_files():
    assert {*form_paths(), *PATHS} == set(knob_paths(RunConfig))
    assert set(BASIC) <= set(form_paths())
    with gr.Blocks():
        fields = create_knob_fields(RunConfig())
    descriptions = knob_paths(RunConfig)
    assert [field.info for field in fields] == [descriptions[path] for path in form_paths()]
    assert len({field.elem_id for field in fields}) == len(fields)


@pytest.mark.parametrize("preset", presets())
def test_what_is_shown_is_read_the_same(preset):
    config = load_config(preset)
    assert config_of(config, tuple(values_of(config))) == config
    assert config_of(RunConfig(data={"path": config.data.path}), tuple(values_of(config))) == config


@pytest.mark.parametrize("knob", [knob for knob in CHANGES if knob not in PATHS])
def test_every_kind_of_value_is_read_as_it_was_shown(knob):
    base = RunConfig()
    changed = override(base, {knob: CHANGES[knob]})
    assert config_of(base, tuple(values_of(changed))) == changed
    assert config_of(changed, tuple(values_of(base))) == base


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("data.preprocessing.size", "128, 96", (128, 96)),
        ("data.preprocessing.size", "[128, 96]", (128, 96)),
        ("data.preprocessing.size", "128", (128, 128)),
        ("data.crop", "96", (96, 96)),
        ("data.options", "count: 20", {"count": 20}),
        ("data.options", "{count: 20}", {"count": 20}),
        ("data.crop", "", None),
        ("data.classes", "skin, mole", ("skin", "mole")),
        ("data.group_pattern", "[a-z]+(.)", "[a-z]+(.)"),
        ("training.batch", "auto", "auto"),
        ("training.batch", "16", 16),
        ("training.ema", "", None),
        ("training.ema", "0.99", 0.99),
        ("training.hardware.devices", "0,1", "0,1"),
    ],
)
def test_fields_are_written_as_people_write(path, text, value):
    config = with_text(RunConfig(), path, text)
    for step in path.split("."):
        config = getattr(config, step)
    assert config == value


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("training.epochs", 0, "training.epochs = 0 is refused"),
        ("data.crop", "64, wide", "data.crop"),
        ("data.options", "count: [", "data.options = .* is not readable"),
        ("training.schedule.name", "zigzag", "training.schedule.name"),
        ("training.epochs", None, "training.epochs"),
    ],
)
def test_what_cannot_be_is_one_sentence(path, text, told):
    with pytest.raises(UserError, match=told):
        with_text(RunConfig(), path, text)


@pytest.mark.parametrize("path", NAMES)
def test_names_come_from_their_tables(path):
    names = NAMES[path]()
    config = RunConfig()
    for step in path.split("."):
        config = getattr(config, step)
    assert config in names

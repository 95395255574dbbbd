"""Fields for knobs, made from the fields of RunConfig: their kinds, descriptions and values, in both directions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import gradio as gr
import yaml
from gradio.components import Component
from pydantic.fields import FieldInfo

from workbench.config import RunConfig
from workbench.errors import UserError
from workbench.knobs import field_of, kinds_of, knob_paths, override
from workbench.runs.words import value_of

BASIC = (
    "model.name",
    "training.epochs",
    "training.batch",
    "training.optimizer.learning_rate",
    "data.augmentation",
    "training.hardware.devices",
)
"""The knobs that stand open; the others are folded away by their groups."""

PATHS = ("data.path", "data.split_file", "data.group_file", "model.weights")
"""Knobs that name files: a page may not give them, but chooses from lists."""


SHARED = ("name", "options", "every", "weights")
"""Names of knobs that say nothing without their group."""


def _model_names() -> list[str]:
    from workbench.models import ARCHITECTURES

    return list(ARCHITECTURES)


def _augmentations() -> list[str]:
    from workbench.data.transforms import PRESETS

    return list(PRESETS)


def _layouts() -> list[str]:
    from workbench.data.layouts import LAYOUTS

    return ["auto", *LAYOUTS]


NAMES: Mapping[str, Callable[[], list[str]]] = {
    "model.name": _model_names,
    "data.augmentation": _augmentations,
    "data.layout": _layouts,
}
"""Knobs whose names a table owns; it is asked when a field is opened first, since it may take seconds to import."""


@functools.cache
def form_paths() -> tuple[str, ...]:
    """Every knob that has a field, in the order of RunConfig."""
    return tuple(path for path in knob_paths(RunConfig) if path not in PATHS)


def create_knob_fields(config: RunConfig) -> list[Component]:
    """The fields in the order of `form_paths`: the basic ones open, the rest in an accordion a group."""
    with gr.Row(elem_id="basic-knobs"):
        fields = {path: create_field(config, path) for path in BASIC}
    for title, paths in _groups():
        with gr.Accordion(title, open=False):
            fields |= {path: create_field(config, path) for path in paths}
    return [fields[path] for path in form_paths()]


def values_of(config: RunConfig, paths: Sequence[str] | None = None) -> list[Any]:
    """What the fields show of a configuration; by default those of `form_paths`."""
    return [_shown(path, value_of(config, path)) for path in paths or form_paths()]


def config_of(base: RunConfig, values: tuple[Any, ...], paths: Sequence[str] | None = None) -> RunConfig:
    """The configuration that fields with these values ask for; what has no field is as in `base`."""
    given = {path: _read(path, value) for path, value in zip(paths or form_paths(), values, strict=True)}
    return override(base, {path: value for path, value in given.items() if value != value_of(base, path)})


def _groups() -> Iterator[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for path in form_paths():
        if path not in BASIC:
            groups.setdefault(path.rpartition(".")[0], []).append(path)
    for group, paths in groups.items():
        yield " · ".join(group.split(".")).capitalize(), paths


def create_field(
    config: RunConfig, path: str, of: str = "knob", sliders: Mapping[str, tuple[float, float]] | None = None
) -> Component:
    """The field of one knob; `of` begins its id, which a page has once; `sliders` tells which slide, and how far."""
    field, value = field_of(RunConfig, path), _shown(path, value_of(config, path))
    about: dict[str, Any] = {
        "label": _label(path),
        "info": field.description,
        "min_width": 200,
        "elem_id": f"{of}-{path.replace('.', '-').replace('_', '-')}",
    }
    if sliders and path in sliders:
        least, most = sliders[path]
        return gr.Slider(least, most, value, step=(most - least) / 20, **about)
    if path in NAMES:
        names = gr.Dropdown([value], value=value, allow_custom_value=True, **about)
        names.focus(_choices_of(path), outputs=names, show_progress="hidden", api_visibility="private")
        return names
    if field.annotation is bool:
        return gr.Checkbox(value, **about)
    if _is_one_of_words(field.annotation):
        return gr.Dropdown(list(get_args(field.annotation)), value=value, **about)
    if field.annotation in (int, float):
        return gr.Number(value, precision=0 if field.annotation is int else None, **about)
    return gr.Textbox(value, placeholder="none" if type(None) in kinds_of(field) else "", max_lines=4, **about)


def _label(path: str) -> str:
    *_, group, name = path.split(".")
    return (f"{group} {name}" if name in SHARED else name).replace("_", " ").capitalize()


def _choices_of(path: str) -> Callable[[], Any]:
    return lambda: gr.Dropdown(choices=NAMES[path]())


def _is_one_of_words(annotation: Any) -> bool:
    return get_origin(annotation) is Literal


BRACKETS = {tuple: "[]", dict: "{}"}
"""Left out in fields: a list is shown as `256, 256` and a mapping as `count: 200, size: 96`."""


def _brackets(field: FieldInfo) -> str:
    return next((BRACKETS[get_origin(kind)] for kind in kinds_of(field) if get_origin(kind) in BRACKETS), "")


def _shown(path: str, value: Any) -> Any:
    field = field_of(RunConfig, path)
    if path in NAMES or isinstance(value, str) or field.annotation in (bool, int, float):
        return value
    if value is None:
        return ""
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    return text[1:-1] if _brackets(field) else text


def _read(path: str, value: Any) -> Any:
    field = field_of(RunConfig, path)
    if not isinstance(value, str):
        return value
    text, kinds = value.strip(), kinds_of(field)
    if not text and type(None) in kinds:
        return None
    if path in NAMES or str in kinds or _is_one_of_words(field.annotation):
        return text
    brackets = _brackets(field)
    if brackets and not text.startswith(brackets[0]):
        text = f"{brackets[0]}{text}{brackets[1]}"
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path} = {text!r} is not readable: {' '.join(str(error).split())}") from None
    return tuple(read) if isinstance(read, list) else text if read is None else read

"""Some knobs of a run as fields, made from the fields of RunConfig, and the configuration that they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Literal, get_args, get_origin

import ipywidgets
import yaml

from workbench.config import RunConfig
from workbench.data.transforms import PRESETS
from workbench.errors import UserError
from workbench.knobs import field_of, override
from workbench.models import ARCHITECTURES
from workbench.page import table
from workbench.runs.words import value_of
from workbench.widgets.view import with_still

NAMES = {"model.name": tuple(ARCHITECTURES), "data.augmentation": tuple(PRESETS)}
"""Knobs whose names a table owns."""

BASIC = (
    "model.name",
    "model.width",
    "training.epochs",
    "training.batch",
    "training.optimizer.learning_rate",
    "data.augmentation",
)

FIELD = {"style": {"description_width": "16rem"}, "layout": {"width": "32rem"}}


class KnobForm(ipywidgets.VBox):
    """A field a knob, with its description; `config` is what they ask for."""

    def __init__(self, config: RunConfig, paths: Sequence[str] = BASIC) -> None:
        self.base = config
        self.fields = {path: _field(config, path) for path in paths}
        self.message = ipywidgets.HTML()
        rows = [ipywidgets.HBox([field, _about(path)]) for path, field in self.fields.items()]
        super().__init__([*rows, self.message])
        for field in self.fields.values():
            field.observe(self._check, "value")

    @property
    def config(self) -> RunConfig:
        """The configuration with what was changed; one sentence says what cannot be."""
        return override(self.base, {path: field.value for path, field in self.fields.items()})

    def _check(self, _: Any) -> None:
        try:
            self.config  # noqa: B018
        except UserError as error:
            self.message.value = f"<b>{escape(str(error))}</b>"
        else:
            self.message.value = ""

    def _repr_mimebundle_(self, **options: Any) -> Any:
        rows = [(path, str(field.value), _description(path)) for path, field in self.fields.items()]
        still = {"text/html": table(("knob", "value", "what it does"), rows)}
        return with_still(super()._repr_mimebundle_(**options), still)


def _description(path: str) -> str:
    return field_of(RunConfig, path).description or ""


def _about(path: str) -> ipywidgets.Widget:
    return ipywidgets.HTML(f"<span style='opacity:.75'>{escape(_description(path))}</span>")


def _field(config: RunConfig, path: str) -> ipywidgets.Widget:
    value, kind = value_of(config, path), field_of(RunConfig, path).annotation
    if path in NAMES or get_origin(kind) is Literal:
        return ipywidgets.Dropdown(options=NAMES.get(path) or get_args(kind), value=value, description=path, **FIELD)
    if kind is bool:
        return ipywidgets.Checkbox(value, description=path, indent=True, **FIELD)
    if kind is int:
        return ipywidgets.IntText(value, description=path, **FIELD)
    return ipywidgets.Text(_written(value), description=path, continuous_update=False, **FIELD)


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    plain = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(plain, default_flow_style=True).removesuffix("...\n").strip()

"""Groups of knobs: frozen, with a description each; a mistake is one sentence. Knows no knob by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from difflib import get_close_matches
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from workbench.errors import UserError, choices


class Knobs(BaseModel):
    """A frozen group of knobs that refuses unknown names; a mistake is one sentence that names the knob."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, /, **values: Any) -> None:
        if _inside_another.get():
            super().__init__(**values)
            return
        token = _inside_another.set(True)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UserError(" ".join(_sentences(type(self), error))) from None
        finally:
            _inside_another.reset(token)


_inside_another: ContextVar[bool] = ContextVar("_inside_another", default=False)
"""Whether a group is built as part of a larger one, which then tells the mistake with the whole path."""


def _sentences(group: type[Knobs], error: ValidationError) -> Iterator[str]:
    """One sentence a knob that is wrong; the branches of a union are one knob."""
    refused: dict[str, tuple[list[str], str]] = {}
    for detail in error.errors():
        path, owner = _locate(group, detail)
        if detail["type"] == "extra_forbidden":
            yield _unknown(path, owner)
            continue
        field = owner.model_fields.get(path[-1])
        reasons, _ = refused.setdefault(
            f"{'.'.join(path)} = {detail['input']!r}", ([], (field.description if field else None) or "")
        )
        reasons.append(detail["msg"].removeprefix("Value error, ").replace("Input should be", "it should be"))
    for knob, (reasons, description) in refused.items():
        yield f"{knob} is refused: {' or '.join(reasons)}. {description}".rstrip()


def _locate(group: type[Knobs], detail: ErrorDetails) -> tuple[list[str], type[Knobs]]:
    """A knob's path without the marks of pydantic's unions, and the group that it belongs to."""
    path: list[str] = []
    inner: type[Knobs] | None = group
    for part in map(str, detail["loc"]):
        if inner is None:
            break
        group = inner
        path.append(part)
        inner = _group_of(group, part)
    return path, group


def _group_of(group: type[Knobs], name: str) -> type[Knobs] | None:
    """The group that a knob of this name holds, if it holds one."""
    field = group.model_fields.get(name)
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, Knobs) else None


def _unknown(path: list[str], owner: type[Knobs]) -> str:
    *groups, name = path
    close = get_close_matches(name, owner.model_fields, 1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return str(choices("knob", ".".join(path), [".".join((*groups, known)) for known in owner.model_fields])) + hint


def field_of(group: type[Knobs], path: str) -> FieldInfo:
    """What is known of a knob, by its dotted path."""
    *groups, name = path.split(".")
    for step in groups:
        inner = _group_of(group, step)
        assert inner is not None, f"{path} leads through {step}, which is no group"
        group = inner
    return group.model_fields[name]


def kinds_of(field: FieldInfo) -> tuple[Any, ...]:
    """The types of a knob: those of its union, or the one that it has."""
    kind = field.annotation
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


Group = TypeVar("Group", bound=Knobs)


def knob_paths(group: type[Knobs], prefix: str = "") -> dict[str, str]:
    """Every knob's dotted path and description."""
    paths: dict[str, str] = {}
    for name, field in group.model_fields.items():
        inner = _group_of(group, name)
        paths |= knob_paths(inner, f"{prefix}{name}.") if inner else {f"{prefix}{name}": field.description or ""}
    return paths


def override(group: Group, values: Mapping[str, Any]) -> Group:
    """The group with knobs changed: {"training.epochs": 5}, or shorter while only one knob ends so: {"epochs": 5}.

    A text is read as the knob's type; lists, mappings and what goes into a mapping as in YAML, and null as none.
    """
    known = knob_paths(type(group))
    whole = group.model_dump()
    for name, value in values.items():
        path = _full_path(name, known)
        *outer, knob = path.split(".")
        place = whole
        for step in outer:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise UserError(f"{name} leads into {step}, which holds {place!r} and nothing by name.")
        is_text = path in known and str in kinds_of(field_of(type(group), path))
        place[knob] = value if is_text and value != "null" else _parsed(name, value, free=path not in known)
    return type(group)(**whole)


def _full_path(name: str, known: Mapping[str, str]) -> str:
    if any(name.startswith(f"{path}.") for path in known):
        return name
    fits = [path for path in known if f".{path}".endswith(f".{name}")]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise UserError(f"The knob {name!r} may be {' or '.join(fits)}; say which.")
    inner = [path for path in known if path.startswith(f"{name}.")]
    if inner:
        raise UserError(f"{name} is a group of knobs: {', '.join(inner[:4])}{' ...' if inner[4:] else ''}; say which.")
    close = get_close_matches(name, [*known, *(path.rpartition(".")[2] for path in known)], 1, 0.5)
    raise UserError(f"There is no knob {name!r}{f'; did you mean {close[0]}' if close else ''}.")


def _parsed(name: str, value: Any, free: bool) -> Any:
    if not isinstance(value, str) or not (free or value == "null" or value[:1] in ("[", "{")):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"{name} = {value!r} is not readable: {' '.join(str(error).split())}") from error

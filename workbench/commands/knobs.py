"""Knobs as options: `--training.epochs 5` beside the options that a command has of its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from textwrap import fill
from typing import Any

from workbench.config import RunConfig
from workbench.errors import UserError
from workbench.knobs import knob_paths

OPTION = "--knob"
"""What a command with knobs takes, any number of times; `--training.epochs 5` is `--knob training.epochs=5`."""


def takes_knobs(command: Callable[..., Any]) -> bool:
    """Whether a command has the option."""
    return "knob" in inspect.signature(command).parameters


def as_knobs(command: Callable[..., Any], words: Sequence[str]) -> list[str]:
    """The words with every option that is not the command's own as a knob; one without a value is switched on."""
    own = {f"--{name.replace('_', '-')}" for name in inspect.signature(command).parameters} | {"--help"}
    rewritten: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if not word.startswith("--") or name.replace("_", "-") in own:
            rewritten.append(word)
            continue
        if not equals:
            value = rest.pop(0) if rest and not rest[0].startswith("--") else "true"
        rewritten += [OPTION, f"{name[2:].replace('-', '_')}={value}"]
    return rewritten


def parsed(knobs: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE words as a mapping."""
    for word in knobs:
        if "=" not in word:
            raise UserError(f"A knob is given as NAME=VALUE, such as {OPTION} training.epochs=5, not {word!r}.")
    return {name: value for name, _, value in (word.partition("=") for word in knobs)}


def list_of_knobs() -> str:
    """Every knob with its description, for the help."""
    lines = ["knobs, by their whole name or the last part of it (--epochs 5):"]
    for path, description in knob_paths(RunConfig).items():
        lines += [f"  --{path}", fill(description, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)]
    return "\n".join(lines)

"""A configuration as the words of a command line, which give the same configuration when they are read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from workbench.config import RunConfig
from workbench.knobs import knob_paths, override


def train_command(config: RunConfig, source: str, base: RunConfig, name: str = "", runs: Path = Path("runs")) -> str:
    """The command that starts this run: `source`, a preset or a file, gives `base`, and what differs follows.

    Without a source, `base` is what every knob is by default.
    """
    words = ["workbench", "train", *([source] if source else ["--data", config.data.path])]
    words += knob_words(config, base if source else override(base, {"data.path": config.data.path}))
    words += ["--name", name] if name else []
    words += ["--runs", str(runs)] if runs != Path("runs") else []
    return shlex.join(words)


def knob_words(config: RunConfig, base: RunConfig) -> list[str]:
    """The options that make one configuration of another."""
    words: list[str] = []
    for path, value in changes_of(config, base):
        words += [f"--{path}", _word(value)]
    return words


def changes_of(config: RunConfig, base: RunConfig) -> Iterator[tuple[str, Any]]:
    """The knobs that differ, with the value that they have in `config`."""
    for path in knob_paths(RunConfig):
        value = value_of(config, path)
        if value != value_of(base, path):
            yield path, value


def value_of(config: RunConfig, path: str) -> Any:
    """The value of a knob by its dotted path."""
    value: Any = config
    for step in path.split("."):
        value = getattr(value, step)
    return value


def _word(value: Any) -> str:
    """Texts as they are, the rest as the YAML that a command line reads."""
    if isinstance(value, str):
        return value
    plain = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(plain, default_flow_style=True, width=10_000).removesuffix("...\n").strip()

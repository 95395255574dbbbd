"""The command line that stands for a configuration gives that configuration."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from workbench.commands import train as command
from workbench.config import RunConfig, load_config, with_options_that_fit
from workbench.knobs import override
from workbench.runs.words import changes_of, train_command, value_of

CHANGES = {
    "data.path": "/data/my pictures",
    "data.options": {"count": 20},
    "data.classes": ("a", "b c"),
    "data.mask_values": {1: 2, "#ff0000": 1},
    "data.crop": (64, 32),
    "data.group_pattern": r"[a-z]+(\d+)_",
    "model.dropout": 0.25,
    "training.epochs": 3,
    "training.batch": "auto",
    "training.ema": 0.5,
    "training.loss.terms": {"dice": 1.0, "bce": 0.5},
    "training.schedule.milestones": (3, 4),
    "training.hardware.compile": True,
    "training.best": "2 * jaccard + dice",
    "recording.trackers": ("tensorboard",),
}


def asked(words, monkeypatch):
    """What `workbench train` would start: configuration, folder and name."""
    from workbench.cli import main

    started = []
    monkeypatch.setattr(command.Run, "start", lambda *given, **more: started.append(given))
    monkeypatch.setattr(command, "_follow", lambda *given, **more: None)
    assert main(shlex.split(words)[1:]) == 0
    return started[0]


@pytest.mark.parametrize("knob", [*CHANGES, "all of them"])
def test_the_command_asks_for_the_same_run(knob, monkeypatch):
    base = load_config("demo")
    config = override(base, CHANGES if knob == "all of them" else {knob: CHANGES[knob]})
    config = with_options_that_fit(config, base)
    words = train_command(config, "demo", base, "my-run", Path("/some where"))
    assert asked(words, monkeypatch) == (config, Path("/some where"), "my-run")


def test_what_is_none_again_is_said(monkeypatch):
    base = override(load_config("demo"), {"training.ema": 0.5})
    words = train_command(load_config("demo"), "demo", base)
    assert words == "workbench train demo --training.ema null"


def test_the_same_is_not_said():
    base = load_config("demo")
    assert train_command(base, "demo", base) == "workbench train demo"
    assert list(changes_of(base, base)) == []
    assert value_of(base, "training.optimizer.learning_rate") == 2e-3
    assert dict(changes_of(base, RunConfig()))["model.width"] == 8


def test_without_a_preset_the_data_is_named(monkeypatch):
    config = override(RunConfig(), {"data.path": "/data/my pictures", "training.epochs": 3})
    words = train_command(config, "", RunConfig())
    assert words == "workbench train --data '/data/my pictures' --training.epochs 3"
    assert asked(words, monkeypatch)[0] == config

"""The command line: a table of functions, and how their mistakes are told.

A new command is a function in workbench/commands/ and its name in COMMANDS. The docstring is its help, the typed
arguments are its options; what takes long to import (torch, gradio ...) is imported inside the function, so that
`workbench --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

import tyro

import workbench
from workbench.commands import (
    app,
    attention,
    bench,
    compare,
    data,
    devices,
    evaluate,
    export,
    models,
    predict,
    runs,
    shootout,
    train,
)
from workbench.commands.knobs import as_knobs, list_of_knobs, takes_knobs
from workbench.errors import UserError, choices

COMMANDS: Mapping[str, Callable[..., None]] = {
    "app": app.serve,
    "models": models.list_models,
    "import-weights": models.import_weights,
    "devices": devices.list_devices,
    "data check": data.check,
    "data prepare": data.prepare,
    "data split": data.split,
    "train": train.train,
    "evaluate": evaluate.evaluate,
    "predict": predict.predict,
    "compare": compare.compare,
    "shootout": shootout.shootout,
    "attention": attention.attention,
    "attention film": attention.film,
    "attribute": attention.attribute,
    "export": export.export,
    "bench": bench.bench,
    "runs": runs.list_all,
    "runs show": runs.show,
    "runs watch": runs.watch_one,
    "runs stop": runs.stop,
    "runs resume": runs.resume,
    "runs delete": runs.delete,
    "runs export": runs.export,
    "runs plot": runs.plot,
}
"""What follows `workbench`, of one word or two (`data check`), to the function that does it."""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; a UserError is one sentence and status 2."""
    try:
        _run(list(sys.argv[1:] if words is None else words))
        sys.stdout.flush()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def _run(words: list[str]) -> None:
    if words == ["--version"]:
        print(workbench.__version__)
        return
    if not words or words[0] in ("-h", "--help"):
        print(_overview(COMMANDS))
        return
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in COMMANDS:
            _call(name, words[length:])
            return
    group = {name: command for name, command in COMMANDS.items() if name.startswith(f"{words[0]} ")}
    if group and words[1:] in ([], ["-h"], ["--help"]):
        print(_overview(group))
        return
    raise choices("command", " ".join(words[:2] if group else words[:1]), group or COMMANDS)


def _call(name: str, words: list[str]) -> None:
    command = COMMANDS[name]
    if takes_knobs(command):
        words = as_knobs(command, words)
    options = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)
    try:
        tyro.cli(command, prog=f"workbench {name}", args=words, config=options)
    except SystemExit:
        if takes_knobs(command) and {"-h", "--help"} & set(words):
            print(list_of_knobs())
        raise


def _overview(commands: Mapping[str, Callable[..., None]]) -> str:
    width = max(map(len, commands))
    lines = (f"  {name:{width}}  {_summary(command)}" for name, command in commands.items())
    more = "workbench COMMAND --help tells its options."
    return "\n".join(["usage: workbench COMMAND [options]", "", *lines, "", more])


def _summary(command: Callable[..., None]) -> str:
    assert command.__doc__, f"{command.__name__} needs a docstring: it is the command's help"
    return command.__doc__.strip().partition("\n")[0]

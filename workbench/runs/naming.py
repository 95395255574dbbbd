"""Names of runs, and their new folders."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from workbench.errors import UserError

PREPARED = "prepared"
"""The folder beside the runs that holds their prepared data sets."""

NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,99}", re.ASCII)


def new_folder(runs: Path, name: str | None, model: str) -> Path:
    """A folder that was not there before, by the name given, or by model and time."""
    if name is not None and (not NAME.fullmatch(name) or name == PREPARED):
        raise UserError(
            f"A run cannot be called {name!r}: use letters, digits and . _ + -, beginning with a letter or digit"
            f"{f'; {PREPARED} is where the data goes' if name == PREPARED else ''}."
        )
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{runs} is a file: name a folder for the runs.") from None
    base = name or f"{model}-{datetime.now():%Y-%m-%d-%H%M}"
    for number in range(1, 1000):
        folder = runs.absolute() / (base if number == 1 else f"{base}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            if name:
                raise UserError(
                    f"There is a run {name} in {runs} already: choose another name, or go on with --resume {name}."
                ) from None
        else:
            return folder
    raise UserError(f"{runs} has a thousand runs called {base}: give this one a name.")

"""Small JSON files that are written whole or not at all, each with the number of its format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.errors import UserError
from workbench.files import FULL, whole

FORMAT = 1
"""Of all files of a run folder; readers refuse a higher one."""

LAST = "last.json"
BEST = "best.safetensors"
ABOUT_BEST = "best.json"

FULL_IN_WORDS = tuple(f"os error {number}" for number in FULL)
"""As libraries tell it that do not raise OSError."""


def write_json(path: Path, values: Mapping[str, Any], durable: bool = False) -> None:
    """Replace the file; `durable` waits for the disk, so that it is whole after a power failure too."""
    with whole(path) as part, part.open("w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, **values}, file, indent=1)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def read_json(path: Path) -> dict[str, Any] | None:
    """What `write_json` wrote; None where there is no such file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): restore it from a copy, or delete the run.") from None
    if not isinstance(values, dict) or not isinstance(values.get("format"), int):
        raise UserError(f"{path} is no file of a run: name the folder that `workbench train` told.")
    if values["format"] > FORMAT:
        raise UserError(
            f"{path} is of format {values['format']} and this version reads up to {FORMAT}: update the workbench."
        )
    return values


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """A full disk as a sentence to whoever asked for something."""
    try:
        yield
    except OSError as error:
        if not disk_is_full(error):
            raise
        raise UserError(f"The disk of {folder} is full: make room, then try again.") from error


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that nothing more can be written."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(words in str(error) for words in FULL_IN_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False

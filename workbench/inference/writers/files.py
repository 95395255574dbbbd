"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workbench.errors import UserError
from workbench.files import FULL


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """As `files.whole`, but the file keeps its suffix, by which some libraries choose what to write."""
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        reason = "its disk is full: make room" if error.errno in FULL else f"{error.strerror}: choose another folder"
        raise UserError(f"{path} cannot be written, {reason}.") from error
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            part.unlink()


def with_ending(base: Path, ending: str) -> Path:
    """`base` is a name without suffix, which may hold points."""
    return base.with_name(base.name + ending)


def words(names: Iterable[str]) -> list[str]:
    """Class names as parts of file names, no two alike."""
    found: list[str] = []
    for name in names:
        word = re.sub(r"[^\w.+-]+", "_", name).strip("._") or "class"
        found.append(f"{word}_{len(found)}" if word.casefold() in map(str.casefold, found) else word)
    return found

"""The folders that may be named as data, by names that are no paths: none but these is ever opened for a page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

DEPTH = 2
MOST = 500
"""Folders that are listed; deeper and further ones are reached by another root."""


def data_folders(roots: Iterable[Path]) -> dict[str, Path]:
    """Each root and the folders below it, hidden ones left out, by the root's name and the way from there."""
    found: dict[str, Path] = {}
    for root in roots:
        whole = root.expanduser().resolve()
        for folder in _below(whole, DEPTH):
            way = folder.relative_to(whole).as_posix()
            name = whole.name if way == "." else f"{whole.name}/{way}"
            found.setdefault(name if name not in found else str(folder), folder)
            if len(found) >= MOST:
                return found
    return found


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """The folder and those below it; links are not followed, so that all lie below the root."""
    if not folder.is_dir():
        return
    yield folder
    if not depth:
        return
    try:
        with os.scandir(folder) as entries:
            inner = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith("."))
    except PermissionError:
        return
    for name in inner:
        yield from _below(folder / name, depth - 1)

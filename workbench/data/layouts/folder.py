"""To be written in the next commit."""

from __future__ import annotations

from pathlib import Path

from workbench.data.source import Layout, Source


def find(path: Path) -> Path | None:
    """The folder laid out so."""
    raise NotImplementedError


def open_folder(root: Path) -> Source:
    """The items of the folder."""
    raise NotImplementedError


LAYOUT = Layout("folder", "", find, open_folder)

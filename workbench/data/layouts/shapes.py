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


LAYOUT = Layout("shapes", "", find, open_folder)


def is_shapes(path: object) -> bool:
    """Whether the path means the synthetic pictures."""
    raise NotImplementedError

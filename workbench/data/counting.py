"""Counts and names for sentences."""

from __future__ import annotations

from collections.abc import Sequence, Sized


def count_of(things: Sized, word: str) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{len(things)} {word}{'' if len(things) == 1 else 's'}"


def named(paths: Sequence[object], most: int = 3) -> str:
    """The first few of many names, for a sentence."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(str(path) for path in paths[:most]) + more

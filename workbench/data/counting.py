"""Counts and names for sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sized


def plural(count: int, word: str) -> str:
    """`1 picture`, `2 pictures`, `2 copies`, `2 classes`."""
    if count == 1:
        return f"1 {word}"
    if word.endswith("y"):
        return f"{count:,} {word[:-1]}ies"
    return f"{count:,} {word}{'es' if word.endswith('s') else 's'}"


def count_of(things: Sized, word: str) -> str:
    """`1 picture`, `2 pictures`."""
    return plural(len(things), word)


def named(things: Iterable[object], most: int = 3) -> str:
    """The first few of many names, for a sentence."""
    names = list(map(str, things))
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def short(name: str, most: int = 24) -> str:
    """A name that is not too long for a line, with its beginning and its end."""
    return name if len(name) <= most else f"{name[: most - 10]}…{name[-9:]}"

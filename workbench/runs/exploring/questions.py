"""What a question holds, checked: it may come from anybody who reaches the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.errors import UserError


def text_of(question: Mapping[str, Any], name: str) -> str:
    """A text that must be there."""
    value = question.get(name)
    if not isinstance(value, str) or not value:
        raise UserError(f"The question has no {name}: choose one.")
    return value


def number_of(question: Mapping[str, Any], name: str, most: int) -> int:
    """A whole number from 0 on that must be there."""
    value = question.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise UserError(f"{name} must be a whole number from 0 to {most}, not {str(value)[:40]!r}.")
    return value


def threshold_of(question: Mapping[str, Any]) -> float:
    """From which probability on a pixel belongs to a class."""
    value = question.get("threshold", 0.5)
    if not isinstance(value, int | float) or not 0 < value < 1:
        raise UserError(f"A threshold lies between 0 and 1, not at {str(value)[:40]!r}.")
    return float(value)

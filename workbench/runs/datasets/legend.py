"""The classes of a task with the colours that their masks are drawn in, for a view."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from workbench.data.spread import Spread
from workbench.task import Task


def legend(task: Task) -> list[dict[str, Any]]:
    """Name and colour of each class of the foreground."""
    from workbench.overlays import palette

    colours = palette(task)
    return [
        {"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*colours[number].tolist())}
        for number, name in task.foreground.items()
    ]


def spread_told(task: Task, spread: Spread) -> dict[str, Any]:
    """What its charts are drawn from."""
    return {**asdict(spread), "colours": {each["name"]: each["colour"] for each in legend(task)}}

"""The one table of layouts, and how a folder finds its own."""

from __future__ import annotations

import inspect
from collections import Counter
from pathlib import Path
from typing import Any

from workbench.config import is_drawn
from workbench.data.counting import count_of, named
from workbench.data.layouts import cityscapes, dsb2018, folder, isic2018, shapes
from workbench.data.source import Layout, Source
from workbench.errors import UserError, choices

LAYOUTS: dict[str, Layout] = {
    layout.name: layout for layout in (shapes.LAYOUT, cityscapes.LAYOUT, dsb2018.LAYOUT, isic2018.LAYOUT, folder.LAYOUT)
}
"""In the order in which `auto` tries them: the folder layout, which takes almost anything, is the last."""


def open_source(path: str | Path, layout: str = "auto", **options: Any) -> Source:
    """Find the pictures and masks under a path; the source's report says what was found.

    `shapes`, `shapes:multiclass` and `shapes:multilabel` are the synthetic pictures (write `./shapes` for a folder of
    that name). Options are what only the layout knows, such as `count=200, difficulty=0.8` for shapes.
    """
    if layout != "auto" and layout not in LAYOUTS:
        raise choices("layout", layout, [*LAYOUTS, "auto"])
    place = Path(path)
    if not is_drawn(path):
        _check_folder(place)
        place = place.absolute()
    for candidate in LAYOUTS.values() if layout == "auto" else [LAYOUTS[layout]]:
        root = candidate.find(place)
        if root is not None:
            source = candidate.open(root, **_checked(candidate, options))
            _refuse_same_names(source)
            return source
    raise UserError(f"{path} is not laid out as {layout} ({LAYOUTS[layout].summary}): try layout auto.")


def _check_folder(path: Path) -> None:
    if not path.exists():
        raise UserError(f"There is no folder {path}: check the path, or use `shapes` for synthetic pictures.")
    if not path.is_dir():
        raise UserError(f"{path} is a file: give the folder that holds the pictures and their masks.")
    if not any(path.iterdir()):
        raise UserError(f"The folder {path} is empty: put pictures and their masks there.")


def _refuse_same_names(source: Source) -> None:
    twice = [name for name, times in Counter(item.name for item in source.items).items() if times > 1]
    if twice:
        raise UserError(
            f"{count_of(twice, 'name')} in {source.root} stand for several pictures ({named(twice)}): rename them, "
            "since splits and results go by the name."
        )


def _checked(layout: Layout, options: dict[str, Any]) -> dict[str, Any]:
    known = list(inspect.signature(layout.open).parameters)[1:]
    for name in options:
        if name not in known:
            if known:
                raise choices(f"option of the {layout.name} layout", name, known)
            raise UserError(f"The {layout.name} layout has no options, so {name!r} cannot be set: leave it out.")
    return options

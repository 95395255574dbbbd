"""The pictures that can be looked at: those that a run validates on, drawn ones, and those that were sent."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from workbench.data.reading import Facts, Picture
from workbench.errors import UserError, choices
from workbench.runs.exploring.models import Models
from workbench.runs.exploring.uploads import Uploads
from workbench.runs.run import Run

if TYPE_CHECKING:
    from workbench.data.full_size import FullSize

MOST_LISTED = 500
DRAWN: dict[str, Any] = {"count": 12, "size": 192, "difficulty": 0.25, "seed": 7}


class Chosen(NamedTuple):
    """Which picture is meant; all of it comes from a browser and names no path."""

    source: str
    """One of SOURCES."""
    key: str
    place: int = 0
    """The slice of a stack."""
    run: str = ""
    """Whose validation picture it is."""


class Shown(NamedTuple):
    """A picture, with what is known of it."""

    name: str
    picture: Picture | None
    """None where a file is to be read."""
    path: Path | None = None
    truth: np.ndarray | None = None


class Listed(NamedTuple):
    """What there is to choose from for a run."""

    names: list[str]
    told: str
    """Why there is nothing, or less than there could be."""


class Pictures:
    """Finds what was chosen."""

    def __init__(self, models: Models, uploads: Uploads) -> None:
        self._models = models
        self.uploads = uploads

    def listed(self, run: Run) -> Listed:
        """The names of a run's validation pictures."""
        try:
            full = full_size_of(run)
        except UserError as error:
            names = run.previews.names
            told = f"These are small previews, since the pictures cannot be opened: {error}" if names else str(error)
            return Listed(names, told)
        names = [full.prepared.names[number] for number in full.prepared.splits["valid"]]
        told = f"The first {MOST_LISTED} of {len(names)} are listed." if len(names) > MOST_LISTED else ""
        return Listed(names[:MOST_LISTED], told)

    def find(self, chosen: Chosen) -> Shown:
        """The picture, or its file."""
        if chosen.source not in SOURCES:
            raise choices("source of pictures", chosen.source, SOURCES)
        return SOURCES[chosen.source](self, chosen)

    def _validation(self, chosen: Chosen) -> Shown:
        run = self._models.run(chosen.run)
        try:
            full = full_size_of(run)
        except UserError:
            return self._preview(chosen, run)
        if chosen.key not in full.prepared.names:
            raise UserError(f"{run.name} has no validation picture {chosen.key!r}: choose one of its list.")
        number = full.prepared.names.index(chosen.key)
        return Shown(chosen.key, full.picture(number), truth=full.mask(number))

    def _preview(self, chosen: Chosen, run: Run) -> Shown:
        names = run.previews.names
        if chosen.key not in names:
            raise UserError(f"{run.name} has no preview of {chosen.key!r}: choose one of its list.")
        _, image, mask = run.previews.picture(names.index(chosen.key))
        height, width, channels = image.shape
        return Shown(chosen.key, Picture(image, Facts(width, height, channels, 8, "preview")), truth=mask)

    def _drawn(self, chosen: Chosen) -> Shown:
        from workbench.data.layouts import open_source

        source = open_source("shapes", **DRAWN)
        items = {item.name: item for item in source.items}
        if chosen.key not in items:
            raise choices("drawn picture", chosen.key, items)
        return Shown(chosen.key, source.read_image(items[chosen.key]))

    def _sent(self, chosen: Chosen) -> Shown:
        path = self.uploads.path(chosen.key)
        self.uploads.facts(chosen.key, chosen.place)
        return Shown(path.name, None, path)


def full_size_of(run: Run) -> FullSize:
    """The pictures and masks of a run at their own size, where they are prepared and their files can be read."""
    from workbench.runs.preparing import prepared_folder

    folder = prepared_folder(run.config.data, run.folder.parent)
    index = folder / "index.json"
    return _opened(folder, index.stat().st_mtime_ns if index.is_file() else 0)


@lru_cache(maxsize=4)
def _opened(folder: Path, changed: int) -> FullSize:
    """`changed` is when it was prepared."""
    from workbench.data.full_size import FullSize
    from workbench.data.prepared import open_prepared

    full = FullSize(open_prepared(folder))
    if full.prepared.names:
        full.picture(0)  # refuses at once where the files are gone
    return full


def drawn_names() -> list[str]:
    """The drawn pictures."""
    from workbench.data.layouts import open_source

    return [item.name for item in open_source("shapes", **DRAWN).items]


SOURCES: dict[str, Callable[[Pictures, Chosen], Shown]] = {
    "validation": Pictures._validation,
    "drawn": Pictures._drawn,
    "sent": Pictures._sent,
}

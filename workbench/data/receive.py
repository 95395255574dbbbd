"""What somebody sends -> a data set in a folder of its own: a ZIP, or pictures and masks file by file."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from workbench.data.counting import named
from workbench.data.layouts import open_source
from workbench.data.reading import is_picture
from workbench.data.unpack import LIMITS, Progress, ZipLimits, unpack
from workbench.errors import UserError

PART = ".part."
"""Before the name of a folder that is not whole yet."""
DELETED = ".deleted."
"""Before the name of one that was deleted; as long as it is there, its name is not given to another."""


def receive_zip(path: Path, into: Path, limits: ZipLimits = LIMITS, progress: Progress | None = None) -> Path:
    """Unpack a ZIP into a new folder below `into`, called like it; one without a data set leaves nothing behind."""
    with _part(into) as part:
        inside = unpack(path, Path(part, "files"), limits, progress)
        return _keep(inside, into, path.stem, path.name)


def receive_files(pictures: Sequence[Path], masks: Sequence[Path], into: Path, name: str = "") -> Path:
    """Copy pictures and their masks into a new folder below `into`.

    Without masks of their own the pictures are taken for both, told apart by their names (NAME.png, NAME_mask.png).
    """
    if not pictures:
        raise UserError("There are no pictures: choose them, and their masks, first.")
    with _part(into) as part:
        folder = Path(part, "files")
        for files, where in ((pictures, "images" if masks else "."), (masks, "masks")):
            _copy(files, folder / where)
        return _keep(folder, into, name or pictures[0].stem, "What was sent")


def _part(into: Path) -> tempfile.TemporaryDirectory[str]:
    into.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=PART, dir=into)


def _copy(files: Iterable[Path], folder: Path) -> None:
    files = list(files)
    strange = [path.name for path in files if not is_picture(path)]
    if strange:
        raise UserError(f"{named(strange)} cannot be read as a picture: leave it out, or send a ZIP of everything.")
    twice = [name for name, times in Counter(path.name for path in files).items() if times > 1]
    if twice:
        raise UserError(f"{named(twice)} came more than once: give every file a name of its own.")
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, folder / path.name)


def _keep(folder: Path, into: Path, name: str, told: str) -> Path:
    """Give the folder its place, if there is a data set in it; sentences name what the sender knows."""
    try:
        open_source(folder)
    except UserError as error:
        raise UserError(f"{told} is no data set: {str(error).replace(str(folder), told)}") from error
    place = _free(into, re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "data")
    folder.rename(place)
    return place


def _free(into: Path, name: str) -> Path:
    places = (into / (name if number == 1 else f"{name}-{number}") for number in count(1))
    return next(place for place in places if not place.exists() and not (into / f"{DELETED}{place.name}").exists())

"""Pictures that somebody sends, also in a ZIP -> what a model sees in them, as one ZIP."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from workbench.data.counting import named
from workbench.data.reading import Limits, read_facts
from workbench.data.unpack import ZipLimits, unpack
from workbench.errors import UserError
from workbench.inference.batch import Job, Jobs, find_pictures, predict_files
from workbench.inference.calculation import Progress
from workbench.inference.predictor import Predictor
from workbench.inference.writers import check_formats
from workbench.runs.archive import pack

ZIP_LIMITS = ZipLimits(files=20_000, bytes=4 * 1024**3)
PICTURE_LIMITS = Limits.upload()
LEFT_OUT = "left-out.txt"


class Predicted(NamedTuple):
    """How it went."""

    pictures: int
    """Found in what was sent,"""
    written: int
    """and predicted."""
    left_out: list[str]
    """A sentence for each file that is no picture or could not be predicted; they are in the ZIP too."""
    notes: list[str]
    by: str
    """What ran the network."""


def predict_sent(
    predictor: Predictor,
    sent: Sequence[Path],
    to: Path,
    formats: Sequence[str] = (),
    *,
    zip_limits: ZipLimits = ZIP_LIMITS,
    limits: Limits = PICTURE_LIMITS,
    progress: Progress | None = None,
) -> Predicted:
    """Write the results of all pictures into the ZIP `to`; without formats, what is usual for a file's kind.

    `progress` is told of pictures; whatever it raises ends the work and leaves nothing behind.
    """
    tell = progress or _nobody
    check_formats(formats)
    if not sent:
        raise UserError("There are no pictures: choose some, or a ZIP of them, first.")
    with tempfile.TemporaryDirectory(prefix="workbench-predict-") as folder:
        results = Path(folder, to.stem)
        results.mkdir()
        with _without(Path(folder)):
            arrived = _arrived(sent, Path(folder, "sent"), zip_limits, lambda done, total: tell(0, 0))
        with _without(arrived):
            found = find_pictures([arrived], results)
        if not found.pictures:
            raise UserError(f"There are no pictures in {named([path.name for path in sent])}: send some that are.")
        predicted = _predict(predictor, found, arrived, results, formats, limits, tell)
        if predicted.left_out:
            (results / LEFT_OUT).write_text("\n".join(predicted.left_out) + "\n", encoding="utf-8")
        pack(results, to, lambda *_: tell(len(found.pictures), len(found.pictures)))
    return predicted


def _predict(
    predictor: Predictor, found: Jobs, within: Path, out: Path, formats: Sequence[str], limits: Limits, tell: Progress
) -> Predicted:
    good, problems = _allowed(found.pictures, limits)
    notes: dict[str, None] = {}
    done, total = len(problems), len(found.pictures)

    def tiles(*_: int) -> None:
        tell(done, total)  # so that a large picture can be stopped too

    tiles()
    for outcome in predict_files(predictor, good, out, formats, progress=tiles):
        done += 1
        notes.update(dict.fromkeys(outcome.notes))
        problems += [outcome.problem] if outcome.problem else []
        tell(done, total)
    left_out = [f"{path}: it is no picture." for path in found.left_out]
    told = [sentence.replace(f"{within}/", "") for sentence in (*left_out, *problems)]
    return Predicted(total, total - len(problems), told, list(notes), predictor.facts.name)


def _arrived(sent: Sequence[Path], folder: Path, limits: ZipLimits, progress: Progress) -> Path:
    """The folder that all of it lies in: of a ZIP alone what is in it, of several one beside the other."""
    names = [_name_of(path) for path in sent]
    twice = [name for name, times in Counter(name.casefold() for name in names).items() if times > 1]
    if twice:
        raise UserError(f"{named(twice)} came more than once: give every file a name of its own.")
    inside = folder
    for path, name in zip(sent, names, strict=True):
        if _is_zip(path):
            inside = unpack(path, folder / name, limits, progress)
        else:
            folder.mkdir(exist_ok=True)
            shutil.copyfile(path, folder / name)
    return inside if len(sent) == 1 else folder


def _name_of(path: Path) -> str:
    return path.stem if _is_zip(path) else path.name


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def _allowed(jobs: Sequence[Job], limits: Limits) -> tuple[list[Job], list[str]]:
    """Those whose headers say that they may be opened, and a sentence for each of the others."""
    good, refused = [], []
    for job in jobs:
        try:
            read_facts(job.path, limits=limits)
        except UserError as error:
            refused.append(str(error))
        else:
            good.append(job)
    return good, refused


@contextmanager
def _without(folder: Path) -> Iterator[None]:
    """Sentences name files as their sender does, not where they lie here."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(f"{folder}/", "")) from error


def _nobody(done: int, total: int) -> None:
    """Nobody asked for progress."""

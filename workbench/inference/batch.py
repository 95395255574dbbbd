"""Many pictures predicted and written, one after another; what cannot be read is told and left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workbench.data.reading import PICTURE_SUFFIXES, is_picture, read_facts
from workbench.errors import UserError
from workbench.inference.predictor import NO_LIMITS, Predictor, name_of
from workbench.inference.writers import FORMATS, Writer, check_formats
from workbench.inference.writers.streamed import LAYERS, write_stream

USUAL = {"NIfTI": ("nifti",), "DICOM": ("dicom", "overlay")}
"""What is written of such files unless asked otherwise; of all others label and overlay."""


class Job(NamedTuple):
    """A picture's file, and the name of its results: a path within the output folder, without suffix."""

    path: Path
    name: Path


class Jobs(NamedTuple):
    """What was found to predict, and what was left out because it is no picture."""

    pictures: list[Job]
    left_out: list[Path]


class Outcome(NamedTuple):
    """How one picture went."""

    job: Job
    written: list[Path]
    notes: tuple[str, ...]
    problem: str | None
    """A sentence, where it could not be read, predicted or written."""


def find_pictures(given: Iterable[Path], out: Path) -> Jobs:
    """The pictures of files and of folders and all folders below; hidden files and the output folder are passed over.

    Results are named as their pictures, in the same folders below `out`. Where two would be named alike, both names
    get the suffix too, and after that the name of the folder.
    """
    found: list[tuple[Path, Path]] = []
    left_out: list[Path] = []
    for start in given:
        if not start.is_dir():
            found.append((start, Path(start.name)))
            continue
        for path in _files_below(start, out):
            if path.name.lower().endswith(PICTURE_SUFFIXES) or is_picture(path):
                found.append((path, path.relative_to(start)))
            else:
                left_out.append(path)
    once = {path.absolute(): Job(path, name) for path, name in reversed(found)}
    return Jobs(_named(list(once.values())[::-1]), left_out)


def _files_below(folder: Path, out: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not _same(Path(root, name), out))
        yield from (Path(root, name) for name in sorted(files) if not name.startswith("."))


def _same(one: Path, other: Path) -> bool:
    return one.absolute() == other.absolute()


def _named(jobs: list[Job]) -> list[Job]:
    """With results that do not overwrite each other, also where capitals do not count."""
    ways: tuple[Callable[[Job], Path], ...] = (
        lambda job: job.name.with_name(name_of(job.path)),
        lambda job: job.name.with_name(job.path.name.replace(".", "_")),
        lambda job: Path(job.path.absolute().parent.name) / job.path.name.replace(".", "_"),
    )
    names = {job: ways[0](job) for job in jobs}
    for way in ways[1:]:
        for job in _alike(names):
            names[job] = way(job)
    clash = _alike(names)
    if clash:
        raise UserError(
            f"{clash[0].path} and another picture would both be written as {names[clash[0]]}: give the folder that "
            "both lie in, or predict them into different folders."
        )
    return [Job(job.path, names[job]) for job in jobs]


def _alike(names: dict[Job, Path]) -> list[Job]:
    same: dict[str, list[Job]] = {}
    for job, name in names.items():
        same.setdefault(name.as_posix().casefold(), []).append(job)
    return [job for jobs in same.values() if len(jobs) > 1 for job in jobs]


def predict_files(
    predictor: Predictor,
    jobs: Sequence[Job],
    out: Path,
    formats: Sequence[str] = (),
    *,
    axis: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Outcome]:
    """Predict and write every picture, slice by slice of a stack; without formats, what is usual for its kind.

    `progress` is told of the tiles of each slice. Files about all pictures are written when the last outcome was
    taken, or when the iteration is given up.
    """
    check_formats(formats)
    _check_folder(out)
    writers: dict[str, Writer] = {name: FORMATS[name].open(out) for name in formats}
    try:
        for job in jobs:
            yield _outcome(predictor, job, out, formats, writers, axis, progress)
    finally:
        for writer in writers.values():
            writer.finish()


def _check_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; name a folder to write to.")


def _outcome(predictor: Predictor, job: Job, *how: Any) -> Outcome:
    try:
        return _predict_file(predictor, job, *how)
    except UserError as error:
        return Outcome(job, [], (), str(error))


def _predict_file(
    predictor: Predictor,
    job: Job,
    out: Path,
    formats: Sequence[str],
    writers: dict[str, Writer],
    axis: int | None,
    progress: Callable[[int, int], None] | None,
) -> Outcome:
    facts = read_facts(job.path, axis=axis, limits=NO_LIMITS)
    base, written = out / job.name, []
    if predictor.is_large(facts):
        names = [name for name in formats or ("label",) if name in LAYERS]
        with predictor.stream(job.path, progress=progress) as stream:
            written = write_stream(stream, predictor.task, base, names)
        without = [name for name in formats if name not in LAYERS]
        left = f"of a picture so large {' and '.join(without)} cannot be written"
        return Outcome(job, written, (*stream.notes, *([left] if without else [])), None)
    chosen = formats or USUAL.get(facts.format, ("label", "overlay"))
    for name in chosen:
        if name not in writers:
            writers[name] = FORMATS[name].open(out)
    notes: list[str] = []
    for index in range(facts.slices):
        prediction = predictor(job.path, index=index, axis=axis, progress=progress)
        notes += [note for note in prediction.notes if note not in notes]
        for name in chosen:
            written += writers[name].add(prediction, base)
    return Outcome(job, written, tuple(notes), None)

"""Many pictures predicted and written, one after another; what cannot be read is told and left out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from workbench.data.reading import PICTURE_SUFFIXES, is_picture, read_facts
from workbench.errors import UserError
from workbench.inference.calculation import Progress
from workbench.inference.prediction import Prediction, slice_ending
from workbench.inference.predictor import NO_LIMITS, Predictor, Stream, name_of
from workbench.inference.writers import FORMATS, Writer, check_formats
from workbench.inference.writers.streamed import LAYERS, write_stream
from workbench.task import Task

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
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Predict and write every picture, slice by slice of a stack; without formats, what is usual for its kind.

    `progress` is told of the tiles of each slice. Files about all pictures are written when the last outcome was
    taken, or when the iteration is given up.
    """
    if "attention" in formats and not predictor.facts.has_attention:
        raise UserError(
            f"{predictor.facts.name} returns no maps of attention gates (the model has none, or was exported without "
            "them): leave `attention` out of what is written."
        )
    output = Output(out, formats)
    try:
        for job in jobs:
            yield _outcome(predictor, job, output, axis, progress)
    finally:
        output.finish()


class Output:
    """A folder and what is written there."""

    def __init__(self, folder: Path, formats: Sequence[str]):
        check_formats(formats)
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file; name a folder to write to.")
        self.folder, self._formats = folder, formats
        self._writers: dict[str, Writer] = {}
        for name in formats:  # also where no picture is read, so that a table is there, if an empty one
            self._writer(name)

    def add(self, prediction: Prediction, base: Path) -> list[Path]:
        """Writes what was asked for, or what is usual for its kind."""
        names = self._formats or USUAL.get(prediction.facts.format, ("label", "overlay"))
        return [path for name in names for path in self._writer(name).add(prediction, base)]

    def add_stream(self, stream: Stream, task: Task, base: Path) -> list[Path]:
        """The same of a large picture, as far as it can be."""
        without = [name for name in self._formats if name not in LAYERS]
        if without:
            stream.notes.append(f"of a picture so large {' and '.join(without)} cannot be written")
        return write_stream(stream, task, base, [name for name in self._formats or ("label",) if name in LAYERS])

    def finish(self) -> None:
        """Writes the files about all pictures."""
        for writer in self._writers.values():
            writer.finish()

    def _writer(self, name: str) -> Writer:
        if name not in self._writers:
            self._writers[name] = FORMATS[name].open(self.folder)
        return self._writers[name]


def _outcome(predictor: Predictor, job: Job, output: Output, axis: int | None, progress: Progress | None) -> Outcome:
    written: list[Path] = []
    notes: list[str] = []
    try:
        slices = read_facts(job.path, axis=axis, limits=NO_LIMITS).slices
        for index in range(slices):
            some, said = _predict_slice(predictor, job, index, output, axis, progress)
            written += some
            notes += [note for note in said if note not in notes]
    except UserError as error:
        return Outcome(job, written, tuple(notes), str(error))
    return Outcome(job, written, tuple(notes), None)


def _predict_slice(
    predictor: Predictor, job: Job, index: int, output: Output, axis: int | None, progress: Progress | None
) -> tuple[list[Path], Sequence[str]]:
    facts = read_facts(job.path, index=index, axis=axis, limits=NO_LIMITS)
    base = output.folder / job.name
    if predictor.is_large(facts):
        with predictor.stream(job.path, index=index, progress=progress) as stream:
            ending = slice_ending(index, facts.slices)
            return output.add_stream(stream, predictor.task, base.with_name(base.name + ending)), stream.notes
    prediction = predictor(job.path, index=index, axis=axis, progress=progress)
    return output.add(prediction, base), prediction.notes

"""Answers to what a view that corrects labels asks, with questions and answers as JSON; knows no page.

Whatever a question names is looked up in a list. Only what needs a model imports torch.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from workbench.errors import UserError, choices
from workbench.runs.correcting.masks import from_run_lengths
from workbench.runs.correcting.versions import ORIGINAL, Versions, versions_of
from workbench.runs.evaluated import evaluation_folder, is_evaluated
from workbench.runs.exploring.kept import Kept
from workbench.runs.exploring.models import Models
from workbench.runs.exploring.pictures import full_size_of
from workbench.runs.exploring.questions import number_of, text_of
from workbench.runs.run import Run

if TYPE_CHECKING:
    from workbench.data.full_size import FullSize
    from workbench.inference.prediction import Prediction

Json = dict[str, Any]

CORRECTED = ("train", "valid")
"""The splits whose labels may be corrected: by those of the test split a model is scored before and after."""
MOST_PIXELS = 4096 * 4096
"""Of a picture that a browser can paint on."""
BEGUN_FROM = ("prediction", "label", "original")
MOST_NOTE = 300


class Subject(NamedTuple):
    """A picture whose label is corrected, by the model of a run."""

    run: Run
    full: FullSize
    versions: Versions
    name: str
    number: int
    split: str


class Correcting:
    """Each of `answers` takes a question and gives its answer, or raises a UserError; predictions take turns."""

    def __init__(self, runs: str | Path = "runs") -> None:
        self.models = Models(Path(runs))
        self._predictions: Kept[Prediction] = Kept(4)
        self._turn = threading.Lock()
        self.answers = (self.correctable, self.open_picture, self.label_version, self.save_label, self.use_label)

    def correctable(self, question: Json) -> Json:
        """The pictures of a `run` whose labels may be corrected, those where the model is furthest off first."""
        from workbench.inference.exploration import classes_of

        run = self.models.run(text_of(question, "run"))
        prepared = _full(run).prepared
        dice, known = _dice(run), versions_of(run.config.data, run.folder.parent).all()
        pictures = [
            {
                "name": (name := prepared.names[number]),
                "split": split,
                "dice": dice.get(name),
                "versions": known.get(name, (0, None))[0],
                "in_use": known.get(name, (0, None))[1] or ORIGINAL,
            }
            for split in CORRECTED
            for number in prepared.splits[split]
        ]
        pictures.sort(key=lambda picture: (picture["dice"] is None, picture["dice"]))
        return {
            "mode": prepared.task.mode,
            "classes": classes_of(prepared.task),
            "pictures": pictures,
            "told": [_told(run, len(pictures), len(prepared.splits["test"]))],
        }

    def open_picture(self, question: Json) -> Json:
        """A `picture`, what the model of the `run` makes of it, and its labels."""
        from workbench.data.reading import to_display
        from workbench.inference.exploration import classes_of, picture_address

        subject = self._subject(question)
        picture = subject.full.picture(subject.number)
        _refuse_large(subject.name, picture.facts.height, picture.facts.width)
        original = subject.full.mask(subject.number, original=True)
        return {
            "name": subject.name,
            "split": subject.split,
            "width": picture.facts.width,
            "height": picture.facts.height,
            "base": picture_address(to_display(picture.array, picture.facts)),
            "mode": subject.full.prepared.task.mode,
            "classes": classes_of(subject.full.prepared.task),
            "prediction": _planes(self._predict(subject).labels),
            "label": _planes(_label(subject, subject.versions.in_use(subject.name))),
            "original": _planes(original),
            "notes": [],
            **_versions(subject),
        }

    def label_version(self, question: Json) -> Json:
        """The mask of a `version`; 0 is the original."""
        subject = self._subject(question)
        return {"planes": _planes(_label(subject, number_of(question, "version", most=1 << 31)))}

    def save_label(self, question: Json) -> Json:
        """Keep what was painted (`planes`, as run lengths) as a new version of the label, which is in use at once."""
        from workbench.data.corrections import check_ids

        subject = self._subject(question)
        begun_from, note = _beginning(subject, question), str(question.get("note") or "").strip()[:MOST_NOTE]
        original = subject.full.mask(subject.number, original=True)
        planes = from_run_lengths(question.get("planes"), *original.shape[-2:])
        task = subject.full.prepared.task
        painted = planes if task.mode == "multilabel" else planes[0]
        check_ids(painted, task.mode, len(task.classes), "What was painted")
        _refuse_known(subject, painted)
        differs = painted != original
        subject.versions.add(
            subject.name,
            painted,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            begun_from=begun_from,
            run=subject.run.name,
            changed=int((differs.any(0) if differs.ndim == 3 else differs).sum()),
            note=note,
        )
        return _versions(subject)

    def use_label(self, question: Json) -> Json:
        """Take another `version` of the label from now on; 0 goes back to the original."""
        subject = self._subject(question)
        subject.versions.use(subject.name, number_of(question, "version", most=1 << 31))
        return _versions(subject)

    # --- behind them ---

    def _subject(self, question: Json) -> Subject:
        run, name = self.models.run(text_of(question, "run")), text_of(question, "picture")
        full = _full(run)
        prepared = full.prepared
        if name not in prepared.names:
            raise UserError(f"{run.name} has no picture {name!r}: choose one of its list.")
        number = prepared.names.index(name)
        split = next((split for split, numbers in prepared.splits.items() if number in numbers), None)
        if split == "test":
            raise UserError(
                f"{name} is a test picture: its label stays as it is, so that models before and after can be compared."
            )
        if split is None:
            raise UserError(f"{name} is in no split of {run.name}, so that no training would see its label.")
        return Subject(run, full, versions_of(run.config.data, run.folder.parent), name, number, split)

    def _predict(self, subject: Subject) -> Prediction:
        with self._turn:
            loaded = self.models.load(subject.run.name, "best")
            array = subject.full.picture(subject.number).array
            return self._predictions.get((loaded.key, subject.name), lambda: loaded.predictor(array))


def _full(run: Run) -> FullSize:
    """Drawn pictures are prepared at once, others by who has the time to watch."""
    from workbench.runs.preparing import prepare_for, prepared_folder

    config, runs = run.config.data, run.folder.parent
    if not (prepared_folder(config, runs) / "index.json").is_file():
        if not config.drawn:
            raise UserError(f"The pictures of {run.name} are not prepared here: evaluate it once, which prepares them.")
        prepare_for(config, runs, lambda done, total: None)
    return full_size_of(run)


def _label(subject: Subject, version: int | None) -> np.ndarray:
    """None is the label that the run was trained with."""
    if version:
        return subject.full.corrected(subject.versions.path(subject.name, version))
    return subject.full.mask(subject.number, original=version == ORIGINAL)


def _beginning(subject: Subject, question: Json) -> str:
    """What was painted on; the label in use is told by its number."""
    begun_from, in_use = text_of(question, "begun_from"), subject.versions.in_use(subject.name)
    if begun_from == "label" and in_use is not None:
        return _title(in_use)
    known = (*BEGUN_FROM, *(_title(version.number) for version in subject.versions.of(subject.name)))
    if begun_from not in known:
        raise choices("beginning of a correction", begun_from, known)
    return begun_from


def _refuse_known(subject: Subject, painted: np.ndarray) -> None:
    """A label that is there already is no new version."""
    in_use = subject.versions.in_use(subject.name)
    if np.array_equal(painted, _label(subject, in_use)):
        raise UserError(f"Nothing differs from the label of {subject.name} that is in use: paint first, then save.")
    for number in (ORIGINAL, *(version.number for version in subject.versions.of(subject.name))):
        if np.array_equal(painted, _label(subject, number)):
            raise UserError(f"This is the {_title(number)} of {subject.name} again: take it into use, or paint first.")


def _title(number: int) -> str:
    return f"version {number}" if number else "original"


def _versions(subject: Subject) -> Json:
    versions = [version._asdict() for version in subject.versions.of(subject.name)]
    for version in versions:
        del version["file"]
    in_use = subject.versions.in_use(subject.name) or ORIGINAL
    return {"versions": [version | {"in_use": version["number"] == in_use} for version in versions], "in_use": in_use}


def _planes(mask: np.ndarray) -> list[str]:
    from workbench.inference.exploration import exact_plane

    planes = mask if mask.ndim == 3 else mask[None]
    return [exact_plane(plane, plane.shape) for plane in planes]


def _dice(run: Run) -> dict[str, float]:
    """Of each picture that an evaluation of the run has seen."""
    from workbench.inference.evaluation_folder import load_evaluation
    from workbench.inference.scores import picture_rows

    found: dict[str, float] = {}
    for split in CORRECTED:
        if is_evaluated(run, split):
            rows = picture_rows(load_evaluation(evaluation_folder(run, split)))
            found |= {row["picture"]: round(row["dice"], 4) for row in rows if row["dice"] is not None}
    return found


def _told(run: Run, count: int, tests: int) -> str:
    test = f" The {tests} test pictures keep their labels." if tests else ""
    missing = [split for split in CORRECTED if not is_evaluated(run, split)]
    if not missing:
        return f"{count} pictures, those where {run.name} is furthest from the label first.{test}"
    return (
        f"{count} pictures.{test} Evaluate {run.name} on {' and '.join(missing)}, and those where it is furthest from "
        "the label come first."
    )


def _refuse_large(name: str, height: int, width: int) -> None:
    if height * width > MOST_PIXELS:
        raise UserError(
            f"{name} has {width}x{height} pixels, more than a browser can paint on: cut it into tiles of at most "
            "4096x4096 and prepare these."
        )

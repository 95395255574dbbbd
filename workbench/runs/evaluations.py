"""Answers to what a viewer of evaluations asks, with questions and answers as JSON; knows no page.

Whatever a question names is looked up in a list. Only what reads an evaluation imports torch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import UserError, choices
from workbench.page import address_of
from workbench.runs.evaluated import SPLITS, evaluation_folder, is_evaluated, is_outdated, summary_file
from workbench.runs.evaluating import Asked, evaluation_status, start_evaluation, stop_evaluation
from workbench.runs.exploring.kept import Kept
from workbench.runs.exploring.models import CHECKPOINTS, Models
from workbench.runs.exploring.questions import number_of, text_of, threshold_of
from workbench.runs.run import Run

if TYPE_CHECKING:
    from workbench.inference.evaluation import Evaluation
    from workbench.runs.gallery import Gallery

Json = dict[str, Any]

PAGE = 12
"""Pictures at once."""


class Evaluations:
    """Each of `answers` takes a question that names a `run`, a `split` and a `checkpoint`, or raises a UserError.

    `folders` gives the folders of pictures that may be named as `data` where a run's own have moved.
    """

    def __init__(self, runs: str | Path = "runs", folders: Callable[[], Mapping[str, Path]] = dict) -> None:
        self._models = Models(Path(runs))
        self._folders = folders
        self._evaluations: Kept[Evaluation] = Kept(4)
        self._galleries: Kept[Gallery] = Kept(2)
        self._reading, self._turn = threading.Lock(), threading.Lock()
        self._opening = ""
        """What is done before the first picture can be drawn, in a sentence."""
        self.answers = (
            *(self.evaluation_progress, self.evaluation, self.scores_at_threshold),
            *(self.evaluated_pictures, self.error_picture, self.gallery_progress),
        )

    def evaluation_progress(self, question: Json) -> Json:
        """How far the evaluation in the background is, and the mark of what was evaluated before."""
        run, split, checkpoint = self._asked(question)
        status = evaluation_status(run, split, checkpoint)
        file = summary_file(run, split, checkpoint)
        answer: Json = {"mark": str(file.stat().st_mtime_ns) if file.is_file() else "", "at_work": False}
        if status is not None:
            names = ("state", "detail", "error", "step", "total")
            answer |= {name: getattr(status, name) for name in names} | {"at_work": not status.ended}
        return answer

    def evaluation(self, question: Json) -> Json:
        """Scores with intervals, curves over all thresholds, calibration and confusion."""
        from workbench.inference.evaluation_folder import read_summary
        from workbench.inference.evaluation_told import told

        run, split, checkpoint = self._asked(question)
        evaluation = self._evaluation(run, split, checkpoint)
        summary = read_summary(evaluation_folder(run, split, checkpoint))
        return {**told(evaluation, summary), "outdated": is_outdated(run, split, checkpoint)}

    def scores_at_threshold(self, question: Json) -> Json:
        """Value, low and high of each score at a `threshold`."""
        from workbench.inference.evaluation_told import told_at_threshold

        return told_at_threshold(self._evaluation(*self._asked(question)), threshold_of(question))

    def evaluated_pictures(self, question: Json) -> Json:
        """A page of the pictures from `start` on, by `order` or `descending`, `named` so and with Dice in a range."""
        from workbench.inference.evaluation_told import pictures

        evaluation = self._evaluation(*self._asked(question))
        return pictures(
            evaluation,
            text_of(question, "order"),
            bool(question.get("descending")),
            str(question.get("named", ""))[:200],
            _share(question, "least", 0.0),
            _share(question, "most", 1.0),
            number_of(question, "start", most=1 << 31),
            PAGE,
        )

    def error_picture(self, question: Json) -> Json:
        """A `picture` and where the model goes wrong at a `threshold`, for a class or all; pictures are in `data`."""
        from workbench.inference.evaluation_told import dice_at_threshold

        run, split, checkpoint = self._asked(question)
        evaluation, name = self._evaluation(run, split, checkpoint), text_of(question, "picture")
        if name not in evaluation.names:
            raise UserError(f"{name!r} is not among the pictures of {split}: choose one of its list.")
        threshold = threshold_of(question)
        with self._turn:
            gallery = self._gallery(run, split, checkpoint, self._folder(question))
            shown = gallery.errors(name, threshold, question.get("class") or None)
        return {
            "pictures": [{"title": each.title, "address": address_of(each.rgb)} for each in shown],
            "dice": dice_at_threshold(evaluation, name, threshold),
        }

    def gallery_progress(self, question: Json) -> Json:
        """In a sentence, while pictures are prepared or a model is loaded before pictures can be drawn."""
        return {"told": self._opening}

    # --- what is no question of a view, but an order ---

    def begin(self, order: Json) -> None:
        """Evaluate in the background at a `threshold`."""
        run, split, checkpoint = self._asked(order)
        start_evaluation(run, Asked(split, checkpoint, threshold_of(order), self._folder(order)))

    def stop(self, order: Json) -> None:
        """End what is being evaluated; what was evaluated before stays."""
        stop_evaluation(*self._asked(order))

    def report(self, order: Json) -> Path | None:
        """The file of the report, where there is one."""
        file = evaluation_folder(*self._asked(order)) / "report.html"
        return file if file.is_file() else None

    # --- behind them ---

    def _folder(self, question: Json) -> str | None:
        """The path of the pictures that are named; None for the run's own."""
        name, folders = question.get("data") or "", self._folders()
        if not name:
            return None
        if name not in folders:
            raise choices("folder of pictures", name, folders)
        return str(folders[name])

    def _asked(self, question: Json) -> tuple[Run, str, str]:
        split, checkpoint = text_of(question, "split"), text_of(question, "checkpoint")
        if split not in SPLITS:
            raise choices("split", split, SPLITS)
        if checkpoint not in CHECKPOINTS:
            raise choices("checkpoint", checkpoint, CHECKPOINTS)
        return self._models.run(text_of(question, "run")), split, checkpoint

    def _evaluation(self, run: Run, split: str, checkpoint: str) -> Evaluation:
        from workbench.inference.evaluation_folder import load_evaluation

        if not is_evaluated(run, split, checkpoint):
            raise UserError(f"{run.name} is not evaluated on {split} yet.")
        folder = evaluation_folder(run, split, checkpoint)
        key = (folder, summary_file(run, split, checkpoint).stat().st_mtime_ns)
        with self._reading:
            return self._evaluations.get(key, lambda: load_evaluation(folder))

    def _gallery(self, run: Run, split: str, checkpoint: str, data: str | None) -> Gallery:
        from workbench.runs.evaluation import open_gallery

        key = (run.folder, split, checkpoint, data, run.best_model.stat().st_mtime_ns, run.last_step)

        def prepared(done: int, total: int) -> None:
            loading = "Loading the model that draws the errors."
            self._opening = loading if done == total else f"Preparing the pictures: {done:,} of {total:,}."

        def opened() -> Gallery:
            self._opening = "Looking at the pictures."
            try:
                return open_gallery(run, split, checkpoint, data, "auto", prepared)[0]
            finally:
                self._opening = ""

        return self._galleries.get(key, opened)


def _share(question: Json, name: str, otherwise: float) -> float:
    value = question.get(name, otherwise)
    if not isinstance(value, int | float):
        raise UserError(f"{name} must be a number from 0 to 1, not {str(value)[:40]!r}.")
    return float(value)

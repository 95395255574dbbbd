"""Answers to what a viewer of several runs asks, with questions and answers as JSON; knows no page.

Whatever a question names is looked up in a list. Only what reads evaluations imports torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import UserError, choices
from workbench.runs import live
from workbench.runs.evaluated import SPLITS
from workbench.runs.exploring.models import Models
from workbench.runs.exploring.questions import number_of, text_of
from workbench.runs.preview_pictures import answer_maps, answer_previews

Json = dict[str, Any]

MOST_RUNS = 12
"""At once."""


class Comparing:
    """Each of `answers` takes a question and gives its answer, or raises a UserError."""

    def __init__(self, runs: str | Path = "runs") -> None:
        self._models = Models(Path(runs))
        self.answers = (self.compare, self.compared_curves, self.compared_previews, self.compared_maps)

    def compare(self, question: Json) -> Json:
        """Of `runs` on a `split`: scores with intervals, what may be concluded, and the knobs that differ."""
        from workbench.runs.comparison import TOLD, compare_runs, sentences

        names, split = question.get("runs"), text_of(question, "split")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError("Choose at least two runs to compare.")
        if len(names) > MOST_RUNS:
            raise UserError(f"At most {MOST_RUNS} runs are compared at once, not {len(names)}: choose fewer.")
        if split not in SPLITS:
            raise choices("split", split, SPLITS)
        found = compare_runs([self._models.run(name) for name in names], split)
        rows = [row._asdict() | {"scores": {name: list(row.scores[name]) for name in row.scores}} for row in found.rows]
        knobs = {path: {name: str(value) for name, value in values.items()} for path, values in found.knobs.items()}
        return {"rows": rows, "told": list(TOLD), "sentences": sentences(found), "knobs": knobs}

    def compared_curves(self, question: Json) -> Json:
        """The curves of one `run` from a byte `offset` on, with one `score`."""
        run = self._models.run(text_of(question, "run"))
        return live.curves(run, number_of(question, "offset", most=1 << 53), text_of(question, "score"))

    def compared_previews(self, question: Json) -> Json:
        """The pictures that a `run` looks at after each epoch, and the epochs; of nothing new only the `mark`."""
        return answer_previews(self._models.run(text_of(question, "run")), str(question.get("mark", "")))

    def compared_maps(self, question: Json) -> list[Json]:
        """What the model of a `run` makes of each of them in an `epoch`; with a `gate` its attention too."""
        run, epoch = self._models.run(text_of(question, "run")), number_of(question, "epoch", most=1 << 31)
        if epoch not in run.previews.epochs:
            raise UserError(f"{run.name} has no previews of epoch {epoch}: choose another one.")
        return answer_maps(run, epoch, question.get("gate") or None)

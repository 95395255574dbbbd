"""Answers to what a viewer of predictions asks, with questions and answers as JSON; knows no page.

Whatever a question names is looked up in a list: no path that came from a browser is opened. Only what needs a model
imports torch.
"""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import UserError
from workbench.runs.exploring.kept import Kept
from workbench.runs.exploring.models import Models
from workbench.runs.exploring.pictures import Chosen, Pictures, drawn_names
from workbench.runs.exploring.questions import number_of, text_of, threshold_of
from workbench.runs.exploring.turns import Turns
from workbench.runs.exploring.uploads import LIMITS, Uploads, named_by_user, safe_name
from workbench.runs.files import full_disk_told

if TYPE_CHECKING:
    from workbench.inference.prediction import Prediction
    from workbench.runs.exploring.results import Result

MOST_RESULTS, MOST_BYTES = 6, 1 << 30
"""Kept for what is asked of them next."""
PIECE = 3 << 20
"""Bytes in which pictures are sent."""

Json = dict[str, Any]


class Explorer:
    """Each of `answers` takes a question and gives its answer, or raises a UserError; predictions take turns."""

    def __init__(self, runs: str | Path = "runs") -> None:
        self.models = Models(Path(runs))
        self.pictures = Pictures(self.models, Uploads())
        self.turns = Turns()
        self._results: Kept[Result] = Kept(MOST_RESULTS, MOST_BYTES, lambda result: result.bytes)
        self.answers = (
            *(self.list_models, self.list_pictures, self.send_picture, self.progress),
            *(self.predict, self.explain, self.change_gate, self.take_away),
        )

    # --- what there is ---

    def list_models(self, question: Json) -> Json:
        """The runs with their checkpoints."""
        return {"runs": self.models.listed()}

    def list_pictures(self, question: Json) -> Json:
        """The validation pictures of a `run`, and the drawn ones."""
        names, told = self.pictures.listed(self.models.run(text_of(question, "run")))
        return {"validation": names, "drawn": drawn_names(), "told": told}

    def send_picture(self, question: Json) -> Json:
        """A file in pieces: first its `name` and `size`, then `key` and `data`; when it is whole, what it is."""
        uploads = self.pictures.uploads
        if "key" not in question:
            name = safe_name(text_of(question, "name"))
            return {"key": uploads.begin(name, number_of(question, "size", most=1 << 60)), "piece": PIECE}
        key = text_of(question, "key")
        if not uploads.append(key, text_of(question, "data")):
            return {"key": key}
        facts = uploads.facts(key)
        return {
            "key": key,
            "name": uploads.path(key).name,
            "width": facts.width,
            "height": facts.height,
            "slices": facts.slices,
            "format": facts.format,
        }

    def progress(self, question: Json) -> Json:
        """How many tiles of the prediction at work are done, and how many predictions wait."""
        return {"done": self.turns.done, "total": self.turns.total, "waiting": self.turns.waiting}

    # --- what is asked of a model and a picture: `run`, `checkpoint`, and a `picture`: source, key, slice or run ---
    # A page that tells its `page` and counts its questions by `number` takes back those that still wait.

    def predict(self, question: Json) -> Json:
        """Picture, masks, probabilities and maps."""
        from workbench.runs.exploring.results import told

        with self._result(question) as result:
            return told(result)

    def explain(self, question: Json) -> Json:
        """What speaks for the class at a pixel (`row`, `column`), or for the class `target` wherever it is seen."""
        from workbench.runs.exploring.results import explain_class, explain_pixel

        with self._result(question) as result:
            if "row" not in question:
                return explain_class(result, text_of(question, "target"))
            height, width = result.prediction.size
            row, column = number_of(question, "row", height - 1), number_of(question, "column", width - 1)
            return explain_pixel(result, row, column)

    def change_gate(self, question: Json) -> Json:
        """What becomes of the mask with a `gate` under a `change` (opened, shuffled), at a `threshold`."""
        from workbench.runs.exploring.results import change_gate

        with self._result(question) as result:
            gate, change = text_of(question, "gate"), text_of(question, "change")
            return change_gate(result, gate, change, threshold_of(question))

    def take_away(self, question: Json) -> Json:
        """A file made of the prediction at a `threshold`, in one `format` of TAKEN; several files come as a ZIP."""
        from workbench.runs.exploring.results import at_threshold, one_file

        with self._result(question) as result:
            prediction = at_threshold(result.prediction, threshold_of(question))
        with full_disk_told(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            path = one_file(prediction, text_of(question, "format"), Path(folder))
            return {"name": path.name, "data": base64.b64encode(path.read_bytes()).decode()}

    # --- for those who have a file of their own ---

    def prediction(self, run: str, checkpoint: str, path: Path, index: int = 0, threshold: float = 0.5) -> Prediction:
        """Within the limits of uploads."""
        from workbench.data.reading import read_facts
        from workbench.runs.exploring.results import at_threshold

        threshold = threshold_of({"threshold": threshold})
        with self.turns.take(), named_by_user(path):
            loaded = self.models.load(run, checkpoint)
            read_facts(path, index=index, limits=LIMITS)
            return at_threshold(loaded.predictor(path, index=index, progress=self.turns.tell), threshold)

    # --- behind them ---

    @contextmanager
    def _result(self, question: Json) -> Iterator[Result]:
        page = str(question.get("page", ""))[:40]
        with self.turns.take(page, number_of(question, "number", most=1 << 53) if page else 0):
            loaded = self.models.load(text_of(question, "run"), text_of(question, "checkpoint"))
            chosen = _chosen(question)

            def predict() -> Result:
                from workbench.runs.exploring.results import Result

                start = time.perf_counter()
                shown = self.pictures.find(chosen)
                if shown.path is not None:
                    with named_by_user(shown.path):
                        prediction = loaded.predictor(shown.path, index=chosen.place, progress=self.turns.tell)
                else:
                    assert shown.picture is not None
                    array, facts = shown.picture
                    prediction = loaded.predictor(array, progress=self.turns.tell)
                    prediction = replace(prediction, name=shown.name, facts=facts)
                return Result(loaded, prediction, shown.truth, time.perf_counter() - start)

            yield self._results.get((loaded.key, chosen), predict)


def _chosen(question: Json) -> Chosen:
    picture = question.get("picture")
    if not isinstance(picture, dict):
        raise UserError("No picture is chosen yet.")
    place = number_of(picture, "slice", most=1 << 31) if "slice" in picture else 0
    source = text_of(picture, "source")
    return Chosen(source, text_of(picture, "key"), place, text_of(picture, "run") if source == "validation" else "")

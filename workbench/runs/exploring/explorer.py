"""Answers to what a viewer of predictions asks, with questions and answers as JSON; knows no page and no torch itself.

Whatever a question names is looked up in a list: no path that came from a browser is opened.
"""

from __future__ import annotations

import base64
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import UserError, choices
from workbench.runs.exploring.kept import Kept
from workbench.runs.exploring.models import Loaded, Models
from workbench.runs.exploring.pictures import Chosen, Pictures, drawn_names
from workbench.runs.exploring.questions import number_of, text_of, threshold_of
from workbench.runs.exploring.uploads import LIMITS, Uploads, named_by_user, safe_name

if TYPE_CHECKING:
    import numpy as np

    from workbench.inference.prediction import Prediction

MOST_WAITING = 8
MOST_PREDICTIONS, MOST_BYTES = 6, 1 << 30
"""Kept for what is asked of them next."""
PIECE = 3 << 20
"""Bytes in which pictures are sent."""
TAKEN = ("label", "overlay", "geojson", "csv", "probability", "attention")
"""What can be taken away, by the names of `inference.writers`."""

Json = dict[str, Any]


class Result:
    """A prediction with the true mask of its picture, and the seconds it took."""

    def __init__(self, prediction: Prediction, truth: np.ndarray | None, seconds: float) -> None:
        self.prediction, self.truth, self.seconds = prediction, truth, seconds

    @property
    def bytes(self) -> int:
        """About what it takes in memory."""
        return self.prediction.picture.nbytes + self.prediction.probabilities.nbytes + self.prediction.labels.nbytes


class Explorer:
    """The public methods without an underscore are the questions; predictions wait for each other."""

    def __init__(self, runs: str | Path = "runs") -> None:
        self.models = Models(Path(runs))
        self.pictures = Pictures(self.models, Uploads())
        self._results: Kept[Result] = Kept(MOST_PREDICTIONS, MOST_BYTES, lambda result: result.bytes)
        self._turn, self._waiting, self._progress = threading.Lock(), 0, (0, 0)

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
        done, total = self._progress
        return {"done": done, "total": total, "waiting": max(self._waiting - 1, 0)}

    # --- what is asked of a model and a picture: `run`, `checkpoint`, and a `picture`: source, key, slice or run ---

    def predict(self, question: Json) -> Json:
        """Picture, masks, probabilities and maps."""
        from workbench.inference.exploration import explored

        with self._taking_turns():
            loaded, result = self._result(question)
            return {
                **explored(result.prediction, result.truth),
                "scores": _scores(result),
                "seconds": result.seconds,
                "model": f"{text_of(question, 'run')} {text_of(question, 'checkpoint')} ({loaded.about})",
                "backend": loaded.predictor.facts.name,
                "threshold": loaded.predictor.filters.threshold,
            }

    def explain(self, question: Json) -> Json:
        """The attribution of a pixel (`row`, `column`) with what is known of it, or of all that is `target`."""
        from workbench.inference.attribution import attribute
        from workbench.inference.exploration import pixel_facts, ranged_plane, shown_size

        with self._taking_turns():
            loaded, result = self._result(question)
            prediction = result.prediction
            facts: Json = {}
            region = None
            if "row" in question:
                height, width = prediction.size
                region = (number_of(question, "row", height - 1), number_of(question, "column", width - 1))
                facts = pixel_facts(prediction, *region)
            target = text_of(question, "target") if question.get("target") else None
            with _looked_at_whole(loaded, prediction):
                found = attribute(loaded.model, prediction.picture, region=region, target=target)
            return {
                **facts,
                "target": found.target,
                "layer": found.layer,
                "map": {
                    "key": "cam",
                    "name": f"Grad-CAM of {found.target}",
                    "about": f"Seg-Grad-CAM at {found.layer}, divided by its largest value; no unit, only an order",
                    **ranged_plane(found.normalised, shown_size(prediction)),
                },
            }

    def change_gate(self, question: Json) -> Json:
        """What becomes of the mask with a `gate` under a `change` (opened, shuffled), at a `threshold`."""
        from workbench.inference.exploration import changes, exact_plane, shown_size
        from workbench.inference.gate_effects import gate_effects

        with self._taking_turns():
            loaded, result = self._result(question)
            prediction, threshold = result.prediction, threshold_of(question)
            gate, change = text_of(question, "gate"), text_of(question, "change")
            with _looked_at_whole(loaded, prediction):
                (effect,) = gate_effects(
                    loaded.model,
                    prediction.picture,
                    truth=_fitting(result),
                    gates=[gate],
                    changes=[change],
                    threshold=threshold,
                )
            before = _at(prediction, threshold).labels
            height, width = prediction.size
            return {
                "kinds": exact_plane(changes(before, effect.labels, prediction.task), shown_size(prediction)),
                "pixels": effect.pixels,
                "share": effect.pixels / (height * width),
                "probability_change": effect.probability_change,
                "dice_between": effect.dice_between,
                "score": effect.score,
                "score_change": effect.score_change,
            }

    def take_away(self, question: Json) -> Json:
        """A file made of the prediction at a `threshold`, in one `format` of TAKEN; several files come as a ZIP."""
        name = text_of(question, "format")
        if name not in TAKEN:
            raise choices("format to take away", name, TAKEN)
        with self._taking_turns():
            _, result = self._result(question)
            prediction = _at(result.prediction, threshold_of(question))
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
            path = one_file(prediction, name, Path(folder))
            return {"name": path.name, "data": base64.b64encode(path.read_bytes()).decode()}

    # --- behind them ---

    def prediction(self, run: str, checkpoint: str, path: Path, index: int = 0, threshold: float = 0.5) -> Prediction:
        """Of a file of the caller's own; within the limits of uploads."""
        from workbench.data.reading import read_facts

        threshold = threshold_of({"threshold": threshold})
        with self._taking_turns(), named_by_user(path):
            loaded = self.models.load(run, checkpoint)
            read_facts(path, index=index, limits=LIMITS)
            return _at(loaded.predictor(path, index=index, progress=self._tell), threshold)

    def summary(self, prediction: Prediction) -> Json:
        """Objects, areas and sizes of every class, and what was done that a user should know."""
        from workbench.inference.measure import measure_objects, summarise

        rows = summarise(prediction, measure_objects(prediction))
        return {"name": prediction.name, "classes": [row._asdict() for row in rows], "notes": [*prediction.notes]}

    def files(self, prediction: Prediction, folder: Path) -> list[Path]:
        """Label and overlay, written into a folder."""
        return [one_file(prediction, name, folder) for name in ("label", "overlay")]

    def _result(self, question: Json) -> tuple[Loaded, Result]:
        loaded = self.models.load(text_of(question, "run"), text_of(question, "checkpoint"))
        chosen = _chosen(question)
        return loaded, self._results.get((loaded.key, chosen), lambda: self._predict(loaded, chosen))

    def _predict(self, loaded: Loaded, chosen: Chosen) -> Result:
        shown = self.pictures.find(chosen)
        start = time.perf_counter()
        if shown.path is not None:
            with named_by_user(shown.path):
                prediction = loaded.predictor(shown.path, index=chosen.place, progress=self._tell)
        else:
            assert shown.picture is not None
            array, facts = shown.picture
            prediction = replace(loaded.predictor(array, progress=self._tell), name=shown.name, facts=facts)
        return Result(prediction, shown.truth, time.perf_counter() - start)

    def _tell(self, done: int, total: int) -> None:
        self._progress = (done, total)

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        """One after another, and a sentence instead of an endless queue."""
        if self._waiting >= MOST_WAITING:
            raise UserError(f"{MOST_WAITING} predictions are waiting already: try again in a moment.")
        self._waiting += 1
        try:
            with self._turn:
                self._progress = (0, 0)
                yield
        finally:
            self._waiting -= 1


def _chosen(question: Json) -> Chosen:
    picture = question.get("picture")
    if not isinstance(picture, dict):
        raise UserError("No picture is chosen yet.")
    place = number_of(picture, "slice", most=1 << 31) if "slice" in picture else 0
    source = text_of(picture, "source")
    return Chosen(source, text_of(picture, "key"), place, text_of(picture, "run") if source == "validation" else "")


def one_file(prediction: Prediction, name: str, folder: Path) -> Path:
    """What a writer makes of one prediction, packed if it makes several files."""
    from workbench.inference.writers import FORMATS

    base = folder / (safe_name(prediction.name).removesuffix(prediction.slice_ending) or "picture")
    writer = FORMATS[name].open(folder)
    files = [*writer.add(prediction, base), *writer.finish()]
    if len(files) == 1:
        return files[0]
    packed = folder / f"{base.name}_{name}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return packed


def _at(prediction: Prediction, threshold: float) -> Prediction:
    """The same with the labels of another threshold."""
    import torch

    labels = prediction.task.labels_of(torch.from_numpy(prediction.probabilities[None]), threshold)[0].numpy()
    return replace(prediction, labels=labels)


def _fitting(result: Result) -> np.ndarray | None:
    """The true mask, where it is one of this model's task."""
    truth, labels = result.truth, result.prediction.labels
    if truth is None or truth.shape != labels.shape:
        return None
    known = truth[truth != 255]
    classes = 2 if result.prediction.task.mode == "multilabel" else len(result.prediction.task.classes)
    return truth if not known.size or known.max() < classes else None


def _scores(result: Result) -> Json | None:
    """Dice against the true mask; None where there is none or it says nothing."""
    import torch

    from workbench.metrics import Tally

    truth = _fitting(result)
    if truth is None:
        return None
    tally = Tally(result.prediction.task)
    tally.add(torch.from_numpy(result.prediction.labels)[None], torch.from_numpy(truth)[None])
    scores = tally.scores()
    return {name: scores[name] for name in ("dice", "jaccard") if scores.get(name) is not None}


@contextmanager
def _looked_at_whole(loaded: Loaded, prediction: Prediction) -> Iterator[None]:
    """Refuse what would not fit into memory in one pass."""
    import torch

    from workbench.data.geometry import fit_picture
    from workbench.inference.calculation import WHOLE_PIXELS

    height, width = fit_picture(prediction.size, loaded.predictor.facts.preprocessing).frame
    too_large = "is too large for the model to be looked into with all of it at once: cut a part out"
    if height * width > WHOLE_PIXELS:
        raise UserError(f"{prediction.name} ({width}x{height} pixels) {too_large}.")
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(f"{prediction.name} {too_large}, or let other work on the device end.") from error

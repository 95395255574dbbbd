"""A run's best model on one of its splits: counted, pictured and written into the run's folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml

from workbench.config import RunConfig
from workbench.data.dataset import PreparedDataset, evaluation_dataset
from workbench.data.full_size import FullSize
from workbench.data.geometry import take_back
from workbench.data.prepared import Prepared
from workbench.data.reading import to_display
from workbench.errors import UserError
from workbench.inference.backend import find_device
from workbench.inference.evaluation import Evaluation, Predict, evaluate, model_probabilities, names_of
from workbench.inference.evaluation_folder import save_evaluation
from workbench.inference.report import Case, report
from workbench.inference.scores import picture_rows
from workbench.models import ModelOutput, SegmentationModel, load_model
from workbench.overlays import attention_overlay, error_overlay, mask_overlay
from workbench.page import Line
from workbench.plots import loss_and_score_curves
from workbench.runs.preparing import prepare_for
from workbench.runs.run import Run

CASES = 8
"""So many of the worst pictures are shown, and half as many of the best."""
SIDE = 512
"""Pictures of a report are at most so high and wide."""

Progress = Callable[[int, int], None]


def evaluation_folder(run: Run, split: str) -> Path:
    """Where the evaluation of a split lies."""
    return run.folder / "evaluation" / split


def evaluate_run(
    run: Run,
    split: str = "test",
    *,
    data: str | None = None,
    threshold: float = 0.5,
    batch: int | None = None,
    device: str = "auto",
    gather: Callable[[Evaluation], Sequence[Evaluation]] | None = None,
    share: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> Evaluation | None:
    """Evaluate the best model, write `evaluation/SPLIT`, and give what was counted.

    `data` is where the pictures lie now, if they have moved. With several processes each takes its `share`, `gather`
    brings their parts together, and only the first writes; the others get None.
    """
    if not run.best_model.is_file():
        raise UserError(f"{run.name} has no best model yet: let it finish a validation first.")
    config = run.config
    if data is not None:
        config = config.model_copy(update={"data": config.data.model_copy(update={"path": data})})
    prepared = prepare_for(config.data, run.folder.parent, progress or _quietly)
    dataset = evaluation_dataset(prepared, config.data, split)
    model = load_model(run.best_model)
    predict = model_probabilities(model, prepared.task, find_device(device))
    size = batch or (config.training.batch if isinstance(config.training.batch, int) else 8)
    full_size = FullSize(prepared)
    part = evaluate(predict, dataset, full_size, batch=size, threshold=threshold, share=share, progress=progress)
    if gather is not None:
        parts = gather(part)
        if share[0]:
            return None
        part = Evaluation.join(parts, names_of(dataset))
    page = _page(run, config, part, Gallery(predict, model, dataset, full_size, threshold))
    save_evaluation(part, evaluation_folder(run, split), page)
    return part


def _quietly(done: int, total: int) -> None:
    """Preparing tells nobody."""


def _page(run: Run, config: RunConfig, evaluation: Evaluation, gallery: Gallery) -> str:
    rows = [row for row in picture_rows(evaluation) if row["dice"] is not None]
    worst = [(row["picture"], row["dice"]) for row in rows[:CASES]]
    best = [(row["picture"], row["dice"]) for row in reversed(rows[CASES:][-CASES // 2 :])]
    starts = run.environment()
    return report(
        evaluation,
        f"{run.name} on {evaluation.split}",
        worst=gallery.cases(worst),
        best=gallery.cases(best),
        attention=gallery.attention([name for name, _ in worst[: CASES // 2]]),
        curves=_curves(run),
        details={
            "Configuration": yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
            "Environment": yaml.safe_dump(starts[-1] if starts else {}, sort_keys=False, allow_unicode=True),
        },
    )


def _curves(run: Run) -> dict[str, list[Line]]:
    panels: dict[str, list[Line]] = {}
    for curve in loss_and_score_curves(run.records()):
        panels.setdefault(curve.panel.lower(), []).append(Line(curve.name, curve.steps, curve.values))
    return panels


class Gallery:
    """Pictures of a split with what the model makes of them, at their own size but no larger than SIDE."""

    def __init__(
        self,
        predict: Predict,
        model: SegmentationModel,
        dataset: PreparedDataset,
        full_size: FullSize,
        threshold: float,
    ) -> None:
        self.predict = predict
        self.model = model
        self.dataset = dataset
        self.full_size = full_size
        self.threshold = threshold
        self.place = {name: index for index, name in enumerate(names_of(dataset))}

    @property
    def prepared(self) -> Prepared:
        """The data set that the split is of."""
        return self.dataset.prepared

    def cases(self, chosen: Sequence[tuple[str, float]]) -> Iterator[Case]:
        """Picture and errors; for more than one class picture, truth and prediction."""
        task = self.prepared.task
        for name, dice in chosen:
            picture, mask = self._picture(name), self._mask(name)
            labels = self._labels(name)
            if task.mode == "binary":
                shown = [picture, error_overlay(picture, labels, mask)]
                what = "blue found, vermilion found but not there, yellow missed"
            else:
                shown = [picture, *(mask_overlay(picture, classes, task) for classes in (mask, labels))]
                what = "picture, truth, prediction"
            yield Case(f"{name}: Dice {dice:.4f} ({what})", [_small(each) for each in shown])

    def attention(self, names: Sequence[str]) -> Iterator[Case]:
        """Every gate's map on its scale from 0 to 1; nothing for models without gates."""
        for name in names:
            maps = self._output(name).attention
            if not maps:
                return
            fit = self.prepared.fit(self.dataset.numbers[self.place[name]])
            picture = self._picture(name)
            shown = []
            for values in maps.values():
                at_input = cv2.resize(values[0, 0].float().cpu().numpy(), fit.frame[::-1])
                shown.append(_small(attention_overlay(picture, take_back(at_input, fit)).rgb))
            yield Case(f"{name}: gates {', '.join(maps)}, dark 0 to light 1", shown)

    def _picture(self, name: str) -> np.ndarray:
        return to_display(*self.full_size.picture(self.dataset.numbers[self.place[name]]))

    def _mask(self, name: str) -> np.ndarray:
        return self.full_size.mask(self.dataset.numbers[self.place[name]])

    def _labels(self, name: str) -> np.ndarray:
        index = self.place[name]
        fit = self.prepared.fit(self.dataset.numbers[index])
        probabilities = take_back(self.predict(self.dataset[index].image[None])[0].numpy(), fit)
        return self.prepared.task.labels_of(torch.from_numpy(probabilities)[None], self.threshold)[0].numpy()

    def _output(self, name: str) -> ModelOutput:
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            return self.model(self.dataset[self.place[name]].image[None].to(device))


def _small(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return picture
    return cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)

"""Pictures of a split with what a model makes of them: errors in colours, truth beside prediction, attention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch

from workbench.data.dataset import PreparedDataset
from workbench.data.full_size import FullSize
from workbench.data.geometry import take_back
from workbench.data.prepared import Prepared
from workbench.data.reading import to_display
from workbench.errors import choices
from workbench.inference.evaluation import Predict, names_of
from workbench.inference.report import Case
from workbench.models import ModelOutput, SegmentationModel
from workbench.overlays import attention_overlay, error_overlay, mask_overlay
from workbench.task import IGNORE, Task

SIDE = 512
"""Pictures are at most so high and wide."""

ERRORS = "blue found, vermilion found but not there, yellow missed"


class Titled(NamedTuple):
    """A picture RGB [h, w, 3] with what it shows."""

    title: str
    rgb: np.ndarray


class Gallery:
    """Pictures by their names, at their own size but no larger than SIDE."""

    def __init__(
        self, predict: Predict, model: SegmentationModel, dataset: PreparedDataset, full_size: FullSize
    ) -> None:
        self.predict = predict
        self.model = model
        self.dataset = dataset
        self.full_size = full_size
        self.place = {name: index for index, name in enumerate(names_of(dataset))}

    @property
    def prepared(self) -> Prepared:
        """The data set that the split is of."""
        return self.dataset.prepared

    def cases(self, chosen: Sequence[tuple[str, float]], threshold: float) -> Iterator[Case]:
        """Picture and errors; for more than one class picture, truth and prediction."""
        for name, dice in chosen:
            shown = self.errors(name, threshold)
            what = f"picture; {ERRORS}" if len(shown) == 2 else ", ".join(each.title for each in shown)
            yield Case(f"{name}: Dice {dice:.4f} ({what})", [each.rgb for each in shown])

    def errors(self, name: str, threshold: float, of: str | None = None) -> list[Titled]:
        """The picture and where it goes wrong: the errors of a class, or without one truth and prediction of all."""
        task = self.prepared.task
        if of is not None and of not in task.scored:
            raise choices("class", of, task.scored)
        picture, truth, labels = self._picture(name), self._mask(name), self._labels(name, threshold)
        shown = [Titled("picture", picture)]
        if of is None and len(task.scored) > 1:
            shown += [Titled("truth", mask_overlay(picture, truth, task))]
            shown += [Titled("prediction", mask_overlay(picture, labels, task))]
        else:
            planes = (_plane(mask, task, of or task.scored[0]) for mask in (labels, truth))
            shown += [Titled("errors", error_overlay(picture, *planes))]
        return [each._replace(rgb=_small(each.rgb)) for each in shown]

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
        return to_display(*self.full_size.picture(self._number(name)))

    def _mask(self, name: str) -> np.ndarray:
        return self.full_size.mask(self._number(name))

    def _labels(self, name: str, threshold: float) -> np.ndarray:
        fit = self.prepared.fit(self._number(name))
        probabilities = take_back(self.predict(self.dataset[self.place[name]].image[None])[0].numpy(), fit)
        return self.prepared.task.labels_of(torch.from_numpy(probabilities)[None], threshold)[0].numpy()

    def _output(self, name: str) -> ModelOutput:
        device = next(self.model.parameters()).device
        with torch.inference_mode():
            return self.model(self.dataset[self.place[name]].image[None].to(device))

    def _number(self, name: str) -> int:
        if name not in self.place:
            raise choices("picture", name, self.place)
        return self.dataset.numbers[self.place[name]]


def _plane(mask: np.ndarray, task: Task, name: str) -> np.ndarray:
    """0 and 1 of one class, with 255 where nothing counts."""
    if task.mode == "multilabel":
        return mask[task.classes.index(name)]
    return np.where(mask == IGNORE, IGNORE, mask == task.classes.index(name)).astype(np.uint8)


def _small(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return picture
    return cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)

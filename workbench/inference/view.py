"""One picture as a model sees it, and the model's maps back on the picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from workbench.config import Preprocessing
from workbench.data.geometry import Fit, Size
from workbench.data.normalise import picture_to_input
from workbench.inference.maps import on_picture, shown_cells
from workbench.models import SegmentationModel
from workbench.models.base import pad
from workbench.task import IGNORE, Task


class View(NamedTuple):
    """A picture in its frame, padded so that the model pads no more and every map covers the whole image."""

    image: Tensor
    """[1, channels, h, w] on the model's device, in the model's numbers."""
    fit: Fit

    def cells(self, maps: Tensor) -> np.ndarray:
        """Maps [..., h', w'] of any resolution, cut to the cells that show the picture."""
        return shown_cells(_array(maps), self._padded, self.fit)

    def on_picture(self, maps: Tensor) -> np.ndarray:
        """Maps [..., h', w'] of any resolution at the picture's own size."""
        return on_picture(_array(maps), self._padded, self.fit)

    @property
    def _padded(self) -> Size:
        return self.image.shape[-2], self.image.shape[-1]


def _array(maps: Tensor) -> np.ndarray:
    return maps.detach().float().cpu().numpy()


def view(model: SegmentationModel, picture: np.ndarray, preprocessing: Preprocessing) -> View:
    """A picture [h, w] or [h, w, channels] as read, of any size."""
    picture = picture if picture.ndim == 3 else picture[..., None]
    image, fit = picture_to_input(picture, preprocessing)
    weight = next(model.parameters())
    return View(pad(image[None].to(weight), model.size_multiple, model.smallest_size), fit)


def class_masks(labels: np.ndarray, task: Task) -> dict[str, np.ndarray]:
    """Of every class the pixels that a label mask ([h, w], or [classes, h, w] for multilabel) gives it."""
    if task.mode == "multilabel":
        return {name: plane == 1 for name, plane in zip(task.classes, labels, strict=True)}
    return {name: labels == index for index, name in enumerate(task.classes)}


def counted(labels: np.ndarray, task: Task) -> np.ndarray:
    """The pixels [h, w] that are not to be ignored in every class."""
    ignored = labels == IGNORE
    return ~(ignored.all(0) if task.mode == "multilabel" else ignored)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for the length of a block; afterwards every module is in the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training

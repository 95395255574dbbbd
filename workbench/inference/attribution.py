"""Which parts of a picture made a model give a region its class: Seg-Grad-CAM and Grad-CAM++ of any network.

Seg-Grad-CAM (Vinogradova et al. 2020) weighs the channels of a layer by how much the summed logit of a region rises
with them; Grad-CAM++ (Chattopadhyay et al. 2018) by the rises alone, each place counted by its share in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from workbench.config import Preprocessing
from workbench.data.geometry import put_picture
from workbench.errors import UserError, choices
from workbench.inference.backend import said_by_card
from workbench.inference.layers import default_layer, feature_map, find_layer, with_feature_map
from workbench.inference.view import View, class_masks, evaluating, view
from workbench.models import SegmentationModel
from workbench.task import Task

Region = np.ndarray | Sequence[int] | None
"""None: all that the model predicts as the target; (row, column): a pixel; (top, left, height, width): a box; or a
mask [h, w] whose true pixels count. Everything in the picture's own pixels."""


def seg_grad_cam(features: Tensor, gradients: Tensor) -> Tensor:
    """[channels, h, w] features of a layer and gradients of the region's logit to a weight a channel."""
    return gradients.mean((1, 2))


def grad_cam_plus_plus(features: Tensor, gradients: Tensor) -> Tensor:
    squares = gradients.square()
    below = 2 * squares + features.sum((1, 2), keepdim=True) * squares * gradients
    shares = torch.where(below != 0, squares / below, 0.0)
    return (shares * gradients.relu()).sum((1, 2))


METHODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "seg_grad_cam": seg_grad_cam,
    "grad_cam_plus_plus": grad_cam_plus_plus,
}


class Attribution(NamedTuple):
    """How much each place spoke for the target in the region; the numbers have no unit, only an order."""

    map: np.ndarray
    """float32 [h, w] at the picture's size, 0 and above."""
    raw: np.ndarray
    """At the layer's own resolution, before what speaks against the target is set to 0."""
    target: str
    method: str
    layer: str
    pixels: float
    """How many pixels of the model's input the region covers."""

    @property
    def low(self) -> float:
        return float(self.raw.min())

    @property
    def high(self) -> float:
        return float(self.raw.max())

    @property
    def normalised(self) -> np.ndarray:
        """The map divided by its largest value: good to look at, and no longer comparable with another picture's."""
        return self.map / (self.map.max() or 1.0)


def attribute(
    model: SegmentationModel,
    picture: np.ndarray,
    *,
    target: str | None = None,
    region: Region = None,
    method: str = "seg_grad_cam",
    layer: str | None = None,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
    threshold: float = 0.5,
) -> Attribution:
    """Explain one picture [h, w, channels] as read.

    `target` is a class name, by default the one that the model predicts most in the region, or in the picture, and the
    background last. The layer is the one with the deepest features unless named. The model's mode, gradients and hooks
    are afterwards as they were.
    """
    if method not in METHODS:
        raise choices("attribution method", method, METHODS)
    task, preprocessing = said_by_card(model, task, preprocessing)
    if target is not None and target not in task.classes:
        raise choices("class", target, task.classes)
    with evaluating(model), torch.inference_mode(False), torch.enable_grad():
        seen = view(model, picture, preprocessing)
        layer = default_layer(model, seen.image) if layer is None else layer
        logits, features = _logits_and_features(model, seen.image, find_layer(model, layer), layer)
        masks = class_masks(_framed_labels(seen, task, logits, threshold), task)
        target, weights = _target_and_weights(target, region, _in_frame(region, seen, picture.shape[:2]), masks, task)
        total = (_logit(logits, task, target) * _as_weights(weights, logits)).sum()
        (gradients,) = torch.autograd.grad(total, features, allow_unused=True)
    if gradients is None:
        raise UserError(f"The prediction does not depend on what the layer {layer} gives; name another one.")
    gradients, features = gradients[0].float(), features.detach()[0].float()
    raw = (METHODS[method](features, gradients)[:, None, None] * features).sum(0)
    map_ = np.maximum(seen.on_picture(raw.relu()), 0)
    return Attribution(map_, seen.cells(raw), target, method, layer, float(weights.sum()))


def _logits_and_features(
    model: SegmentationModel, image: Tensor, module: nn.Module, name: str
) -> tuple[Tensor, Tensor]:
    """One pass, cut off before the layer's features, so that gradients end there and reach no weight before."""
    kept: list[Tensor] = []

    def cut(module: nn.Module, inputs: Any, result: Any) -> Any:
        map_ = feature_map(result)
        if map_ is None:
            raise UserError(f"The layer {name} gives no maps [N, channels, h, w]; name another one.")
        kept[:] = [map_.detach().clone().requires_grad_()]
        return with_feature_map(result, map_, kept[0].clone())  # a clone, since what follows may work in place

    with module.register_forward_hook(cut):
        logits = model(image).logits
    if not kept:
        raise UserError(f"The layer {name} takes no part in a prediction; name another one.")
    return logits.float(), kept[0]


def _logit(logits: Tensor, task: Task, target: str) -> Tensor:
    """[h, w] of the target; the background of a binary task is what speaks against its one logit."""
    if task.mode == "binary":
        return logits[0, 0] if target == task.classes[1] else -logits[0, 0]
    return logits[0, task.classes.index(target)]


def _in_frame(region: Region, seen: View, size: tuple[int, int]) -> np.ndarray:
    """[h, w] of the frame: how much of each pixel belongs to the region, or to the picture at all."""
    mask = np.ones(size, bool) if region is None else region_mask(region, size)
    return put_picture(mask[..., None].astype(np.float32), seen.fit)[..., 0]


def _target_and_weights(
    target: str | None, region: Region, inside: np.ndarray, masks: dict[str, np.ndarray], task: Task
) -> tuple[str, np.ndarray]:
    """The class to explain, and how much each pixel of the frame counts."""
    target = target or _most_predicted(masks, inside, task)
    weights = inside * masks[target] if region is None else inside
    if weights.any():
        return target, weights
    if region is None:
        raise UserError(f"The model predicts no pixel of {target} here: choose a region, or another class.")
    raise UserError("The region holds no pixel of the picture as the model sees it: choose a larger one.")


def _most_predicted(masks: dict[str, np.ndarray], inside: np.ndarray, task: Task) -> str:
    """The class of most pixels there, the background only where there is no other."""
    found = [float((masks[name] * inside).sum()) for name in task.classes]
    best = max(range(len(found)), key=lambda index: (found[index] > 0, index in task.foreground, found[index]))
    return task.classes[best]


def _framed_labels(seen: View, task: Task, logits: Tensor, threshold: float) -> np.ndarray:
    height, width = seen.fit.frame
    return task.labels(logits.detach(), threshold)[0, ..., :height, :width].cpu().numpy()


def _as_weights(weights: np.ndarray, logits: Tensor) -> Tensor:
    """[h, w] of the frame to the size of the logits, which have padding below and to the right."""
    height, width = weights.shape
    padded = logits.new_zeros(logits.shape[-2:])
    padded[:height, :width] = torch.from_numpy(weights).to(padded)
    return padded


def region_mask(region: np.ndarray | Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """A region as a mask of the picture [h, w]."""
    if isinstance(region, np.ndarray) and region.ndim == 2:
        if region.shape != size:
            raise UserError(f"The region's mask is {list(region.shape)}, but the picture {list(size)}.")
        return region.astype(bool)
    numbers = [int(number) for number in region]
    if len(numbers) not in (2, 4):
        raise UserError("A region is a pixel (row, column), a box (top, left, height, width) or a mask [h, w].")
    top, left, height, width = numbers if len(numbers) == 4 else (*numbers, 1, 1)
    inside = top >= 0 and left >= 0 and height > 0 and width > 0 and top + height <= size[0] and left + width <= size[1]
    if not inside:
        raise UserError(
            f"The region {tuple(numbers)} does not lie in the picture of {size[0]} rows and {size[1]} columns."
        )
    mask = np.zeros(size, bool)
    mask[top : top + height, left : left + width] = True
    return mask

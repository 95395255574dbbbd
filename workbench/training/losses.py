"""Losses by name, added up with weights, over the main and the auxiliary outputs of a model.

Every loss takes float32 logits [N, channels, h, w] and a mask batch as in `Sample`, and gives one number. Pixels to
ignore change nothing and receive no gradient; a picture with nothing else costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from segmentation_models_pytorch import losses as smp
from torch import Tensor

from workbench.config import LossConfig
from workbench.errors import UserError, choices
from workbench.models.output import ModelOutput
from workbench.task import IGNORE, Mode, Task

LossFunction = Callable[[Tensor, Tensor], Tensor]
Options = Mapping[str, float]

BINARY_MODES: tuple[Mode, ...] = ("binary", "multilabel")
ALL_MODES: tuple[Mode, ...] = ("binary", "multiclass", "multilabel")


class LossKind(NamedTuple):
    """How a loss is made, and what it can do."""

    make: Callable[[Task, Tensor | None, Options], LossFunction]
    modes: tuple[Mode, ...]
    weighs_classes: tuple[Mode, ...]
    options: tuple[str, ...]
    description: str


def _bce(task: Task, class_weights: Tensor | None, options: Options) -> LossFunction:
    of_pixels = smp.SoftBCEWithLogitsLoss(reduction="none", ignore_index=None, smooth_factor=options.get("smoothing"))

    def loss(logits: Tensor, mask: Tensor) -> Tensor:
        target, used = _target_and_used(_by_channel(mask, task))
        return _mean(of_pixels(logits, target), used * _pixel_weights(target, class_weights, task))

    return loss


def _cross_entropy(task: Task, class_weights: Tensor | None, options: Options) -> LossFunction:
    of_pixels = smp.SoftCrossEntropyLoss("none", smooth_factor=options.get("smoothing", 0.0), ignore_index=IGNORE)

    def loss(logits: Tensor, mask: Tensor) -> Tensor:
        used = (mask != IGNORE).to(logits.dtype)
        if class_weights is not None:
            used = used * class_weights.to(logits.device)[torch.where(mask == IGNORE, 0, mask).long()]
        return _mean(of_pixels(logits, mask.long())[:, 0], used)

    return loss


def _focal(task: Task, class_weights: Tensor | None, options: Options) -> LossFunction:
    of_channel = smp.FocalLoss("binary", reduction="sum", ignore_index=IGNORE, **options)

    def loss(logits: Tensor, mask: Tensor) -> Tensor:
        targets = _by_channel(mask, task)
        used = (targets != IGNORE).sum((0, 2, 3)).clamp(min=1)
        channels = [of_channel(logits[:, at], targets[:, at]) for at in range(logits.shape[1])]
        return _mean(torch.stack(channels) / used, _channel_weights(class_weights, task, logits))

    return loss


def _overlap(kind: type[smp.DiceLoss] | type[smp.JaccardLoss]) -> Callable[..., LossFunction]:
    def make(task: Task, class_weights: Tensor | None, options: Options) -> LossFunction:
        weights = None if class_weights is None or task.mode == "binary" else class_weights.tolist()
        of_batch = kind(task.mode, ignore_index=IGNORE, class_weights=weights, **options)
        return lambda logits, mask: of_batch(logits, mask.long())

    return make


def _lovasz(task: Task, class_weights: Tensor | None, options: Options) -> LossFunction:
    of_batch = smp.LovaszLoss(task.mode, ignore_index=IGNORE)
    # Without any pixel to look at, smp gives an empty tensor; its sum is a zero that still has a gradient.
    return lambda logits, mask: of_batch(logits, mask.long()).sum()


def _lovasz_per_picture(task: Task, class_weights: Tensor | None, options: Options) -> LossFunction:
    of_batch = _lovasz(task, class_weights, options)

    def loss(logits: Tensor, mask: Tensor) -> Tensor:
        return torch.stack([of_batch(logits[at : at + 1], mask[at : at + 1]) for at in range(len(mask))]).mean()

    return loss


def _bce_dice(task: Task, class_weights: Tensor | None, options: Options) -> LossFunction:
    of_pixels = smp.SoftBCEWithLogitsLoss(reduction="none", ignore_index=None)
    smooth = options.get("smooth", 1e-5)

    def loss(logits: Tensor, mask: Tensor) -> Tensor:
        target, used = _target_and_used(_by_channel(mask, task))
        weights = used * _pixel_weights(target, class_weights, task)
        bce = (of_pixels(logits, target) * weights).flatten(1).sum(1) / _not_zero(weights.flatten(1).sum(1))
        found, target = (logits.sigmoid() * used).flatten(1), target.flatten(1)
        dice = (2 * (found * target).sum(1) + smooth) / (found.sum(1) + target.sum(1) + smooth)
        return (0.5 * bce + 1 - dice).mean()

    return loss


LOSSES: dict[str, LossKind] = {
    "bce": LossKind(_bce, BINARY_MODES, BINARY_MODES, ("smoothing",), "Cross-entropy of each pixel's yes or no."),
    "bce_dice": LossKind(
        _bce_dice,
        BINARY_MODES,
        BINARY_MODES,
        ("smooth",),
        "Of each picture half its binary cross-entropy and 1 - Dice, as in pytorch-nested-unet.",
    ),
    "cross_entropy": LossKind(
        _cross_entropy, ("multiclass",), ("multiclass",), ("smoothing",), "Cross-entropy of each pixel's class."
    ),
    "dice": LossKind(
        _overlap(smp.DiceLoss), ALL_MODES, ("multiclass", "multilabel"), ("smooth",), "1 - Dice over the batch."
    ),
    "focal": LossKind(
        _focal, ALL_MODES, ("multiclass", "multilabel"), ("alpha", "gamma"), "Cross-entropy that dwells on hard pixels."
    ),
    "jaccard": LossKind(
        _overlap(smp.JaccardLoss), ALL_MODES, ("multiclass", "multilabel"), ("smooth",), "1 - Jaccard over the batch."
    ),
    "lovasz": LossKind(_lovasz, ALL_MODES, (), (), "Lovász hinge, or for a multiclass task Lovász softmax."),
    "lovasz_per_picture": LossKind(_lovasz_per_picture, ALL_MODES, (), (), "The same of each picture, averaged."),
    "tversky": LossKind(
        _overlap(smp.TverskyLoss),
        ALL_MODES,
        ("multiclass", "multilabel"),
        ("alpha", "beta", "gamma", "smooth"),
        "Dice with a price of its own for false positives (alpha) and false negatives (beta).",
    ),
}


class Loss:
    """A weighted sum of losses over a model's main and auxiliary outputs."""

    def __init__(self, config: LossConfig, task: Task) -> None:
        self.task = task
        self.weights = dict(config.terms) or _default_terms(task)
        self.auxiliary_weight = config.auxiliary_weight
        _check(config, self.weights, task)
        class_weights = torch.tensor(config.class_weights) if config.class_weights else None
        self.terms = {
            name: LOSSES[name].make(task, class_weights, config.options.get(name, {})) for name in self.weights
        }

    def __call__(self, output: ModelOutput, mask: Tensor) -> dict[str, Tensor]:
        """`loss` is what is made small; beside it, unweighted, the terms if there are several, and the auxiliaries."""
        self._check_shapes(output.logits, mask)
        terms = {name: term(output.logits.float(), mask) for name, term in self.terms.items()}
        main = self._sum(terms)
        told = terms if len(terms) > 1 else {}
        if not output.auxiliary:
            return {"loss": main, **told}
        auxiliary = torch.stack(
            [
                self._sum({name: term(logits.float(), mask) for name, term in self.terms.items()})
                for logits in output.auxiliary
            ]
        )
        if self.auxiliary_weight == "mean":
            total = (main + auxiliary.sum()) / (1 + len(auxiliary))
        else:
            total = main + self.auxiliary_weight * auxiliary.sum()
        return {"loss": total, **told, "auxiliary": auxiliary.mean()}

    def _sum(self, terms: dict[str, Tensor]) -> Tensor:
        return torch.stack([self.weights[name] * value for name, value in terms.items()]).sum()

    def _check_shapes(self, logits: Tensor, mask: Tensor) -> None:
        if logits.shape[1] != self.task.channels:
            raise UserError(
                f"The model gives {logits.shape[1]} channels, but a {self.task.mode} task of "
                f"{', '.join(self.task.classes)} needs {self.task.channels}: create it with "
                f"classes={self.task.channels}."
            )
        wanted = logits.shape if self.task.mode == "multilabel" else logits.shape[:1] + logits.shape[2:]
        if mask.shape != wanted:
            raise UserError(f"The masks of a batch are {list(mask.shape)}, but the model's output asks {list(wanted)}.")


def _default_terms(task: Task) -> dict[str, float]:
    return {"cross_entropy": 1.0, "dice": 1.0} if task.mode == "multiclass" else {"bce_dice": 1.0}


def _check(config: LossConfig, terms: Mapping[str, float], task: Task) -> None:
    fitting = [name for name, kind in LOSSES.items() if task.mode in kind.modes]
    for name in terms:
        if name not in LOSSES:
            raise choices("loss", name, fitting)
        if name not in fitting:
            raise UserError(f"The loss {name} does not fit a {task.mode} task. Choose from: {', '.join(fitting)}.")
    for name, options in config.options.items():
        if name not in terms:
            raise UserError(f"training.loss.options is about {name}, which is not among the terms {', '.join(terms)}.")
        for option in options:
            if option not in LOSSES[name].options:
                raise choices(f"option of the loss {name}", option, LOSSES[name].options)
    if config.class_weights:
        _check_class_weights(config, terms, task)


def _check_class_weights(config: LossConfig, terms: Mapping[str, float], task: Task) -> None:
    if len(config.class_weights) != len(task.classes) or not any(config.class_weights):
        raise UserError(
            f"training.loss.class_weights has {list(config.class_weights)}, but must have one weight for each class "
            f"({', '.join(task.classes)}), and not all of them 0."
        )
    able = [name for name, kind in LOSSES.items() if task.mode in kind.weighs_classes]
    if not set(terms) & set(able):
        raise UserError(
            f"training.loss.class_weights changes nothing: of the losses for a {task.mode} task only "
            f"{', '.join(able)} weigh classes, but the terms are {', '.join(terms)}."
        )


def _by_channel(mask: Tensor, task: Task) -> Tensor:
    """A mask batch as yes, no or ignore for every channel of the logits."""
    if task.mode == "multilabel":
        return mask
    if task.mode == "binary":
        return mask[:, None]
    ids = torch.arange(task.channels, device=mask.device)[:, None, None]
    return torch.where(mask[:, None] == IGNORE, IGNORE, (mask[:, None] == ids).to(mask.dtype))


def _target_and_used(mask: Tensor) -> tuple[Tensor, Tensor]:
    used = mask != IGNORE
    return torch.where(used, mask, 0).float(), used.float()


def _pixel_weights(target: Tensor, class_weights: Tensor | None, task: Task) -> Tensor | float:
    """For a binary task the weight of each pixel's class, for a multilabel task of its channel."""
    if class_weights is None:
        return 1.0
    weights = class_weights.to(target.device)
    return weights[target.long()] if task.mode == "binary" else weights[:, None, None]


def _channel_weights(class_weights: Tensor | None, task: Task, logits: Tensor) -> Tensor:
    if class_weights is None or task.mode == "binary":
        return logits.new_ones(logits.shape[1])
    return class_weights.to(logits.device)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / _not_zero(weights.expand_as(values).sum())


def _not_zero(total: Tensor) -> Tensor:
    return torch.where(total > 0, total, 1)

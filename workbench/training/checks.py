"""Sentences about what goes wrong in a training. Knows no trainer: it is shown what it asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from math import ceil, inf

import torch
from torch import Tensor, nn

from workbench.data.sample import Sample
from workbench.errors import UserError
from workbench.task import IGNORE, Task


def check_splits(train: Sized, valid: Sized | None, processes: int) -> None:
    """Both splits have pictures, and every process has something to do."""
    for name, split in (("train", train), ("valid", valid)):
        if split is not None and not len(split):
            raise UserError(
                f"The {name} split is empty: give it pictures, or change data.fractions"
                f"{', or train without validation' if name == 'valid' else ''}."
            )
    if len(train) < processes:
        raise UserError(
            f"The train split has {len(train)} pictures, fewer than the {processes} processes that share it; "
            "use fewer devices."
        )


def check_masks(batch: Sample, task: Task) -> None:
    """Every pixel is a class id or to be ignored; elsewhere an accelerator would only say `device-side assert`."""
    highest = 1 if task.mode == "multilabel" else len(task.classes) - 1
    # In uint8 the value to ignore, 255, becomes 0 by adding one, and no other value does.
    if int((batch.mask + 1).amax()) <= highest + 1:
        return
    for name, mask in zip(batch.name, batch.mask, strict=True):
        wrong = sorted(set(mask[(mask > highest) & (mask != IGNORE)].tolist()))
        if wrong:
            raise UserError(
                f"The mask of {name} holds {', '.join(map(str, wrong[:5]))}, but the classes are 0 to {highest} "
                f"({IGNORE} is ignored): run `workbench data check`, or map values with data.mask_values."
            )


def classes_never_seen(counts: Tensor, task: Task) -> tuple[str, ...]:
    """A sentence about classes without a pixel in the masks of an epoch, from their counts [classes, 4]."""
    missing = [name for name, (tp, _, fn, _) in zip(task.scored, counts.tolist(), strict=True) if not tp + fn]
    if not missing:
        return ()
    which = "the class" if len(missing) == 1 else "the classes"
    return (
        f"In a whole epoch of training no mask had a pixel of {which} {', '.join(missing)}, so nothing can be learned "
        "of it: check the masks and data.mask_values.",
    )


class Divergence:
    """Notices, once, that the loss has come to stay at over twice what it was in the first step."""

    def __init__(self) -> None:
        self.first = inf
        self.smooth = inf
        self.seen = 0
        self.told = False

    def see(self, loss: float, learning_rate: float) -> tuple[str, ...]:
        """Look at a reported loss."""
        if not self.seen:
            self.first = self.smooth = loss
        self.seen += 1
        self.smooth = 0.9 * self.smooth + 0.1 * loss
        if self.told or self.seen < 10 or self.smooth < 2 * self.first + 0.1:
            return ()
        self.told = True
        return (
            f"The loss has grown from {self.first:.3g} to about {self.smooth:.3g}: the training diverges. Try a lower "
            f"learning rate than {learning_rate:.2g}, schedule.warmup_steps, or optimizer.clip_norm.",
        )


def loss_not_finite(loss: float, where: str, names: Sequence[str], bad_names: Sequence[str], model: nn.Module) -> str:
    """Why a loss is nan or infinite, as far as pictures and weights tell."""
    at = f"The loss became {loss} in {where}{f', at the pictures {_some(names)}' if names else ''}"
    if bad_names:
        return f"{at}: {_some(bad_names)} hold values that are not numbers; mend these pictures or take them out."
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        return (
            f"{at}, because the weights had become infinite before: go back to the last checkpoint with a lower "
            "optimizer.learning_rate or an optimizer.clip_norm."
        )
    return (
        f"{at}: the calculation overflowed. Try a lower optimizer.learning_rate, an optimizer.clip_norm such as 1, or "
        "hardware.precision float32."
    )


def not_numbers(samples: Iterable[Sample]) -> list[str]:
    """The names of the pictures with values that are no numbers."""
    return [str(sample.name) for sample in samples if not torch.as_tensor(sample.image).isfinite().all()]


def _some(names: Sequence[str]) -> str:
    told = ", ".join(names[:4])
    return f"{told} and {len(names) - 4} more" if len(names) > 4 else told


def sentence_for(error: Exception) -> str | None:
    """What a known error of torch means for the user; None for one that is not known."""
    text = str(error)
    for mark, sentence in KNOWN_ERRORS.items():
        if mark in text:
            return f"{sentence} (torch says: {' '.join(text.split())[:200]})"
    return None


KNOWN_ERRORS: dict[str, str] = {
    "more than 1 value per channel": "Batch normalisation cannot train on a single picture here: use training.batch 2 "
    "or more, or larger pictures.",
    "does not have a deterministic implementation": "A layer of this model has no deterministic form on this device: "
    "turn hardware.deterministic off, train on the CPU, or choose a model that upsamples by nearest neighbours.",
    "stack expects each tensor to be equal size": "Pictures of a batch differ in size: give them one by "
    "data.preprocessing.resize or data.crop, or use training.batch 1.",
}


def out_of_memory(sample: Sample, batch: int, fits: int, device: torch.device) -> UserError:
    """The sentence for a batch that does not fit, with one that does, or none."""
    channels, height, width = sample.image.shape
    what = f"{batch} pictures of {width} x {height} pixels and {channels} channels" if batch > 1 else "A single picture"
    if not fits:
        return UserError(
            f"{what} fits no batch into the memory of {device}: use hardware.activation_checkpointing, "
            "hardware.precision bf16, smaller pictures (data.preprocessing.size, data.crop) or a smaller model.width."
        )
    return UserError(
        f"{what} do not fit into the memory of {device}, but {fits} do: use training.batch {fits} (with "
        f"training.accumulation {ceil(batch / fits)} a step has as many), or training.batch auto."
    )

"""What is predicted, and the only place that knows how logits become probabilities and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, model_validator

if TYPE_CHECKING:
    from torch import Tensor

Mode = Literal["binary", "multiclass", "multilabel"]

IGNORE = 255
"""Pixels of this value in a mask take no part in losses and scores."""

CITYSCAPES = (
    *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation"),
    *("terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
)
"""The 19 classes by their train ids; both the layout and the checkpoints of that data set go by them."""


class Task(BaseModel):
    """The mode and the class names.

    | mode | names | logits | mask |
    |---|---|---|---|
    | binary | background and one more | 1 | ids 0 and 1, [h, w] |
    | multiclass | every class, the background too if there is one | one a name | ids, [h, w] |
    | multilabel | classes that may overlap | one a name | 0 or 1 a class, [classes, h, w] |
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = "binary"
    classes: tuple[str, ...] = ("background", "foreground")

    @model_validator(mode="after")
    def _classes_fit_the_mode(self) -> Task:
        if self.mode == "binary" and len(self.classes) != 2:
            raise ValueError(f"A binary task has two class names (background and foreground), not {len(self.classes)}.")
        if self.mode == "multiclass" and len(self.classes) < 2:
            raise ValueError("A multiclass task needs at least two class names.")
        if not self.classes or len(self.classes) > IGNORE:
            raise ValueError(f"A task needs 1 to {IGNORE} class names, not {len(self.classes)}.")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError(f"Class names must differ: {', '.join(self.classes)}.")
        return self

    @property
    def channels(self) -> int:
        """How many logits a pixel has."""
        return 1 if self.mode == "binary" else len(self.classes)

    @property
    def scored(self) -> tuple[str, ...]:
        """The classes that scores are given for: every one, but for a binary task only the foreground."""
        return self.classes[1:] if self.mode == "binary" else self.classes

    @property
    def foreground(self) -> dict[int, str]:
        """Ids and names of the classes whose pixels make objects: every one, but for a class 0 that is background."""
        named = dict(enumerate(self.classes))
        if self.mode == "binary" or (self.mode == "multiclass" and self.classes[0].lower() == "background"):
            del named[0]
        return named

    def probabilities(self, logits: Tensor) -> Tensor:
        """[N, channels, h, w] logits to probabilities of the same shape, in float32."""
        logits = logits.float()
        return logits.softmax(1) if self.mode == "multiclass" else logits.sigmoid()

    def labels(self, logits: Tensor, threshold: float = 0.5) -> Tensor:
        """[N, channels, h, w] logits to a mask batch: [N, h, w], or [N, classes, h, w] for multilabel."""
        return self.labels_of(self.probabilities(logits), threshold)

    def labels_of(self, probabilities: Tensor, threshold: float = 0.5) -> Tensor:
        """The same from probabilities; a multiclass task takes the likeliest class whatever the threshold."""
        if self.mode == "multiclass":
            return probabilities.argmax(1).byte()
        chosen = (probabilities >= threshold).byte()
        return chosen[:, 0] if self.mode == "binary" else chosen

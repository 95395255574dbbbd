"""Any nn.Module as one of ours, in one line."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from workbench.errors import UserError
from workbench.models.base import SegmentationModel
from workbench.models.output import ModelOutput


class AdaptedModel(SegmentationModel):
    """Somebody else's network. Its constructor is not ours, so its weights load only into a network like it."""

    def __init__(self, network: nn.Module, in_channels: int, classes: int, size_multiple: int) -> None:
        super().__init__(in_channels, classes)
        self.network = network
        self.size_multiple = size_multiple

    def core(self, image: Tensor) -> ModelOutput:
        output = as_output(self.network(image))
        if output.logits.shape[1] != self.classes:
            raise UserError(
                f"The adapted network gives {output.logits.shape[1]} logits a pixel, but adapt() was told "
                f"classes={self.classes}."
            )
        return output


def adapt(network: nn.Module, in_channels: int = 3, classes: int = 1, size_multiple: int = 1) -> SegmentationModel:
    """Wrap a network that maps [N, in_channels, h, w] to logits.

    It may return a tensor; a list or tuple whose first tensor are the logits and the others auxiliary ones; a
    mapping with `out` (and `aux`) as torchvision's models do; or a ModelOutput with attention maps of its own.
    `size_multiple` is what the sides of its input must be multiples of; pictures are padded to it and cropped back.
    """
    if isinstance(network, SegmentationModel):
        return network
    return AdaptedModel(network, in_channels, classes, size_multiple)


def as_output(result: object) -> ModelOutput:
    """Whatever a network returned, as a ModelOutput."""
    if isinstance(result, ModelOutput):
        return result
    if isinstance(result, Mapping) and isinstance(result.get("out"), Tensor):
        auxiliary = result.get("aux")
        return _checked(result["out"], () if auxiliary is None else (auxiliary,))
    if isinstance(result, list | tuple) and result and all(isinstance(item, Tensor) for item in result):
        return _checked(result[0], tuple(result[1:]))
    if isinstance(result, Tensor):
        return _checked(result, ())
    raise UserError(
        f"An adapted network returned a {type(result).__name__}; it must return logits, a list of logits, a mapping "
        "with 'out', or a ModelOutput."
    )


def _checked(logits: Tensor, auxiliary: tuple[Tensor, ...]) -> ModelOutput:
    for tensor in (logits, *auxiliary):
        if tensor.ndim != 4:
            raise UserError(f"An adapted network must return logits [N, classes, h, w], not {list(tensor.shape)}.")
    return ModelOutput(logits, {}, auxiliary)

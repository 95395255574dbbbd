"""UNet-S5-D16 with FCN heads, as mmsegmentation trains it on Cityscapes."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from workbench.errors import UserError
from workbench.models.base import SegmentationModel
from workbench.models.blocks import BilinearProjection, ConvUnit, DoubleConvolution, PixelHead
from workbench.models.output import ModelOutput
from workbench.models.unet import UNetTrunk


class FCNHead(nn.Module):
    """One 3x3 unit, channel dropout, one logit a class."""

    def __init__(self, in_channels: int, channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.unit = ConvUnit(in_channels, channels, bias=False)
        self.pixels = PixelHead(channels, classes, dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.pixels(self.unit(x))


class FCNUNet(SegmentationModel):
    """A trunk with an FCN head on its last decoder stage and, for training, an auxiliary one on the stage before."""

    def __init__(
        self,
        in_channels: int,
        classes: int,
        width: int = 64,
        depth: int = 5,
        dropout: float = 0.1,
        auxiliary_head: bool = True,
    ) -> None:
        if auxiliary_head and depth < 3:
            raise UserError("An auxiliary head needs depth >= 3, because it sits on the last decoder stage but one.")
        super().__init__(in_channels, classes)
        block = partial(DoubleConvolution, bias=False)
        self.trunk = UNetTrunk(in_channels, width, depth, block, BilinearProjection, gated=False)
        self.size_multiple = self.trunk.size_multiple
        self.head = FCNHead(width, width, classes, dropout)
        self.auxiliary_head = FCNHead(2 * width, width, classes, dropout) if auxiliary_head else None

    def core(self, image: Tensor) -> ModelOutput:
        features, attention = self.trunk(image)
        auxiliary = () if self.auxiliary_head is None else (self.auxiliary_head(features[-2]),)
        return ModelOutput(self.head(features[-1]), attention, auxiliary)

    def drop_auxiliary(self) -> None:
        self.auxiliary_head = None

    def deepest(self) -> str:
        return f"trunk.{self.trunk.deepest()}"

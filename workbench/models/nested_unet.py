"""UNet++: a U-Net whose skips are grids of small decoders."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.models.base import SegmentationModel
from workbench.models.blocks import BilinearUpsampling, DoubleConvolution, PixelHead
from workbench.models.output import ModelOutput


class NestedUNet(SegmentationModel):
    """Node (level, column) joins all nodes left of it on its level with the upsampled node below left of it.

    With deep supervision every node of the top level but the first has a head: the last one's logits are the
    prediction, the others' are auxiliary.
    """

    def __init__(
        self,
        in_channels: int,
        classes: int,
        width: int = 32,
        depth: int = 5,
        dropout: float = 0.0,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__(in_channels, classes)
        self.depth = depth
        self.size_multiple = 2 ** (depth - 1)
        widths = [width * 2**level for level in range(depth)]
        nodes = {}
        for column in range(depth):
            for level in range(depth - column):
                if column:
                    joined = widths[level] * column + widths[level + 1]
                else:
                    joined = widths[level - 1] if level else in_channels
                nodes[f"{level}_{column}"] = DoubleConvolution(joined, widths[level])
        self.nodes = nn.ModuleDict(nodes)
        self.upsampling = BilinearUpsampling(0, 0)
        heads = depth - 1 if deep_supervision else 1
        self.heads = nn.ModuleList(PixelHead(width, classes, dropout) for _ in range(heads))

    def core(self, image: Tensor) -> ModelOutput:
        grid: list[list[Tensor]] = []
        for level in range(self.depth):
            x = F.max_pool2d(grid[-1][0], 2) if level else image
            grid.append([self.nodes[f"{level}_0"](x)])
        for column in range(1, self.depth):
            for level in range(self.depth - column):
                below = self.upsampling(grid[level + 1][column - 1])
                joined = torch.cat((*grid[level], below), dim=1)
                grid[level].append(self.nodes[f"{level}_{column}"](joined))
        top = grid[0][-len(self.heads) :]
        *auxiliary, logits = (head(x) for head, x in zip(self.heads, top, strict=True))
        return ModelOutput(logits, {}, tuple(auxiliary))

    def drop_auxiliary(self) -> None:
        self.heads = self.heads[-1:]

    def deepest(self) -> str:
        return f"nodes.{self.depth - 1}_0"

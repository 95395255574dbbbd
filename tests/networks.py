"""Every network of the table at a size that tests can afford."""

from functools import cache
from typing import Any

import torch

from workbench.models import ARCHITECTURES, SegmentationModel, create_model

OWN = [name for name in ARCHITECTURES if not name.startswith("smp_")]
LIBRARY = [name for name in ARCHITECTURES if name.startswith("smp_")]
POOLED = ["smp_deeplabv3", "smp_deeplabv3plus", "smp_pan", "smp_upernet"]
"""Batch normalisation of one value a channel: these cannot train on one picture."""


def small(name: str, in_channels: int = 3, classes: int = 2, **knobs: Any) -> SegmentationModel:
    if name == "smp_dpt":
        cheap: dict[str, Any] = {"encoder": "tu-vit_tiny_patch16_224"}
    elif name in LIBRARY:
        cheap = {"encoder": "mobilenet_v2"}
    else:
        cheap = {"width": 4}
    return create_model(name, in_channels, classes, **{**cheap, **knobs})


def lively(name: str, **options: Any) -> SegmentationModel:
    """A small network whose batch norms know what they see, so that nothing it calculates is nearly constant."""
    torch.manual_seed(0)
    model = small(name, **options).train()
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # statistics are the mean over all batches
    with torch.no_grad():
        for _ in range(4):
            model(torch.randn(4, model.in_channels, 64, 96))
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()


def discs(count: int, size: int = 64, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Reddish discs on noise, values in 0..1, and their masks [N, h, w]."""
    random = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    centres = torch.randint(size // 4, 3 * size // 4, (2, count, 1, 1), generator=random)
    radii = torch.randint(size // 8, size // 4, (count, 1, 1), generator=random)
    masks = (rows - centres[0]) ** 2 + (columns - centres[1]) ** 2 <= radii**2
    images = 0.5 * torch.rand(count, 3, size, size, generator=random)
    images[:, 0] += 0.3 * masks
    return images, masks.long()


@cache
def trained() -> SegmentationModel:
    """A tiny Attention U-Net that finds the discs; nobody may change it."""
    torch.manual_seed(0)
    model = create_model("attention_unet", width=8, depth=3).train()
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for step in range(30):
        images, masks = discs(6, 48, seed=step)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(images).logits[:, 0], masks.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()

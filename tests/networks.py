"""Every network of the table at a size that tests can afford."""

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

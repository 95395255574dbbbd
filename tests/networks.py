"""Every network of the table at a size that tests can afford."""

from typing import Any

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

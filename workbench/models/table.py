"""The table of networks, and how to make one by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from workbench.errors import UserError, choices
from workbench.models import smp
from workbench.models.base import ModelSpec, SegmentationModel
from workbench.models.fcn_unet import FCNUNet
from workbench.models.nested_unet import NestedUNet
from workbench.models.unet import attention_unet, bilinear_unet, r2_attention_unet, r2unet, unet


class Architecture(NamedTuple):
    """A row of the table."""

    build: Callable[..., SegmentationModel]
    summary: str
    source: str

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The knobs beside in_channels and classes, with their defaults."""
        parameters = dict(inspect.signature(self.build).parameters)
        return {name: p for name, p in parameters.items() if name not in ("in_channels", "classes", "architecture")}


LEE = "LeeJunHyun/Image_Segmentation"
UIURZ = "4uiiurz1/pytorch-nested-unet"
MMSEG = "open-mmlab/mmsegmentation 1.2.2"

ARCHITECTURES: dict[str, Architecture] = {
    "unet": Architecture(unet, "U-Net with up-convolutions", LEE),
    "attention_unet": Architecture(attention_unet, "U-Net with an attention gate on every skip", LEE),
    "r2unet": Architecture(r2unet, "U-Net of recurrent residual blocks", LEE),
    "r2_attention_unet": Architecture(r2_attention_unet, "recurrent residual blocks and attention gates", LEE),
    "bilinear_unet": Architecture(bilinear_unet, "U-Net with bilinear upsampling, half as wide", UIURZ),
    "unetpp": Architecture(NestedUNet, "UNet++, with deep supervision by choice", UIURZ),
    "unet_fcn": Architecture(FCNUNet, "UNet-S5-D16 with FCN head and auxiliary head", MMSEG),
} | {
    f"smp_{name}": Architecture(partial(smp.build, name, encoder=encoder), summary, "segmentation-models-pytorch")
    for name, (summary, encoder) in smp.ARCHITECTURES.items()
}


def create_model(name: str, in_channels: int = 3, classes: int = 1, **knobs: Any) -> SegmentationModel:
    """A network by its name in the table; `classes` is the number of logits a pixel (Task.channels).

    A knob that is None keeps the architecture's own default. The result's `spec` is what save_model writes.
    """
    if name not in ARCHITECTURES:
        raise choices("model", name, ARCHITECTURES)
    architecture = ARCHITECTURES[name]
    _check_numbers({"in_channels": in_channels, "classes": classes, **knobs})
    knobs = {knob: value for knob, value in knobs.items() if value is not None}
    options = architecture.options
    open_ended = any(p.kind is p.VAR_KEYWORD for p in options.values())
    known = [knob for knob, p in options.items() if p.kind is not p.VAR_KEYWORD]
    for knob in knobs:
        if knob not in known and not open_ended:
            raise choices(f"option of {name}", knob, known)
    defaults = {knob: options[knob].default for knob in known}
    arguments = {"in_channels": in_channels, "classes": classes, **defaults, **knobs}
    model = architecture.build(**arguments)
    model.spec = ModelSpec(name, arguments)
    return model


_RANGES = {
    "in_channels": (1, 1024),
    "classes": (1, 1024),
    "width": (1, 1024),
    "depth": (2, 8),
    "recurrent_steps": (1, 16),
}


def _check_numbers(values: dict[str, Any]) -> None:
    for name, (least, most) in _RANGES.items():
        value = values.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise UserError(f"{name} must be a whole number from {least} to {most}, not {value!r}.")
    dropout = values.get("dropout")
    if dropout is not None and not (isinstance(dropout, int | float) and 0 <= dropout < 1):
        raise UserError(f"dropout must be a number from 0 up to, but not including, 1, not {dropout!r}.")

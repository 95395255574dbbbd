"""Every architecture of segmentation-models-pytorch as one of ours. The library is imported when one is built."""

from __future__ import annotations

import difflib
import inspect
from functools import partial
from typing import Any

from torch import Tensor, nn

from workbench.errors import UserError, choices
from workbench.models.base import SegmentationModel
from workbench.models.output import ModelOutput

RESNET, VIT = "resnet34", "tu-vit_base_patch16_224.augreg_in21k"

ARCHITECTURES = {
    "unet": ("U-Net over a classification encoder, scSE attention by choice", RESNET),
    "unetplusplus": ("UNet++ over a classification encoder, scSE attention by choice", RESNET),
    "manet": ("multi-scale attention net", RESNET),
    "linknet": ("U-Net that adds its skips", RESNET),
    "fpn": ("feature pyramid network", RESNET),
    "pspnet": ("pyramid scene parsing", RESNET),
    "deeplabv3": ("atrous spatial pyramid pooling", RESNET),
    "deeplabv3plus": ("DeepLabV3 with a decoder", RESNET),
    "pan": ("pyramid attention network", RESNET),
    "upernet": ("unified perceptual parsing", RESNET),
    "segformer": ("all-MLP decoder", RESNET),
    "dpt": ("dense prediction transformer over a vision transformer", VIT),
}
"""What each is, and the encoder that smp gives it."""

MULTIPLES = {"dpt": 2}
"""Of the encoder's stride: its coarsest features are half as fine."""

SMALLEST = {"pan": 8}
"""Of the encoder's stride: it halves its coarsest features three times more."""

OURS = ("in_channels", "classes", "encoder_name", "encoder_depth", "activation", "aux_params", "kwargs", "self")
"""Arguments of smp's constructors that are spelled otherwise here, or belong to the task."""


class SmpModel(SegmentationModel):
    """One of smp's networks, with the spatial maps of its scSE modules as attention.

    smp does not return those maps, so a forward hook on each module keeps them for the length of one pass; passes of
    one model must therefore follow each other, which is also what its device wants.
    """

    def __init__(self, architecture: str, network: Any, in_channels: int, classes: int, dropout: float) -> None:
        super().__init__(in_channels, classes)
        self.network = network
        stride = network.encoder.output_stride
        self.size_multiple = MULTIPLES.get(architecture, 1) * stride
        self.smallest_size = SMALLEST.get(architecture, 1) * stride
        if dropout:
            network.segmentation_head = nn.Sequential(nn.Dropout2d(dropout), network.segmentation_head)
        self._maps: dict[str, Tensor] = {}
        for gate, module in self.gates().items():
            module.register_forward_hook(partial(self._keep, gate))

    def gates(self) -> dict[str, nn.Module]:
        return {
            name.removeprefix("decoder.").removesuffix(".attention.sSE").replace(".", "_"): module
            for name, module in self.network.named_modules()
            if name.endswith("sSE")
        }

    def deepest(self) -> str:
        return "network.encoder"

    def _keep(self, gate: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self._maps[gate] = output

    def core(self, image: Tensor) -> ModelOutput:
        self._maps = {}
        logits = self.network(image)
        attention, self._maps = self._maps, {}
        return ModelOutput(logits, attention, ())


def build(
    architecture: str,
    in_channels: int,
    classes: int,
    encoder: str,
    encoder_weights: str | None = None,
    depth: int | None = None,
    dropout: float = 0.0,
    **options: Any,
) -> SmpModel:
    """One of smp's architectures; `options` are its own arguments, such as decoder_attention_type='scse'.

    `depth` is the number of the encoder's stages.
    """
    import segmentation_models_pytorch as library

    constructor = library.MODEL_ARCHITECTURES_MAPPING[architecture]
    check_encoder(encoder)
    _check_options(f"smp_{architecture}", constructor, encoder, options)
    arguments = {"encoder_name": encoder, **options}
    if depth is not None:
        arguments = {"encoder_depth": depth, **_channels_for(depth, constructor), **arguments}
    if architecture == "dpt":
        arguments.setdefault("dynamic_img_size", True)  # else a vision transformer takes its training size alone
    try:
        network = constructor(encoder_weights=encoder_weights, in_channels=in_channels, classes=classes, **arguments)
    except OSError as error:
        raise UserError(
            f"The pretrained weights {encoder_weights!r} of encoder {encoder} could not be fetched "
            f"({type(error).__name__}); connect to the internet once, or leave encoder_weights out to start from "
            "random weights."
        ) from error
    except (ValueError, KeyError, TypeError, RuntimeError, AssertionError) as error:
        sentence = str(error.args[0]) if error.args else type(error).__name__
        raise UserError(f"smp_{architecture} refuses these options {_told(arguments)}: {sentence}") from error
    return SmpModel(architecture, network, in_channels, classes, dropout)


def _channels_for(depth: int, constructor: type) -> dict[str, Any]:
    """The defaults that list a number a stage, cut to so many stages; the finest are kept."""
    parameters = inspect.signature(constructor).parameters
    stages = parameters["encoder_depth"].default
    lists = {name: p.default for name, p in parameters.items() if isinstance(p.default, tuple)}
    return {name: default[-depth:] for name, default in lists.items() if len(default) == stages > depth}


def check_encoder(name: str) -> None:
    """Names of smp itself, or timm's behind `tu-`."""
    import segmentation_models_pytorch as library
    import timm

    if name.startswith("tu-"):
        known = timm.list_models()
        if name[3:].partition(".")[0] in known:
            return
        close = [f"tu-{match}" for match in difflib.get_close_matches(name[3:], known, n=5, cutoff=0.3)]
        raise UserError(f"Unknown encoder {name!r} of timm's {len(known)}. The nearest are: {', '.join(close)}.")
    known = library.encoders.get_encoder_names()
    if name not in known:
        raise choices("encoder", name, [*known, "tu-NAME for any NAME of timm.list_models()"])


def _check_options(name: str, constructor: type, encoder: str, options: dict[str, Any]) -> None:
    """Refuse what the constructor would swallow in its **kwargs: for smp's own encoders those change nothing."""
    known = [option for option in inspect.signature(constructor).parameters if option not in OURS]
    takes_more = encoder.startswith("tu-")
    for option in options:
        if option in OURS or not (option in known or takes_more):
            raise choices(f"option of {name}", option, ["encoder", "depth", "dropout", *known])


def _told(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items()) or "(none)"

"""Checkpoints of the original systems: reading them without running them, and their names for what is ours."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.task import CITYSCAPES, Task

Tensors = dict[str, Tensor]

INERT = ("mmengine.", "mmcv.", "numpy.")
"""Modules whose objects lie beside trained weights (logs, scalars) and are read as empty stand-ins."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def read_checkpoint(path: str | Path) -> Tensors:
    """The tensors of a PyTorch checkpoint, by its own keys, never running code from it."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        with torch.serialization.safe_globals(_stand_ins(path)):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} holds more than weights (it asks for {_asked_for(error)}), so it was not opened: save the "
            "network's state_dict alone with torch.save(model.state_dict(), path) and import that."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise UserError(
            f"{path} is not a whole PyTorch checkpoint (reading it ended with {type(error).__name__}); copy or "
            "download it again."
        ) from error
    return _tensors_in(content, path)


class Inert:
    """Takes the place of an object that is not needed: accepts any construction, keeps nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Whatever it is built from is dropped."""

    def __setstate__(self, state: Any) -> None:
        """Whatever it held is dropped."""


def _stand_ins(path: Path) -> list[Any]:
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except (ValueError, RuntimeError, EOFError, OSError, pickle.UnpicklingError):
        return []  # not the zip format: an older checkpoint, which holds plain tensors, or no checkpoint at all
    return [(type(name.rpartition(".")[2], (Inert,), {}), name) for name in names if name.startswith(INERT)]


def _asked_for(error: pickle.UnpicklingError) -> str:
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    return named[1] if named else "something that is not a tensor"


def _tensors_in(content: object, path: Path) -> Tensors:
    """The state_dict, be it alone or wrapped with `meta` and others, with or without DataParallel's prefix."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{path} holds a {type(content).__name__}, not a state_dict of named weights.")
    odd = [key for key, value in content.items() if not isinstance(key, str) or not isinstance(value, Tensor)]
    if odd:
        raise UserError(f"{path} is no state_dict: its entry {odd[0]!r} is not a tensor.")
    prefixed = all(key.startswith("module.") for key in content)
    return {key.removeprefix("module.") if prefixed else key: value for key, value in content.items()}


class Rule(NamedTuple):
    """A pattern for an original key, and what is ours for its groups."""

    pattern: str
    ours: Callable[[re.Match[str]], str]


class Original(NamedTuple):
    """What a foreign state_dict was found to be."""

    name: str
    arguments: dict[str, Any]
    source: str
    rules: tuple[Rule, ...]
    preprocessing: Preprocessing
    task: Task

    def renamed(self, tensors: Tensors) -> Tensors:
        """The same tensors under our names; what no rule knows keeps its own, and is surplus then."""
        return {self._ours(key): tensor for key, tensor in tensors.items()}

    def _ours(self, key: str) -> str:
        for rule in self.rules:
            found = re.match(rule.pattern, key)
            if found:
                return rule.ours(found) + key[found.end() :]
        return key


def recognise(tensors: Tensors, path: str | Path, recurrent_steps: int | None = None) -> Original:
    """Which of the original networks a state_dict belongs to, by its keys and shapes."""
    if "Conv_1x1.weight" in tensors:
        return _lee(tensors, path, recurrent_steps)
    if recurrent_steps is not None:
        raise UserError(f"{path} holds no recurrent network, so recurrent_steps does not apply to it; leave it out.")
    if "conv0_0.conv1.weight" in tensors:
        return _nested(tensors)
    if "backbone.encoder.0.0.convs.0.conv.weight" in tensors:
        return _mmsegmentation(tensors)
    raise UserError(
        f"{path} is none of the known originals (U_Net, R2U_Net, AttU_Net, R2AttU_Net of LeeJunHyun; UNet, NestedUNet "
        f"of pytorch-nested-unet; unet-s5-d16 of mmsegmentation): its first keys are {', '.join(list(tensors)[:3])}."
    )


def _channels(tensors: Tensors, first: str, head: str) -> dict[str, int]:
    """The arguments that a network's first and last convolution tell."""
    for key in (first, head):
        if key not in tensors or tensors[key].ndim != 4:
            raise UserError(f"The checkpoint has no convolution {key}; it is cut short, or of another network.")
    return {"in_channels": tensors[first].shape[1], "classes": tensors[head].shape[0], "width": tensors[first].shape[0]}


def _sigmoid_task(classes: int) -> Task:
    """Both sigmoid originals score every output channel for itself."""
    return Task() if classes == 1 else Task(mode="multilabel", classes=tuple(f"class_{i}" for i in range(classes)))


# LeeJunHyun counts levels from 1, and its decoder by the level that comes in: Up5 is our decoder stage 0.
_CONV_OR_NORM = {"0": "0.conv", "1": "0.norm", "3": "1.conv", "4": "1.norm"}
_UNIT = ("conv", "norm")
_GATE = {"W_g": "from_gating", "W_x": "from_skip", "psi": "score"}


def _lee_level(prefix: str, number: str) -> str:
    return f"trunk.decoder.{5 - int(number)}.block" if prefix else f"trunk.encoder.{int(number) - 1}"


LEE_RULES = (
    Rule(r"(Up_)?[Cc]onv(\d)\.conv\.([0134])", lambda m: f"{_lee_level(m[1], m[2])}.{_CONV_OR_NORM[m[3]]}"),
    Rule(
        r"(Up_)?RRCNN(\d)\.RCNN\.([01])\.conv\.([01])",
        lambda m: f"{_lee_level(m[1], m[2])}.recurrent.{m[3]}.unit.{_UNIT[int(m[4])]}",
    ),
    Rule(r"(Up_)?RRCNN(\d)\.Conv_1x1", lambda m: f"{_lee_level(m[1], m[2])}.project"),
    Rule(r"Up(\d)\.up\.([12])", lambda m: f"trunk.decoder.{5 - int(m[1])}.upsampling.{_UNIT[int(m[2]) - 1]}"),
    Rule(r"Att(\d)\.(W_g|W_x|psi)", lambda m: f"trunk.decoder.{5 - int(m[1])}.gate.{_GATE[m[2]]}"),
    Rule(r"Conv_1x1", lambda m: "head.conv"),
)


def _lee(tensors: Tensors, path: str | Path, recurrent_steps: int | None) -> Original:
    recurrent = "RRCNN1.Conv_1x1.weight" in tensors
    gated = "Att5.psi.0.weight" in tensors
    name = ("r2_attention_unet" if gated else "r2unet") if recurrent else ("attention_unet" if gated else "unet")
    first = "RRCNN1.Conv_1x1.weight" if recurrent else "Conv1.conv.0.weight"
    arguments = _channels(tensors, first, "Conv_1x1.weight")
    if recurrent:
        if recurrent_steps is None:
            raise UserError(
                f"{path} holds {name}, whose weights do not tell its recurrent steps; give recurrent_steps "
                "(--recurrent-steps): the original's constructors default to 2, its command line to 3."
            )
        arguments["recurrent_steps"] = recurrent_steps
    elif recurrent_steps is not None:
        raise UserError(f"{path} holds {name}, which is not recurrent; leave recurrent_steps out.")
    preprocessing = Preprocessing(resize="width", size=(256, 256), multiple=16, mean=(0.5,), std=(0.5,))
    return Original(
        name,
        arguments,
        "LeeJunHyun/Image_Segmentation",
        LEE_RULES,
        preprocessing,
        _sigmoid_task(arguments["classes"]),
    )


def _nested_node(m: re.Match[str]) -> str:
    return f"nodes.{m[1]}_{m[2]}.{int(m[4]) - 1}.{_UNIT[m[3] == 'bn']}"


def _bilinear_node(m: re.Match[str]) -> str:
    level, column, unit = int(m[1]), int(m[2]), f"{int(m[4]) - 1}.{_UNIT[m[3] == 'bn']}"
    return f"trunk.decoder.{3 - level}.block.{unit}" if column else f"trunk.encoder.{level}.{unit}"


_NODE = r"conv(\d)_(\d)\.(conv|bn)([12])"
NESTED_RULES = (
    Rule(_NODE, _nested_node),
    Rule(r"final(\d?)(?=\.)", lambda m: f"heads.{int(m[1] or 1) - 1}.conv"),
)
BILINEAR_RULES = (Rule(_NODE, _bilinear_node), Rule(r"final(?=\.)", lambda m: "head.conv"))


def _nested(tensors: Tensors) -> Original:
    nested = "conv0_1.conv1.weight" in tensors
    supervised = "final1.weight" in tensors
    arguments: dict[str, Any] = dict(
        _channels(tensors, "conv0_0.conv1.weight", "final1.weight" if supervised else "final.weight")
    )
    if nested:
        arguments["deep_supervision"] = supervised
    # Its pictures are BGR as OpenCV reads them, and it divides by 255 once more after normalising.
    preprocessing = Preprocessing(
        channels="bgr",
        resize="stretch",
        size=(96, 96),
        mean=IMAGENET_MEAN,
        std=tuple(255 * value for value in IMAGENET_STD),
    )
    return Original(
        "unetpp" if nested else "bilinear_unet",
        arguments,
        "4uiiurz1/pytorch-nested-unet",
        NESTED_RULES if nested else BILINEAR_RULES,
        preprocessing,
        _sigmoid_task(arguments["classes"]),
    )


MMSEG_RULES = (
    Rule(
        r"backbone\.encoder\.(\d)\.[01]\.convs\.([01])\.(conv|bn)",
        lambda m: f"trunk.encoder.{m[1]}.{m[2]}.{_UNIT[m[3] == 'bn']}",
    ),
    Rule(
        r"backbone\.decoder\.(\d)\.conv_block\.convs\.([01])\.(conv|bn)",
        lambda m: f"trunk.decoder.{3 - int(m[1])}.block.{m[2]}.{_UNIT[m[3] == 'bn']}",
    ),
    Rule(
        r"backbone\.decoder\.(\d)\.upsample\.interp_upsample\.1\.(conv|bn)",
        lambda m: f"trunk.decoder.{3 - int(m[1])}.upsampling.project.{_UNIT[m[2] == 'bn']}",
    ),
    Rule(r"decode_head\.convs\.0\.(conv|bn)", lambda m: f"head.unit.{_UNIT[m[1] == 'bn']}"),
    Rule(r"decode_head\.conv_seg", lambda m: "head.pixels.conv"),
    Rule(r"auxiliary_head\.convs\.0\.(conv|bn)", lambda m: f"auxiliary_head.unit.{_UNIT[m[1] == 'bn']}"),
    Rule(r"auxiliary_head\.conv_seg", lambda m: "auxiliary_head.pixels.conv"),
)


def _mmsegmentation(tensors: Tensors) -> Original:
    arguments: dict[str, Any] = dict(
        _channels(tensors, "backbone.encoder.0.0.convs.0.conv.weight", "decode_head.conv_seg.weight")
    )
    arguments["auxiliary_head"] = any(key.startswith("auxiliary_head.") for key in tensors)
    classes = arguments["classes"]
    names = CITYSCAPES if classes == len(CITYSCAPES) else [f"class_{i}" for i in range(classes)]
    task = Task(mode="multiclass", classes=tuple(names)) if classes > 1 else Task()
    preprocessing = Preprocessing(resize="none", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    return Original(
        "unet_fcn", arguments, "open-mmlab/mmsegmentation unet-s5-d16_fcn", MMSEG_RULES, preprocessing, task
    )

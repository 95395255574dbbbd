"""The layer of a network whose features an attribution looks at, without naming one by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor, nn

from workbench.errors import UserError, choices
from workbench.models import SegmentationModel


def default_layer(model: SegmentationModel, image: Tensor) -> str:
    """The deepest features: as the network's class tells, or for an adapted network by the sizes of its layers' maps.

    Found so, it is the coarsest map of more than one cell a side, of those the one with the most channels, of those
    the last to be calculated.
    """
    told = model.deepest()
    if told is not None:
        return told
    sizes = {name: map_.shape for name, map_ in _layers(model, image)}
    candidates = {name: size for name, size in sizes.items() if min(size[-2:]) > 1}
    if not candidates:
        raise UserError(
            "No layer of this model gives maps with more than one cell a side, so there is none to explain."
        )
    return max(reversed(candidates), key=lambda name: (-candidates[name][-2:].numel(), candidates[name][1]))


def find_layer(model: SegmentationModel, name: str) -> nn.Module:
    modules = dict(model.named_modules())
    if name in modules and name:
        return modules[name]
    blocks = [known for known, module in modules.items() if _is_block(known, module)]
    close = get_close_matches(name, modules, 1)
    hint = f" Or any layer inside of these; did you mean {close[0]}?" if close else ""
    raise UserError(f"{choices('layer', name, blocks)}{hint}")


def _is_block(name: str, module: nn.Module) -> bool:
    """Worth naming: of several layers, and not deep inside of others."""
    is_list = isinstance(module, nn.ModuleList | nn.ModuleDict)
    return bool(name) and name.count(".") < 3 and bool([*module.children()]) and not is_list


def feature_map(result: Any) -> Tensor | None:
    """The last [N, channels, h, w] of what a module returned: encoders return a list, coarsest last."""
    if isinstance(result, Tensor):
        return result if result.ndim == 4 else None
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, list | tuple):
        maps = (feature_map(part) for part in reversed(result))
        return next((found for found in maps if found is not None), None)
    return None


def with_feature_map(result: Any, old: Tensor, new: Tensor) -> Any:
    """What a module returned, with one map exchanged."""
    if result is old:
        return new
    if isinstance(result, dict):
        return {key: with_feature_map(part, old, new) for key, part in result.items()}
    if isinstance(result, list | tuple):
        parts = [with_feature_map(part, old, new) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    return result


def _layers(model: SegmentationModel, image: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Every module but the network itself that gives maps, in the order in which they are done."""
    found: list[tuple[str, Tensor]] = []

    def keeping(name: str) -> Callable[..., None]:
        def keep(module: nn.Module, inputs: Any, result: Any) -> None:
            map_ = feature_map(result)
            if map_ is not None:
                found.append((name, map_))

        return keep

    with ExitStack() as hooks, torch.no_grad():
        for name, module in model.named_modules():
            if name:
                hooks.enter_context(module.register_forward_hook(keeping(name)))
        model(image)
    yield from found

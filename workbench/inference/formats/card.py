"""What an exported file says about itself: all that a prediction needs beside the network."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import ConfigDict

from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.knobs import Knobs
from workbench.models.weights import CARD
from workbench.task import Task

__all__ = ["CARD", "ExportCard", "Opened", "is_installed", "read_card_text", "require"]


class ExportCard(Knobs):
    """Stands as JSON inside the file, under the name in CARD."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    format: Literal[1] = 1
    version: str
    """Of the workbench."""
    model: str
    source: str
    """Where the weights came from."""
    weights: str
    """SHA-256 of the weights."""
    task: Task
    preprocessing: Preprocessing
    in_channels: int
    size_multiple: int
    """Both sides of the input must be multiples of this,"""
    smallest_size: int
    """and at least so large."""
    context: int | None
    """How far from a pixel its result depends on the picture, on each side; None: on all of it."""
    tile: int
    overlap: int
    """How large pictures are cut where nothing else is asked for."""
    threshold: float
    """A probability from which a class counts as found."""
    outputs: tuple[str, ...]
    """logits, then the gates' maps by name."""
    precision: Literal["float32", "float16"]


class Opened(NamedTuple):
    """A file in its runtime."""

    card: ExportCard
    run: Callable[[np.ndarray], list[np.ndarray]]
    """float32 [N, in_channels, h, w] to the outputs, in the card's order."""
    bytes: int
    """Of all its files."""


def read_card_text(text: str | None, path: Path) -> ExportCard:
    if not text:
        raise UserError(
            f"{path} was not exported by the workbench: it says nothing about its classes and preprocessing. "
            "Export it with `workbench export`."
        )
    try:
        return ExportCard.model_validate_json(text)
    except ValueError as error:
        raise UserError(
            f"The card in {path} cannot be read by this version; update the workbench. ({error})"
        ) from error


EXTRAS = {
    "onnx": "export",
    "onnxscript": "export",
    "onnxruntime": "export",
    "openvino": "runtimes",
    "ncnn": "runtimes",
    "pnnx": "runtimes",
}
"""The extra that brings a package."""


def is_installed(package: str) -> bool:
    return find_spec(package) is not None


def require(packages: tuple[str, ...], purpose: str) -> None:
    """Refuse in a sentence what cannot be done for lack of a package."""
    missing = [package for package in packages if not is_installed(package)]
    if not missing:
        return
    extras = ",".join(sorted({EXTRAS[package] for package in missing}))
    raise UserError(f'{purpose} needs {" and ".join(missing)}: pip install "attention-unet-workbench[{extras}]"')

"""Models as safetensors files that need nothing else: the weights, and a card that says how to build and feed them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from workbench.config import Knobs, ModelConfig, Preprocessing
from workbench.errors import UserError
from workbench.files import whole
from workbench.models.base import SegmentationModel
from workbench.models.originals import read_checkpoint, recognise
from workbench.models.table import create_model
from workbench.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

CARD = "attention_unet_workbench"


class ModelCard(Knobs):
    """What stands beside the weights."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    format: Literal[1] = 1
    name: str
    arguments: dict[str, Any]
    task: Task | None = None
    preprocessing: Preprocessing | None = None
    source: str = ""


def save_model(
    model: SegmentationModel,
    path: str | Path,
    *,
    task: Task | None = None,
    preprocessing: Preprocessing | None = None,
    source: str = "",
) -> ModelCard:
    """Write weights and card to one file, whole or not at all."""
    if model.spec is None:
        raise UserError(
            "Only a model made by create_model or load_model can be saved so that load_model builds it again; for an "
            "adapted network save its own state_dict, and for an optimised copy the model it was made from."
        )
    card = ModelCard(
        name=model.spec.name, arguments=model.spec.arguments, task=task, preprocessing=preprocessing, source=source
    )
    path = Path(path)
    if not path.parent.is_dir():
        raise UserError(f"Cannot write {path}: the folder {path.parent} does not exist.")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with whole(path) as part:
        save_file(tensors, part, metadata={"format": "pt", CARD: card.model_dump_json()})
    return card


def read_card(path: str | Path) -> ModelCard:
    """The card alone, without reading the weights."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise UserError(
            f"{path} is not a whole safetensors file ({error}); if it is a checkpoint of one of the original systems, "
            "bring it in with `workbench import-weights`."
        ) from error
    if CARD not in metadata:
        raise UserError(
            f"{path} has weights but no card of ours, so nothing tells which model they belong to; build that model "
            "and give it as load_model(path, into=model)."
        )
    try:
        return ModelCard.model_validate_json(metadata[CARD])
    except ValidationError as error:
        known = ModelCard.model_fields["format"].default
        raise UserError(
            f"The card of {path} cannot be read by this version, which knows format {known}: "
            f"{error.errors()[0]['msg']}. Update the workbench."
        ) from error


def load_model(path: str | Path, into: SegmentationModel | None = None) -> SegmentationModel:
    """The model of a file, in evaluation mode, with the file's card as `model.card`; or a file's weights into `into`.

    With `into`, the file needs no card, and the weights must fit key by key.
    """
    if into is not None:
        fill(into, _read_tensors(path), path)
        return into
    card = read_card(path)
    arguments = dict(card.arguments)
    if "encoder_weights" in arguments:
        arguments["encoder_weights"] = None  # they are in the file
    model = create_model(card.name, **arguments)
    fill(model, _read_tensors(path), path)
    model.card = card
    return model.eval()


def model_from_config(config: ModelConfig, in_channels: int, classes: int) -> SegmentationModel:
    """The network a run asks for, with the weights it starts from if it names some."""
    knobs = {"width": config.width, "depth": config.depth, "dropout": config.dropout, **config.options}
    model = create_model(config.name, in_channels, classes, **knobs)
    return load_model(config.weights, into=model) if config.weights else model


def import_weights(source: str | Path, target: str | Path, recurrent_steps: int | None = None) -> ModelCard:
    """Bring a checkpoint of one of the original systems in as a file of ours, found out by its own keys.

    An R2 checkpoint does not tell its recurrent steps, so there they must be given.
    """
    tensors = read_checkpoint(source)
    original = recognise(tensors, source, recurrent_steps)
    model = create_model(original.name, **original.arguments)
    fill(model, original.renamed(tensors), source)
    return save_model(model, target, task=original.task, preprocessing=original.preprocessing, source=original.source)


def fill(model: SegmentationModel, tensors: dict[str, Tensor], path: str | Path) -> None:
    """Load tensors that must fit the model exactly, or say in a sentence which do not."""
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wrong = [name for name in expected.keys() & given.keys() if expected[name] != given[name]]
    problems = [
        ("missing", sorted(expected.keys() - given.keys())),
        ("surplus", sorted(given.keys() - expected.keys())),
        ("of another shape", [f"{name} {given[name]} instead of {expected[name]}" for name in sorted(wrong)]),
    ]
    found = [f"{len(keys)} {what} ({few(keys)})" for what, keys in problems if keys]
    if found:
        name = model.spec.name if model.spec else type(model).__name__
        raise UserError(f"The weights in {path} do not fit {name}: {'; '.join(found)}.")
    model.load_state_dict(tensors)


def few(names: Iterable[str], most: int = 3) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _read_tensors(path: str | Path) -> dict[str, Tensor]:
    if not Path(path).is_file():
        raise UserError(f"There is no file {path}.")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path} is not a whole safetensors file ({error}).") from error

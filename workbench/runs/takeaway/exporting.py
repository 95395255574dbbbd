"""The model of a run as a file for another runtime, beside its weights."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.data.layouts import open_source
from workbench.errors import UserError, choices
from workbench.inference.export import Exported, export_model
from workbench.inference.formats import FORMATS
from workbench.models import SegmentationModel, load_model
from workbench.runs.previews import Previews
from workbench.runs.run import Run


class Kept(NamedTuple):
    """What was exported, and the files that belong together."""

    exported: Exported
    files: list[Path]


def export_run(run: Run, to: str = "onnx", *, attention: bool = False, half: bool = False) -> Kept:
    """Export its best model under a name that says how, such as best-half.onnx, in the place of an earlier one."""
    if to not in FORMATS:
        raise choices("format", to, FORMATS)
    weights = run.best_model
    network = load_model(weights)
    how = "".join(f"-{name}" for name, asked in (("attention", attention), ("half", half)) if asked)
    name = weights.name.removesuffix(".safetensors") + how + FORMATS[to].suffix
    if not os.access(run.checkpoints, os.W_OK):
        raise UserError(f"{run.checkpoints} may not be written to: copy the run to a folder of yours first.")
    with tempfile.TemporaryDirectory(prefix=".export-", dir=run.checkpoints) as folder:
        made = Path(folder, name)
        pictures = pictures_at_hand(weights, network)
        exported = export_model(network, made, to, attention=attention, half=half, pictures=pictures)
        files = [path.replace(run.checkpoints / path.name) for path in sorted(Path(folder).iterdir())]
    return Kept(exported._replace(path=run.checkpoints / name), files)


def pictures_at_hand(weights: Path, network: SegmentationModel) -> list[np.ndarray]:
    """To check an export on: the preview pictures of the run that the weights lie in, or else a few drawn shapes.

    None of a model that takes something else than colours.
    """
    previews = Previews(weights.parent.parent / "previews")
    if previews.names:
        return [previews.picture(number).image for number in range(len(previews.names))]
    if network.card and network.card.preprocessing and network.card.preprocessing.channels == "as_is":
        return []
    shapes = open_source("shapes", "shapes", count=2)
    return [shapes.read_image(item).array for item in shapes.items]

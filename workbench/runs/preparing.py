"""The prepared data of a run: a folder beside the runs that all runs with the same pictures and splits share."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

from workbench.config import DataConfig
from workbench.data.prepare import prepare
from workbench.data.prepared import Prepared, stored_as
from workbench.runs.naming import PREPARED

ONLY_IN_TRAINING = {
    "preprocessing",
    "augmentation",
    "augmentation_strength",
    "crop",
    "largest_class_share",
    "foreground_crops",
}
"""Knobs that prepared pictures do not depend on; of the preprocessing `stored_as` tells which matter."""


def prepare_for(config: DataConfig, runs: Path, progress: Callable[[int, int], None]) -> Prepared:
    """Prepare what is new or changed in the data of a run."""
    return prepare(config, prepared_folder(config, runs), progress)


def prepared_folder(config: DataConfig, runs: Path) -> Path:
    """Named after the data, and after all knobs that it is prepared by."""
    without = ONLY_IN_TRAINING if config.corrections else ONLY_IN_TRAINING | {"corrections"}
    recipe = config.model_dump(mode="json", exclude=without) | stored_as(config.preprocessing)
    key = hashlib.blake2b(json.dumps(recipe, sort_keys=True).encode(), digest_size=5).hexdigest()
    name = re.sub(r"[^\w.-]+", "-", Path(config.path).name, flags=re.ASCII).strip("-.") or "data"
    return runs / PREPARED / f"{name}-{key}"

"""What may change when a run goes on, and what would make it another run. Knows no folder of runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.config import RunConfig
from workbench.errors import UserError

CHANGEABLE = (
    "data.path",
    "data.split_file",
    "data.group_file",
    "data.corrections",
    "training.epochs",
    "training.iterations",
    "training.batch",
    "training.accumulation",
    "training.early_stopping",
    "training.validate_every",
    "training.report_every",
    "training.optimizer.learning_rate",
    "training.optimizer.clip_norm",
    "training.schedule",
    "training.hardware",
    "recording",
)
"""The knobs that a run may be resumed with otherwise; with others it would be another run.

The data may lie elsewhere, but its fingerprint must be the same.
"""


def with_whole_paths(config: RunConfig) -> RunConfig:
    """Paths that hold from any folder; the synthetic pictures are no path."""

    def whole(path: str | None) -> str | None:
        return str(Path(path).expanduser().absolute()) if path else path

    data = config.data
    changes = {knob: whole(getattr(data, knob)) for knob in ("split_file", "group_file", "corrections")}
    if not data.drawn:
        changes["path"] = whole(data.path)
    return config.model_copy(
        update={
            "data": data.model_copy(update=changes),
            "model": config.model.model_copy(update={"weights": whole(config.model.weights)}),
        }
    )


def refuse_another_run(before: RunConfig, after: RunConfig) -> None:
    """Refuse a change of any knob that is not `CHANGEABLE`."""
    different = [path for path in _differences(before.model_dump(), after.model_dump()) if not _is_changeable(path)]
    if different:
        raise UserError(
            f"A run cannot go on with another {', '.join(different)}: start a new run, with --model.weights if it is "
            f"to begin from this one's best model. What may change: {', '.join(CHANGEABLE)}."
        )


def _is_changeable(path: str) -> bool:
    return any(path == knob or path.startswith(f"{knob}.") for knob in CHANGEABLE)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name in before.keys() | after.keys():
        one, other = before.get(name), after.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += _differences(one, other, f"{prefix}{name}.")
        elif one != other:
            found.append(f"{prefix}{name}")
    return sorted(found)

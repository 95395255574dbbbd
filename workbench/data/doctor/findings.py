"""What the doctor says about a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from workbench.config import DataConfig

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Mend:
    """A change of the data config that mends a finding."""

    sentence: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Knobs of DataConfig and their new values; for `preprocessing` a mapping of its own knobs."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Name to group, to be written to a file for `group_file`."""
    splits: Mapping[str, str] = field(default_factory=dict)
    """Name to split, to be written to a file for `split_file`."""

    def applied_to(self, config: DataConfig) -> DataConfig:
        """The config with the changed knobs; of a group of knobs only those that are named change."""
        whole = config.model_dump()
        preprocessing = whole["preprocessing"] | self.changes.get("preprocessing", {})
        return DataConfig(**(whole | dict(self.changes) | {"preprocessing": preprocessing}))

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Mend:
        """What became JSON by `asdict`: all of its keys are texts there, also the values of masks."""
        changes = dict(values["changes"])
        if "mask_values" in changes:
            changes["mask_values"] = {_as_stored(value): number for value, number in changes["mask_values"].items()}
        return cls(**values | {"changes": changes})


def _as_stored(value: str) -> int | str:
    return value if value.startswith("#") else int(value)


class Illustration(NamedTuple):
    """RGB pictures side by side: for a mend before and after."""

    caption: str
    pictures: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor saw."""

    code: str
    severity: Severity
    title: str
    """What was found, with numbers."""
    explanation: str
    """What it would do to training, in one sentence."""
    files: tuple[str, ...] = ()
    """The names of the samples; of files where they belong to no sample."""
    advice: str = ""
    """What to do by hand."""
    mend: Mend | None = None
    groups: tuple[tuple[str, ...], ...] = ()
    """Which of the files belong together, where that matters."""
    illustrations: tuple[Illustration, ...] = ()

    @property
    def count(self) -> int:
        return len(self.files)

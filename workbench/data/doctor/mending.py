"""Mends of the doctor -> a data config, with the files that it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.config import DataConfig
from workbench.data.doctor.findings import Mend
from workbench.data.splits import Splits, write_groups, write_splits


def mended(config: DataConfig, mends: Sequence[Mend]) -> DataConfig:
    """The config with the changes of all mends."""
    for mend in mends:
        config = mend.applied_to(config)
    return config


def write_mends(config: DataConfig, mends: Sequence[Mend], beside: Path) -> DataConfig:
    """The mended config, with the files that it names written beside a file (NAME.groups.json, ...)."""
    groups = {name: group for mend in mends for name, group in mend.groups.items()}
    splits = {name: split for mend in mends for name, split in mend.splits.items()}
    files = {}
    if groups:
        file = beside.with_name(f"{beside.stem}.groups.json")
        write_groups(file, groups)
        files["group_file"] = str(file)
    if splits:
        file = beside.with_name(f"{beside.stem}.splits.json")
        members = {split: tuple(name for name, its in splits.items() if its == split) for split in Splits._fields}
        write_splits(file, Splits(**members))
        files["split_file"] = str(file)
    return mended(config, mends).model_copy(update=files)

"""What is wrong with a data set, what that would do to training, and how to mend it: `check` and its `Report`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.config import DataConfig
from workbench.data.doctor import copies, files, masks
from workbench.data.doctor.examination import Examination
from workbench.data.doctor.findings import Finding, Illustration, Mend, Severity
from workbench.data.doctor.illustrations import gallery, illustrated
from workbench.data.doctor.look import look_at_all
from workbench.data.doctor.report import Report, in_order
from workbench.data.doctor.summary import Summary, summarise
from workbench.data.layouts import open_source
from workbench.data.source import Source
from workbench.data.splits import groups_by_pattern, join_groups, read_groups, read_splits

__all__ = ["Finding", "Illustration", "Mend", "Report", "Severity", "Summary", "check"]

CHECKS = (*files.CHECKS, *masks.CHECKS, *copies.CHECKS)


def check(
    what: Source | DataConfig | str | Path,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> Report:
    """Look at every picture and mask of a data set and tell what training would stumble over.

    `workers` is the number of processes that read; None takes one a core.
    """
    config, source = _opened(what)
    looks = tuple(look_at_all(source, progress, workers))
    examination = Examination(source, config, looks, _splits(source, config), _groups(source, config))
    findings = in_order([finding for find in CHECKS for finding in find(examination)])
    return Report(
        config=config,
        findings=tuple(illustrated(examination, finding) for finding in findings),
        summary=summarise(examination),
        gallery=gallery(examination),
    )


def _opened(what: Source | DataConfig | str | Path) -> tuple[DataConfig, Source]:
    if isinstance(what, Source):
        return DataConfig(path=str(what.root), layout=what.layout), what
    config = what if isinstance(what, DataConfig) else DataConfig(path=str(what))
    return config, open_source(config.path, config.layout, **config.options)


def _splits(source: Source, config: DataConfig) -> dict[str, str]:
    if config.split_file is None:
        return source.splits
    splits = read_splits(config.split_file, {item.name for item in source.items})
    return {name: split for split, names in splits._asdict().items() for name in names}


def _groups(source: Source, config: DataConfig) -> dict[str, str]:
    names = [item.name for item in source.items]
    groupings = [{item.name: item.group for item in source.items if item.group}]
    if config.group_pattern:
        groupings.append(groups_by_pattern(names, config.group_pattern))
    if config.group_file:
        groupings.append(read_groups(config.group_file, names))
    return join_groups(*groupings)

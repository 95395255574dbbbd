"""The splits of a data set whose pictures are known: what the config asks for, and what must stay together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from workbench.config import DataConfig
from workbench.data.source import Source
from workbench.data.splits import (
    Splits,
    groups_by_pattern,
    join_groups,
    read_groups,
    read_splits,
    split_by_folds,
    split_by_fractions,
)
from workbench.data.store import Entry


def assign_splits(config: DataConfig, source: Source, entries: Sequence[Entry]) -> tuple[Splits, list[str]]:
    """The splits, and sentences on how they came about; a split file wins over folds, and those over the layout."""
    names = [entry.name for entry in entries]
    if config.split_file:
        return _from_file(config.split_file, source, names)
    own = {name: split for name, split in source.splits.items() if name in set(names)}
    free = [name for name in names if own.get(name) != "test"]
    groups, report = _groups(config, source, entries, 2 if config.folds else sum(part > 0 for part in config.fractions))
    shares = {entry.name: entry.share for entry in entries} if config.stratify else None
    seed = config.split_seed
    if config.folds:
        splits = split_by_folds(free, config.folds, config.fold, groups=groups, shares=shares, seed=seed)
        report.append(f"Fold {config.fold} of {config.folds} validates.")
    elif "valid" in own.values():
        splits = Splits(*(tuple(name for name in names if own.get(name) == split) for split in Splits._fields))
        return splits, ["The splits are the layout's own.", _counts(splits)]
    else:
        train, valid, test = config.fractions
        if "test" in own.values():
            train, valid, test = train / (train + valid), valid / (train + valid), 0.0
        splits = split_by_fractions(free, (train, valid, test), groups=groups, shares=shares, seed=seed)
        report.append(f"Split by chance (seed {seed}).")
    if "test" in own.values():
        splits = splits._replace(test=tuple(name for name in names if own.get(name) == "test"))
        report.append(f"The {len(splits.test)} test pictures are the layout's own.")
    return splits, [*report, _counts(splits)]


def _counts(splits: Splits) -> str:
    parts = (f"{len(names)} {split}" for split, names in splits._asdict().items())
    return f"Pictures: {', '.join(parts)}."


def _from_file(path: str, source: Source, names: Sequence[str]) -> tuple[Splits, list[str]]:
    """Names that are in the source but could not be read are passed over; the report tells them already."""
    there = set(names)
    stored = read_splits(path, {item.name for item in source.items})
    splits = Splits(*(tuple(name for name in part if name in there) for part in stored))
    left = len(there) - sum(map(len, splits))
    report = [f"The splits are those of {path}."]
    if left:
        report.append(f"It does not mention {left} pictures, which are in no split.")
    return splits, [*report, _counts(splits)]


def _groups(
    config: DataConfig, source: Source, entries: Sequence[Entry], parts: int
) -> tuple[dict[str, str], list[str]]:
    """Slices, tiles, patients and duplicates; but where that makes fewer groups than splits, each picture is alone."""
    names = [entry.name for entry in entries]
    duplicates = _duplicates(entries)
    groupings = [{item.name: item.group for item in source.items if item.group}, duplicates]
    if config.group_pattern:
        groupings.append(groups_by_pattern(names, config.group_pattern))
    if config.group_file:
        groupings.append(read_groups(config.group_file, names))
    groups = join_groups(*groupings)
    report = []
    if duplicates:
        report.append(f"{len(duplicates)} pictures are duplicates of others and stay in one split.")
    together = [count for count in Counter(groups.values()).values() if count > 1]
    if len({groups.get(name, name) for name in names}) >= parts:
        if together and groups.keys() - duplicates.keys():
            report.append(f"{len(together)} groups of pictures that belong together stay in one split each.")
        return groups, report
    report.append(
        "All pictures belong together (slices of one volume, tiles of one picture or one patient), so that they had to "
        "be split apart: scores will look better than on new pictures."
    )
    return {}, report


def _duplicates(entries: Sequence[Entry]) -> dict[str, str]:
    alike: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        alike[entry.pixels].append(entry.name)
    return {name: pixels for pixels, names in alike.items() if pixels and len(names) > 1 for name in names}

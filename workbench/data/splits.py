"""Which picture trains, validates and tests: pure functions on names, groups and shares; knows no files but its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import floor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.data.counting import named
from workbench.data.named_files import read_named, write_named
from workbench.errors import UserError

STRATA = 10
"""How many bands of foreground share are spread evenly."""


class Splits(NamedTuple):
    """The names in each split."""

    train: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


def split_by_fractions(
    names: Sequence[str],
    fractions: Sequence[float] = (0.7, 0.1, 0.2),
    *,
    groups: Mapping[str, str] | None = None,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Splits:
    """Names of one group stay together, and foreground shares are spread evenly over the splits.

    Sizes are rounded down and the last split takes the rest, so 2594 names at 0.7, 0.1, 0.2 are 1815, 259 and 520. No
    split that is asked for is empty while there are names enough.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6 or fractions[0] == 0:
        raise UserError(
            f"Fractions are three shares (train, valid, test) that add up to 1, with something to train on, "
            f"not {', '.join(map(str, fractions))}."
        )
    return Splits(*_deal(names, _sizes(len(names), fractions), groups, shares, seed))


def split_by_folds(
    names: Sequence[str],
    folds: int,
    fold: int,
    *,
    groups: Mapping[str, str] | None = None,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Splits:
    """Fold number `fold` of `folds` is valid, the others train."""
    if not 0 <= fold < folds:
        raise UserError(f"There is no fold {fold} of {folds}: the first is 0, the last {folds - 1}.")
    whole = len({(groups or {}).get(name, name) for name in names})
    if whole < folds:
        raise UserError(f"{folds} folds need at least as many pictures (or groups) as folds, but there are {whole}.")
    sizes = [len(names) // folds + (number < len(names) % folds) for number in range(folds)]
    parts = _deal(names, sizes, groups, shares, seed)
    train = {name for number, part in enumerate(parts) if number != fold for name in part}
    return Splits(tuple(name for name in names if name in train), parts[fold], ())


def _sizes(count: int, fractions: Sequence[float]) -> list[int]:
    sizes = [floor(count * fraction + 1e-9) for fraction in fractions]
    asked = [number for number, fraction in enumerate(fractions) if fraction > 0]
    sizes[asked[-1]] += count - sum(sizes)
    for number in asked:
        giving = [other for other in asked if sizes[other] > 1]
        if sizes[number] == 0 and giving:
            sizes[max(giving, key=lambda other: sizes[other] - count * fractions[other])] -= 1
            sizes[number] = 1
    return sizes


def _deal(
    names: Sequence[str],
    sizes: Sequence[int],
    groups: Mapping[str, str] | None,
    shares: Mapping[str, float] | None,
    seed: int,
) -> list[tuple[str, ...]]:
    """Deal out whole groups, the large ones first and bands of like share in turn, to the part that is most behind."""
    together: dict[str, list[str]] = {}
    for name in names:
        # a name without a group is alone, even if a group happens to be called like it
        key = f"group {groups[name]}" if groups and name in groups else f"name {name}"
        together.setdefault(key, []).append(name)
    keys = sorted(together)
    shuffled = [keys[number] for number in np.random.default_rng(seed).permutation(len(keys))]
    bands = _bands({key: [shares[name] for name in together[key]] for key in keys} if shares else {})
    order = sorted(shuffled, key=lambda key: (-len(together[key]).bit_length(), bands.get(key, 0)))
    counts = [0] * len(sizes)
    dealt = 0
    where: dict[str, int] = {}
    asked = [number for number, size in enumerate(sizes) if size]
    for position, key in enumerate(order):
        size = len(together[key])
        dealt += size
        behind = [goal * dealt / len(names) - count for goal, count in zip(sizes, counts, strict=True)]
        room = [number for number in asked if counts[number] + size <= sizes[number]]
        empty = [number for number in asked if not counts[number]]
        if len(order) - position <= len(empty):
            room = empty
        part = max(room or asked, key=behind.__getitem__)
        counts[part] += size
        where.update(dict.fromkeys(together[key], part))
    return [tuple(name for name in names if where[name] == part) for part in range(len(sizes))]


def _bands(shares: Mapping[str, Sequence[float]]) -> dict[str, int]:
    """A band for each key: 0 where there is no foreground, then bands of equally many keys."""
    means = {key: float(np.mean(values)) for key, values in shares.items()}
    filled = sorted((key for key, mean in means.items() if mean > 0), key=lambda key: (means[key], key))
    bands = {key: 1 + position * STRATA // len(filled) for position, key in enumerate(filled)}
    return {key: bands.get(key, 0) for key in means}


def groups_by_pattern(names: Iterable[str], pattern: str) -> dict[str, str]:
    """Name to the first group of a regular expression in it (the whole match where it has none)."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"group_pattern {pattern!r} is not a regular expression: {error}.") from None
    names = list(names)
    found = {name: match for name in names if (match := expression.search(name))}
    if names and not found:
        raise UserError(f"group_pattern {pattern!r} is found in none of {len(names)} names, such as {names[0]}.")
    return {name: match[1] if expression.groups and match[1] is not None else match[0] for name, match in found.items()}


def join_groups(*groupings: Mapping[str, str]) -> dict[str, str]:
    """Name to group such that whatever any of the groupings keeps together stays together."""
    parent: dict[tuple[int, str], tuple[int, str]] = {}

    def root(node: tuple[int, str]) -> tuple[int, str]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for number, grouping in enumerate(groupings, 1):
        for name, group in grouping.items():
            parent[root((number, group))] = root((0, name))
    names = {name for grouping in groupings for name in grouping}
    return {name: root((0, name))[1] for name in sorted(names)}


def write_splits(path: str | Path, splits: Splits) -> None:
    """As JSON, for `split_file`; whole or not at all."""
    write_named(Path(path), splits._asdict())


def write_groups(path: str | Path, groups: Mapping[str, str]) -> None:
    """Name to group as JSON, for `group_file`; whole or not at all."""
    write_named(Path(path), dict(groups))


def read_groups(path: str | Path, names: Collection[str]) -> dict[str, str]:
    """The groups, written before, of those names that there are; a name that it does not mention has no group."""
    stored = read_named(path, "group", "`workbench data check --fix`")
    if not all(isinstance(group, str) for group in stored.values()):
        raise UserError(f"The group file {path} must hold a mapping from names to groups.")
    groups = {name: stored[name] for name in names if name in stored}
    if stored and not groups:
        raise UserError(f"The group file {path} names none of the pictures: it was written for others.")
    return groups


def read_splits(path: str | Path, names: Collection[str]) -> Splits:
    """A split written before; names that there are not, or that are in two splits, are refused.

    Names that it does not mention are in no split.
    """
    stored = read_named(path, "split", "`workbench data split`")
    if not set(stored) <= set(Splits._fields) or not all(map(_is_names, stored.values())):
        raise UserError(f"The split file {path} must hold a list of names for each of {', '.join(Splits._fields)}.")
    splits = Splits(**{split: tuple(members) for split, members in stored.items()})
    check_splits(splits, names, f"The split file {path}")
    return splits


def check_splits(splits: Splits, names: Collection[str], what: str) -> None:
    """Refuse overlaps, unknown names, and a split without anything to train on."""
    known, seen = set(names), set[str]()
    for members in splits:
        unknown = [name for name in members if name not in known]
        if unknown:
            raise UserError(
                f"{what} has names that are not in the data ({named(unknown)}): it was written for other pictures."
            )
        again = [name for name in members if name in seen] + _repeated(members)
        if again:
            raise UserError(
                f"{what} has names twice ({named(again)}): a picture that trains must not validate or test."
            )
        seen.update(members)
    if not splits.train:
        raise UserError(f"{what} leaves nothing to train on.")


def _repeated(members: Sequence[str]) -> list[str]:
    return sorted({name for name in members if members.count(name) > 1}) if len(set(members)) < len(members) else []


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)

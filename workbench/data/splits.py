"""Which picture trains, validates and tests: pure functions on names, groups and shares; knows no files but its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Splits(NamedTuple):
    """The names in each split."""

    train: tuple[str, ...] = ()
    valid: tuple[str, ...] = ()
    test: tuple[str, ...] = ()


def split_by_fractions(
    names: Sequence[str],
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    *,
    groups: Mapping[str, str] | None = None,
    shares: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Splits:
    """Train and valid rounded down, the rest is test; names of one group stay together, shares are spread evenly."""
    raise NotImplementedError


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
    raise NotImplementedError


def groups_by_pattern(names: Iterable[str], pattern: str) -> dict[str, str]:
    """Name to the first group of a regular expression in it (the whole match where it has none)."""
    raise NotImplementedError


def join_groups(*groupings: Mapping[str, str]) -> dict[str, str]:
    """Name to group such that whatever any of the groupings keeps together stays together."""
    raise NotImplementedError


def write_splits(path: str | Path, splits: Splits) -> None:
    """As JSON, for `split_file`."""
    raise NotImplementedError


def read_splits(path: str | Path, names: Iterable[str]) -> Splits:
    """A split written before, checked against the names that there are."""
    raise NotImplementedError

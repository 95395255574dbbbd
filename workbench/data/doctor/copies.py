"""Findings about pictures that belong together: copies, near copies and tiles, and where splits tear them apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from workbench.data.counting import plural
from workbench.data.doctor.examination import Examination
from workbench.data.doctor.findings import Finding, Mend
from workbench.data.doctor.likeness import clusters, equal, nearly_equal, seams
from workbench.data.doctor.look import PictureLook

Group = tuple[str, ...]


class Togetherness(NamedTuple):
    """Groups of names."""

    copies: list[Group]
    near_copies: list[Group]
    tiles: list[Group]


def copies(examination: Examination) -> Iterator[Finding]:
    """Everything about pictures that belong together."""
    found = _find(examination)
    together = clusters((group[0], name) for groups in found for group in groups for name in group[1:])
    mend = _keep_together(examination, together)
    masks = {item.name: mask.digest for item, mask in examination.masks}
    contradicting = [group for group in found.copies if len({masks[name] for name in group if name in masks}) > 1]
    if contradicting:
        yield _finding(
            "contradictions",
            contradicting,
            f"{plural(len(contradicting), 'picture')} {'occurs' if len(contradicting) == 1 else 'occur'} more than "
            "once, with different masks.",
            "The model is told two truths about one picture.",
            "Keep the better mask of each.",
        )
    if agreeing := [group for group in found.copies if group not in contradicting]:
        yield _finding(
            "duplicates",
            agreeing,
            f"{_extra(agreeing)} of {plural(len(agreeing), 'other')}, equal in every pixel.",
            "They count twice in training; a split by chance keeps exact copies together.",
            "Take the copies out, unless they are meant to count more.",
        )
    if found.near_copies:
        yield _finding(
            "near_duplicates",
            found.near_copies,
            f"{plural(sum(map(len, found.near_copies)), 'picture')} are nearly equal to others (compressed, resized, "
            f"brightened, turned or mirrored): {plural(len(found.near_copies), 'group')}.",
            "Split by chance, a model is tested on what it has seen, and scores look better than they are.",
            "Take the copies out, or keep them in one split.",
            mend,
        )
    if found.tiles:
        yield _finding(
            "tiles",
            found.tiles,
            f"{plural(sum(map(len, found.tiles)), 'picture')} are neighbouring tiles of "
            f"{plural(len(found.tiles), 'larger picture')}.",
            "Split by chance, neighbours land in training and test, and scores look better than they are.",
            "Keep the tiles of one picture in one split.",
            mend,
        )
    yield from _leaks(examination, together)


def _finding(
    code: str, groups: list[Group], title: str, explanation: str, advice: str, mend: Mend | None = None
) -> Finding:
    files = tuple(name for group in groups for name in group)
    return Finding(code, "warning", title, explanation, files, advice, mend, tuple(groups))


def _extra(groups: Sequence[Group]) -> str:
    count = sum(len(group) - 1 for group in groups)
    return f"{plural(count, 'picture')} {'is a copy' if count == 1 else 'are copies'}"


def _find(examination: Examination) -> Togetherness:
    """Groups that nothing holds together yet."""
    seen = [(item.name, picture) for item, picture in examination.pictures if not picture.is_constant]
    names = [name for name, _ in seen]
    pictures = [picture for _, picture in seen]
    exact = equal([picture.digest for picture in pictures])
    later = {other for _, other in exact}
    unique = [number for number in range(len(seen)) if number not in later]
    thumbnails = [pictures[number].thumbnail for number in unique]
    near = [(unique[one], unique[other]) for one, other in nearly_equal(np.stack(thumbnails))] if unique else []
    side_by_side = list(_seams(pictures, unique))

    def groups_of(pairs) -> list[Group]:
        return [tuple(group) for group in clusters((names[one], names[other]) for one, other in pairs)]

    def is_free(pair) -> bool:
        one, other = (examination.groups.get(names[number]) for number in pair)
        return one is None or one != other

    return Togetherness(groups_of(exact), groups_of(filter(is_free, near)), groups_of(filter(is_free, side_by_side)))


def _seams(pictures: Sequence[PictureLook], unique: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Seams among pictures of one size and type."""
    alike: dict[tuple, list[tuple[int, np.ndarray]]] = defaultdict(list)
    for number in unique:
        picture = pictures[number]
        if picture.borders is not None:
            alike[picture.size, picture.dtype, picture.facts.channels].append((number, picture.borders))
    for group in alike.values():
        numbers, borders = zip(*group, strict=True)
        yield from ((numbers[one], numbers[other]) for one, other, _ in seams(np.stack(borders)))


def _keep_together(examination: Examination, together: list[list[str]]) -> Mend | None:
    """A group file, where pictures are still to be split."""
    if examination.splits:
        return None
    groups = {name: min(names) for names in together for name in names}
    return Mend(
        f"Keep {plural(len(together), 'group')} of {plural(len(groups), 'picture')} that belong together in one split "
        "each, by a group file.",
        groups=groups,
    )


def _leaks(examination: Examination, together: list[list[str]]) -> Iterator[Finding]:
    splits = examination.splits
    torn = [group for group in together if len({splits[name] for name in group if name in splits}) > 1]
    if not torn:
        return
    names = {name for group in torn for name in group}
    moved = {name: "train" if name in names else split for name, split in splits.items()}
    from_where = Counter(splits[name] for name in names if splits.get(name, "train") != "train")
    left = Counter(moved.values())
    mend = None
    if all(left[split] for split in set(splits.values())):
        what = " and ".join(f"{plural(count, 'picture')} of {split}" for split, count in from_where.items())
        mend = Mend(f"Move {what} to train, by a split file.", splits=moved)
    yield Finding(
        "leaks",
        "warning",
        f"{plural(len(torn), 'group')} of pictures that belong together (copies, near copies or tiles) are torn apart "
        "by the splits.",
        "The model is tested on what it has seen, so that scores look better than they are.",
        tuple(name for group in torn for name in group),
        "Put each group into one split.",
        mend,
        tuple(map(tuple, torn)),
    )


CHECKS = (copies,)

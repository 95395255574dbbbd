"""Which pictures are alike: equal, nearly equal (also turned or mirrored), or neighbours cut from one larger picture.

Knows thumbnails and borders as look.py makes them, and nothing of files; everything goes in blocks of bounded memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

Pair = tuple[int, int]

TOP, BOTTOM, LEFT, RIGHT = range(4)
"""The order of borders."""

BLOCK = 1024

COARSE, FINE = 0.965, 0.93
"""How much the details of two thumbnails must correlate; distinct pictures stay below 0.95 and 0.92, copies that were
compressed, resized, blurred or brightened above 0.97 and 0.95."""

SEAM, WEAK_SEAM = 0.88, 0.8
"""How much the details along two borders must correlate; the weaker ones count only between pictures that both have a
strong seam too. Among 5,000 strangers the best by chance reach 0.87."""
BETTER = 0.5
"""The seam's distance to a perfect one, as a share of the next best candidate's."""
STEP = 2.0
"""How large the step over a seam may be, in steps between neighbouring pixels inside."""
FLAT = 1e-3
"""Details of a smaller norm are none."""


def equal(digests: Sequence[bytes]) -> list[Pair]:
    """Every later picture with the first that equals it."""
    first: dict[bytes, int] = {}
    pairs = []
    for number, digest in enumerate(digests):
        if digest and first.setdefault(digest, number) != number:
            pairs.append((first[digest], number))
    return pairs


def nearly_equal(thumbnails: np.ndarray) -> list[Pair]:
    """Pairs of [n, side, side] thumbnails that show the same, whatever the turn or the mirroring."""
    coarse, fine = _details(thumbnails, 2.0), _details(thumbnails, 1.0)
    found = set()
    for start in range(0, len(thumbnails), BLOCK):
        block = slice(start, start + BLOCK)
        for turned, turned_fine in zip(_eight_ways(coarse[block]), _eight_ways(fine[block]), strict=True):
            likeness = turned.reshape(len(turned), -1) @ coarse[start:].reshape(len(coarse) - start, -1).T
            for row, column in np.argwhere(likeness > COARSE):
                if column > row and np.vdot(turned_fine[row], fine[start + column]) > FINE:
                    found.add((start + int(row), start + int(column)))
    return sorted(found)


def _details(thumbnails: np.ndarray, blur: float) -> np.ndarray:
    """Unit vectors of what is left without the coarse light; a flat picture is all zero and like nothing."""
    rest = np.stack([small - cv2.GaussianBlur(small, (0, 0), blur) for small in thumbnails.astype(np.float32)])
    norm = np.linalg.norm(rest, axis=(1, 2), keepdims=True)
    return rest / np.where(norm < FLAT, np.inf, norm)


def _eight_ways(pictures: np.ndarray) -> Iterator[np.ndarray]:
    for turns in range(4):
        turned = np.rot90(pictures, turns, (1, 2))
        yield turned
        yield turned[:, :, ::-1]


class Seam(NamedTuple):
    """One picture goes on in another."""

    one: int
    other: int
    is_below: bool
    """The other lies below; otherwise to the right."""


def seams(borders: np.ndarray) -> list[Seam]:
    """Where pictures of one size go on in each other; [n, 4, 2, samples].

    Two borders are a seam where their details agree, each is the other's best match by far, and the step from one to
    the other is no larger than between neighbouring pixels inside.
    """
    found: dict[Seam, float] = {}
    for one, other in ((BOTTOM, TOP), (RIGHT, LEFT)):
        outer, inner = borders[:, :, 0], borders[:, :, 1]
        ours, theirs = _profiles(outer[:, one]), _profiles(outer[:, other])
        best, likeness, next_best = _best_matches(ours, theirs)
        back, _, _ = _best_matches(theirs, ours)
        inside = np.abs(outer - inner).mean(axis=2)
        for number, match in enumerate(best):
            if likeness[number] < WEAK_SEAM or back[match] != number:
                continue
            if 1 - likeness[number] > BETTER * (1 - next_best[number]):
                continue
            step = np.abs(outer[number, one] - outer[match, other]).mean()
            if step <= STEP * max(0.25, (inside[number, one] + inside[match, other]) / 2):
                found[Seam(number, int(match), one == BOTTOM)] = float(likeness[number])
    sure = {end for seam, likeness in found.items() if likeness >= SEAM for end in (seam.one, seam.other)}
    return [seam for seam in found if {seam.one, seam.other} <= sure]


def arranged(borders: np.ndarray) -> dict[int, tuple[int, int]]:
    """(row, column) of pictures that are joined to the first one, as far as no two would share a place."""
    places, joined = {0: (0, 0)}, seams(borders)
    for _ in borders:
        for one, other, is_below in joined:
            down, right = (1, 0) if is_below else (0, 1)
            for known, new, sign in ((one, other, 1), (other, one, -1)):
                if known in places and new not in places:
                    place = places[known][0] + sign * down, places[known][1] + sign * right
                    if place not in places.values():
                        places[new] = place
    top, left = (min(place[axis] for place in places.values()) for axis in (0, 1))
    return {number: (row - top, column - left) for number, (row, column) in places.items()}


def _profiles(lines: np.ndarray) -> np.ndarray:
    """Unit vectors of the details along borders; flat ones are all zero."""
    rest = lines - cv2.GaussianBlur(np.ascontiguousarray(lines), (31, 1), 8.0, sigmaY=1e-3)
    rest -= rest.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(rest, axis=1, keepdims=True)
    return rest / np.where(norm < FLAT, np.inf, norm)


def _best_matches(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of ours the most alike of the others' (never itself), how alike it is, and how alike the next is."""
    best, likeness, next_best = (np.zeros(len(ours), kind) for kind in (np.int64, np.float32, np.float32))
    for start in range(0, len(ours), BLOCK):
        product = ours[start : start + BLOCK] @ theirs.T
        rows = np.arange(len(product))
        product[rows, rows + start] = -1
        block = slice(start, start + BLOCK)
        best[block] = product.argmax(axis=1)
        likeness[block] = product[rows, best[block]]
        product[rows, best[block]] = -1
        next_best[block] = product.max(axis=1)
    return best, likeness, next_best


def clusters(pairs: Iterable[tuple[Hashable, Hashable]]) -> list[list]:
    """What is joined by pairs, directly or by way of others; in the order in which it is first named."""
    parent: dict = {}

    def root(thing):
        while parent.setdefault(thing, thing) != thing:
            parent[thing] = parent[parent[thing]]
            thing = parent[thing]
        return thing

    for one, other in pairs:
        parent[root(other)] = root(one)
    joined = defaultdict(list)
    for thing in parent:
        joined[root(thing)].append(thing)
    return list(joined.values())

"""Masks to polygons along the edges of their pixels, holes and all, so that filling them gives the same pixels."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

Ring = list[list[int]]
"""Corners (x, y) of pixels; the last is the first again."""
Polygon = list[Ring]
"""The outer ring, then those of its holes, which run the other way round."""

RIGHT, DOWN, LEFT, UP = range(4)
"""Where an outline goes; the mask is at its right hand, as seen in the picture."""


class Corners(NamedTuple):
    """Where the outlines of a mask turn."""

    x: np.ndarray
    y: np.ndarray
    before: np.ndarray
    """The direction in which an outline comes to the corner,"""
    after: np.ndarray
    """and the one in which it leaves it."""
    piece: np.ndarray
    """Which piece of the mask it goes round."""


def outlines(numbers: np.ndarray) -> dict[int, list[Polygon]]:
    """The polygons of each object in a picture [h, w] of object numbers, where 0 is none and no two objects touch.

    An object that hangs together over corners alone has several polygons. Each polygon is valid: its rings cross
    nowhere, and touch at most in single points.
    """
    _, pieces = cv2.connectedComponents((numbers > 0).astype(np.uint8), connectivity=4)
    owner = np.zeros(int(pieces.max(initial=0)) + 1, np.int64)
    owner[pieces] = numbers
    found: dict[int, list[Polygon]] = {}
    for piece, rings in _rings(_corners(np.pad(pieces, 1))).items():
        outer_first = sorted(rings, key=_area, reverse=True)
        found.setdefault(int(owner[piece]), []).append(outer_first)
    return found


def _corners(pieces: np.ndarray) -> Corners:
    """All corners. `pieces` has a border of 0, one pixel wide, before which point (0, 0) lies.

    Each point lies between four pixels, a b over c d. The corner of a pixel that stands alone is a turn to the right;
    the corner of the ground between two pixels of one piece is a turn to the left. Where two pixels of one piece meet
    corner to corner the outline so goes over from one to the other, and what it encloses is a ring of its own.
    """
    a, b, c, d = pieces[:-1, :-1], pieces[:-1, 1:], pieces[1:, :-1], pieces[1:, 1:]
    right_turns = (
        (d, b, c, a, UP, RIGHT),
        (c, a, d, b, RIGHT, DOWN),
        (a, b, c, d, DOWN, LEFT),
        (b, a, d, c, LEFT, UP),
    )
    left_turns = (
        (a, b, c, RIGHT, UP),
        (b, a, d, DOWN, RIGHT),
        (d, b, c, LEFT, DOWN),
        (c, a, d, UP, LEFT),
    )
    found = [
        ((pixel > 0) & (beside == 0) & (over == 0) & (opposite != pixel), pixel, before, after)
        for pixel, beside, over, opposite, before, after in right_turns
    ] + [
        ((ground == 0) & (beside > 0) & (beside == over), beside, before, after)
        for ground, beside, over, before, after in left_turns
    ]
    parts = []
    for where, piece, before, after in found:
        y, x = where.nonzero()
        parts.append(Corners(x, y, np.full(len(x), before), np.full(len(x), after), piece[y, x]))
    return Corners(*map(np.concatenate, zip(*parts, strict=True)))


def _following(corners: Corners) -> np.ndarray:
    """For each corner the next one on its outline: the nearest that is come to in the direction in which it is left."""
    following = np.empty(len(corners.x), np.int64)
    far = int(max(corners.x.max(initial=0), corners.y.max(initial=0))) + 1
    lines = {RIGHT: (corners.y, corners.x), LEFT: (corners.y, -corners.x)}
    lines |= {DOWN: (corners.x, corners.y), UP: (corners.x, -corners.y)}
    for direction, (line, along) in lines.items():
        order = line * (2 * far) + along
        left, reached = (np.flatnonzero(way == direction) for way in (corners.after, corners.before))
        reached = reached[np.argsort(order[reached])]
        following[left] = reached[np.searchsorted(order[reached], order[left], side="right")]
    return following


def _rings(corners: Corners) -> dict[int, list[Ring]]:
    """The closed outlines of each piece."""
    following = _following(corners).tolist()
    points = np.stack((corners.x, corners.y), 1).tolist()
    rings: dict[int, list[Ring]] = {}
    seen = [False] * len(points)
    for start, piece in enumerate(corners.piece.tolist()):
        ring, at = [], start
        while not seen[at]:
            seen[at] = True
            ring.append(points[at])
            at = following[at]
        if ring:
            rings.setdefault(piece, []).append([*ring, ring[0]])
    return rings


def _area(ring: Ring) -> int:
    """Twice the enclosed area, less than 0 for a hole."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring))

"""Polygons: valid, and the same pixels again, checked with shapely and with every pattern of a small mask."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon

from workbench.inference.outlines import outlines


def numbered(mask):
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]


def filled(polygons, shape):
    """The pixels whose centres lie inside."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    inside = np.zeros(shape, bool)
    for polygon in polygons:
        inside |= shapely.contains_xy(polygon, x, y)
    return inside


def check(mask):
    numbers = numbered(mask)
    found = outlines(numbers)
    assert set(found) == set(np.unique(numbers)) - {0}
    for number, parts in found.items():
        polygons = [Polygon(part[0], part[1:]) for part in parts]
        assert all(polygon.is_valid for polygon in polygons), shapely.is_valid_reason(polygons)
        assert sum(polygon.area for polygon in polygons) == (numbers == number).sum()
        np.testing.assert_array_equal(filled(polygons, mask.shape), numbers == number)
        assert shapely.MultiPolygon(polygons).is_valid


@pytest.mark.parametrize("width", [3, 4])
def test_every_pattern_of_a_small_mask(width):
    for code in range(2 ** (3 * width)):
        if width == 4 and code % 5:
            continue
        check(np.array([code >> bit & 1 for bit in range(3 * width)], bool).reshape(3, width))


def test_random_masks_with_holes_in_holes_and_touching_corners():
    rng = np.random.default_rng(0)
    for share in (0.3, 0.5, 0.7, 0.9):
        check(rng.random((40, 31)) < share)


def test_a_ring_that_closes_over_a_corner_has_a_hole():
    mask = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], bool)
    (polygons,) = outlines(numbered(mask)).values()
    assert [len(polygon) for polygon in polygons] == [2]
    check(mask)


def test_rings_are_corners_only_and_holes_run_the_other_way_round():
    mask = np.ones((6, 8), bool)
    mask[2:4, 3:5] = False
    ((polygon,),) = outlines(numbered(mask)).values()
    outer, hole = polygon
    assert sorted(map(tuple, outer[:-1])) == [(0, 0), (0, 6), (8, 0), (8, 6)]
    assert shapely.LinearRing(outer).is_ccw
    assert not shapely.LinearRing(hole).is_ccw
    assert outer[0] == outer[-1]


def test_nothing_has_no_outline():
    assert outlines(np.zeros((4, 4), np.int32)) == {}

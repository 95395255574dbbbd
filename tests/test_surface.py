"""Distances of outlines against all pairs of outline pixels, and cases that were decided."""

import numpy as np
import pytest

from workbench.inference.surface import outline, surface_scores


def by_all_pairs(ours: np.ndarray, theirs: np.ndarray, spacing: tuple[float, float], tolerance: float):
    def edge(mask: np.ndarray) -> np.ndarray:
        padded = np.pad(mask, 1)
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        return np.argwhere(mask & ~inner) * np.array(spacing)

    a, b = edge(ours), edge(theirs)
    distances = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
    to_theirs, to_ours = distances.min(1), distances.min(0)
    precision, recall = np.mean(to_theirs <= tolerance), np.mean(to_ours <= tolerance)
    f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return max(np.percentile(to_theirs, 95), np.percentile(to_ours, 95)), f


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 2.0)])
@pytest.mark.parametrize("seed", range(6))
def test_against_all_pairs(seed, spacing):
    rng = np.random.default_rng(seed)
    ours, theirs = rng.random((2, 23, 31)) < rng.uniform(0.05, 0.9)
    scores = surface_scores(ours, theirs, spacing, tolerance=1.0)
    assert scores == pytest.approx(by_all_pairs(ours, theirs, spacing, 1.0))


def test_a_shifted_square():
    square = np.zeros((40, 40), bool)
    square[10:20, 10:20] = True
    assert surface_scores(square, square) == (0.0, 1.0)
    shifted = np.roll(square, 3, axis=1)
    assert surface_scores(shifted, square).hd95 == 3.0
    assert surface_scores(shifted, square, tolerance=3.0).boundary_f == 1.0
    assert surface_scores(shifted, square, spacing=(1.0, 0.5)).hd95 == 1.5


def test_what_is_nowhere_or_in_one_alone():
    nothing, something = np.zeros((8, 8), bool), np.eye(8, dtype=bool)
    assert np.isnan(surface_scores(nothing, nothing)).all()
    for scores in (surface_scores(nothing, something), surface_scores(something, nothing)):
        assert np.isnan(scores.hd95)
        assert scores.boundary_f == 0.0


def test_a_mask_that_fills_the_picture_ends_at_its_border():
    full = np.ones((9, 9), bool)
    assert outline(full).sum() == 32
    assert surface_scores(full, full) == (0.0, 1.0)

"""Whether maps depend on what a model has learned: the same maps with its weights shuffled, against the real ones.

A map that looks the same with shuffled weights shows the picture and the architecture, not the training.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from scipy.stats import spearmanr
from torch import nn

from workbench.models import SegmentationModel

Maps = Callable[[SegmentationModel], Mapping[str, np.ndarray]]
"""A model to its maps [h, w] by name: attention of one picture, or an attribution."""

CASCADE = (0.25, 0.5, 0.75, 1.0)
"""Shares of the layers that are shuffled, from the output on."""

ALIKE = 0.5
"""A rank correlation above this with all weights shuffled means that a map hardly depends on them."""


class Likeness(NamedTuple):
    """A map with shuffled weights against the same map of the model as it is."""

    name: str
    shuffled: float
    """The share of layers whose weights were shuffled."""
    rank_correlation: float
    """Spearman's: 1 the same order of values, 0 unrelated, also where one of the maps is constant."""
    ssim: float
    """Structural similarity over 7 x 7 cells, both maps taken as they are."""


def sanity_check(
    model: SegmentationModel, maps: Maps, *, cascade: bool = True, draws: int = 3, seed: int = 0
) -> list[Likeness]:
    """Shuffle more and more layers' weights from the output on (or all at once), and compare; means over draws."""
    real = dict(maps(model))
    steps = CASCADE if cascade else CASCADE[-1:]
    rows = []
    for share in steps:
        drawn = [maps(shuffled_weights(model, share, seed + draw)) for draw in range(draws)]
        for name, one in real.items():
            correlations = [rank_correlation(one, other[name]) for other in drawn]
            likenesses = [ssim(one, other[name]) for other in drawn]
            rows.append(Likeness(name, share, float(np.mean(correlations)), float(np.mean(likenesses))))
    return rows


def verdict(rows: list[Likeness]) -> list[str]:
    """A sentence a map, from the rows with all weights shuffled."""
    return [_sentence(row) for row in rows if row.shuffled == 1]


def _sentence(row: Likeness) -> str:
    figures = f"rank correlation {row.rank_correlation:.2f}, structural similarity {row.ssim:.2f}"
    if row.rank_correlation > ALIKE:
        return (
            f"{row.name} hardly depends on the weights: with all of them shuffled it stays much the same ({figures}), "
            "so it shows the picture and the architecture rather than what was learned."
        )
    return f"{row.name} depends on the weights: with all of them shuffled it is another map ({figures})."


def shuffled_weights(model: SegmentationModel, share: float = 1.0, seed: int = 0) -> SegmentationModel:
    """A copy whose last layers, this share of all, keep their weights' values but in another order."""
    model = copy.deepcopy(model)
    random = torch.Generator().manual_seed(seed)
    layers = [layer for layer in model.modules() if next(layer.parameters(recurse=False), None) is not None]
    for layer in layers[len(layers) - round(share * len(layers)) :]:
        _shuffle(layer, random)
    return model


@torch.no_grad()
def _shuffle(layer: nn.Module, random: torch.Generator) -> None:
    for values in (*layer.parameters(recurse=False), *layer.buffers(recurse=False)):
        order = torch.randperm(values.numel(), generator=random).to(values.device)
        values.copy_(values.flatten()[order].view_as(values))


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's, with 0 where a map is constant and so orders nothing."""
    if one.min() == one.max() or other.min() == other.max():
        return 0.0
    return float(spearmanr(one.ravel(), other.ravel()).statistic)


def ssim(one: np.ndarray, other: np.ndarray, window: int = 7) -> float:
    """Mean structural similarity of two maps on the scale 0..1 (Wang et al. 2004, uniform window)."""
    x, y = one.astype(np.float64), other.astype(np.float64)

    def mean(values: np.ndarray) -> np.ndarray:
        return uniform_filter(values, window)

    x_mean, y_mean = mean(x), mean(y)
    x_spread, y_spread = mean(x * x) - x_mean**2, mean(y * y) - y_mean**2
    together = mean(x * y) - x_mean * y_mean
    small, smaller = 0.03**2, 0.01**2
    alike = (2 * x_mean * y_mean + smaller) * (2 * together + small)
    return float((alike / ((x_mean**2 + y_mean**2 + smaller) * (x_spread + y_spread + small))).mean())

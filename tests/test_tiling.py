"""Tiles: where they lie, that they add up, and that they equal the whole where they can."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from networks import OWN, small
from predicting import TASKS, lively, noise, predictor

from workbench.errors import UserError
from workbench.inference.context import context_of
from workbench.inference.tiling import BAND_BYTES, Mosaic, Plan, Tiling, choose_tiling, plan_tiles, spans, stitched

ALIGNED_CORNERS = {"bilinear_unet", "unetpp"}


@pytest.mark.parametrize("tiling", [Tiling(64, 16, 0, True), Tiling(96, 0, 32, False), Tiling(128, 16, 32, False)])
@pytest.mark.parametrize("length", [1, 64, 65, 129, 200, 777, 1000])
def test_spans_cover_everything_once(tiling, length):
    found = spans(length, tiling, 16)
    weights = np.zeros(length)
    for span in found:
        assert span.start % 16 == 0
        assert span.stop - span.start <= tiling.size
        assert span.start <= span.first < span.last <= span.stop
        weights[span.first : span.last] += span.weights
    np.testing.assert_allclose(weights, 1, atol=1e-6)
    assert found[0].first == 0
    assert found[-1].last == length
    for one, other in pairwise(found):
        assert other.first - other.start == one.stop - one.last == tiling.margin


@pytest.mark.parametrize("blend", [0, 32])
def test_stitching_gives_the_picture_back_in_bands(blend):
    picture = np.random.default_rng(0).random((2, 300, 401), np.float32)
    tiling = Tiling(160, 16, blend, False)
    plan = plan_tiles((300, 401), tiling, 16, maps=2)
    done = []
    bands = list(
        stitched(
            plan,
            lambda row, column: picture[:, row.start : row.stop, column.start : column.stop],
            lambda number, of: done.append((number, of)),
        )
    )
    assert len(bands) == len(plan.rows) > 1
    assert all(band.shape[2] == 401 for band in bands)
    np.testing.assert_allclose(np.concatenate(bands, axis=1), picture, atol=1e-6)
    assert done == [(number, plan.tiles) for number in range(1, plan.tiles + 1)]


def test_wide_pictures_with_many_maps_are_cut_into_lower_rows():
    tiling = Tiling(896, 112, 0, True)
    few, many = (plan_tiles((20000, 20000), tiling, 16, maps) for maps in (1, 19))
    assert len(few.rows) == len(few.columns)
    assert len(many.rows) > len(few.rows)
    assert 19 * 20000 * 4 * max(row.last - row.first for row in many.rows) < 2 * BAND_BYTES


def test_coarse_maps_are_put_together_at_their_own_resolution():
    whole = np.arange(25 * 19, dtype=np.float32).reshape(25, 19)
    mosaic = Mosaic((400, 304))
    plan = plan_tiles((397, 300), Tiling(160, 16, 32, False), 16, 1)
    for row in plan.rows:
        for column in plan.columns:
            cells = np.s_[row.start // 16 : -(-row.stop // 16), column.start // 16 : -(-column.stop // 16)]
            tile = whole[cells]
            mosaic.add(row, column, {"gate": tile}, (16 * tile.shape[0], 16 * tile.shape[1]))
    np.testing.assert_array_equal(mosaic.maps["gate"], whole)


def test_without_a_tiling_there_is_one_tile():
    plan = plan_tiles((30, 50), None, 16, 1)
    assert plan.tiles == 1
    assert isinstance(plan, Plan)


def test_tiles_that_their_overlap_leaves_no_room_are_refused_with_the_least_size():
    with pytest.raises(UserError, match="at least 240"):
        choose_tiling(112, 16, size=200)
    assert choose_tiling(112, 16, size=240).exact


def test_a_smaller_overlap_than_the_context_is_kept_but_not_exact():
    tiling = choose_tiling(112, 16, size=256, overlap=64)
    assert not tiling.exact
    assert tiling.overlap == 64
    assert choose_tiling(112, 16, overlap=224).exact


def test_the_context_of_unet_is_what_its_layers_add_up_to():
    # Two 3x3 convolutions on the upper level down, two on the lower, one after upsampling and two more on the upper,
    # each seeing one pixel of its level to each side; pooling by 2 can put one pixel more between them.
    assert 2 + 2 * 2 + 1 + 2 <= context_of(small("unet", depth=2)) <= 12
    assert context_of(small("unet", depth=3)) > context_of(small("unet", depth=2))


@pytest.mark.parametrize("name", OWN)
def test_context_is_known_where_position_does_not_matter(name):
    context = context_of(lively(name, TASKS["binary"]))
    assert (context is None) == (name in ALIGNED_CORNERS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["smp_pspnet", "smp_pan"])
def test_global_pooling_has_no_context(name):
    assert context_of(small(name).eval()) is None


def test_nothing_outside_the_context_matters():
    model = lively("attention_unet", TASKS["binary"])
    context = context_of(model)
    picture = torch.randn(1, 3, 16, 2 * context + 64)
    other = picture.clone()
    start = 16 + context
    other[..., start + 16 + context :] = 9
    other[..., :16] = -9
    with torch.inference_mode():
        one, two = (model(x).logits[..., start : start + 16] for x in (picture, other))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["attention_unet", "unet_fcn"])
def test_tiled_is_whole(name):
    picture = noise(300, 421)
    whole, tiled = (predictor(name, "multiclass", tile=tile)(picture) for tile in (None, 256))
    assert tiled.notes == ()
    assert whole.probabilities.std() > 0.02
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-4)
    for gate in whole.attention:
        np.testing.assert_allclose(tiled.attention[gate], whole.attention[gate], atol=1e-4)


def test_where_tiles_differ_from_the_whole_it_is_measured_and_said():
    picture = noise(200, 300)
    whole, tiled = (predictor("unetpp", tile=tile)(picture) for tile in (None, 160))
    (note,) = tiled.notes
    assert "tiles of 160" in note
    most = float(note.split(" on average and ")[1].split(" at most")[0])
    assert most > 0
    assert np.abs(whole.probabilities - tiled.probabilities).max() < 10 * most + 0.05


def test_a_smaller_overlap_than_needed_is_measured_too():
    (note,) = predictor("attention_unet", tile=128, overlap=32)(noise(200, 300)).notes
    assert "overlap by 32" in note


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OWN if name not in ALIGNED_CORNERS])
def test_every_network_that_can_be_is_exact_in_tiles(name):
    picture = noise(700, 330)
    whole, tiled = (predictor(name, tile=tile)(picture) for tile in (None, 672))
    assert tiled.notes == ()
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-4)

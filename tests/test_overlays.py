"""Overlays: the right pixels in the right colours, told apart by everybody, on scales that are named, in time."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest
from predicting import TASKS, made_up, noise
from scipy import ndimage

from workbench import overlays
from workbench.errors import UserError
from workbench.overlays import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUE_POSITIVE,
    attention_overlay,
    class_colours,
    coloured_map,
    edges,
    error_overlay,
    mask_overlay,
    palette,
)
from workbench.task import Task

# How linear RGB looks with one kind of cones missing (Machado, Oliveira and Fernandes 2009, full severity).
COLOUR_VISIONS = {
    "usual": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def as_seen(colours, vision):
    """sRGB 0..255 to CIE Lab as that vision has it."""
    srgb = np.array(colours, np.float64) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = (linear @ np.array(COLOUR_VISIONS[vision]).T).clip(0, 1)
    seen = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(seen.astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]


def nearest(colours, vision):
    seen = as_seen(colours, vision)
    return min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2))


@pytest.mark.parametrize("vision", COLOUR_VISIONS)
def test_colours_of_errors_and_of_seven_classes_are_told_apart(vision):
    assert nearest([TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE], vision) > 30
    assert nearest(class_colours(7), vision) > 9


def test_many_classes_have_colours_of_their_own_that_do_not_change():
    colours = class_colours(28)
    assert len({tuple(colour) for colour in colours.tolist()}) == 28
    np.testing.assert_array_equal(class_colours(3), colours[:3])
    assert class_colours(0).shape == (0, 3)


def test_the_palette_leaves_background_black_and_paints_a_class_0_that_is_none():
    assert palette(TASKS["multiclass"])[:2].tolist() == [[0, 0, 0], class_colours(1)[0].tolist()]
    roads = Task(mode="multiclass", classes=("road", "car"))
    np.testing.assert_array_equal(palette(roads)[:2], class_colours(2))


@pytest.mark.parametrize("mode", ["binary", "multiclass"])
@pytest.mark.parametrize("opacity", [0.0, 0.4, 1.0])
def test_filled_pixels_are_mixed_and_the_others_stay(mode, opacity):
    prediction = made_up(mode)
    picture, colours = prediction.picture, palette(prediction.task)
    result = mask_overlay(picture, prediction.labels, prediction.task, opacity=opacity, contours=0)
    mixed = (1 - opacity) * picture + opacity * colours[prediction.labels]
    expected = np.where(prediction.labels[..., None] > 0, mixed, picture)
    assert np.abs(result - expected).max() <= 2


def test_planes_lie_over_each_other():
    prediction = made_up("multilabel")
    result = mask_overlay(prediction.picture, prediction.labels, prediction.task, opacity=0.5, contours=0)
    expected = prediction.picture.astype(np.float32)
    for number, plane in enumerate(prediction.labels):
        expected = np.where(plane[..., None] == 1, (expected + palette(prediction.task)[number]) / 2, expected)
    assert np.abs(result - expected).max() <= 3


def test_more_than_eight_overlapping_classes():
    task = Task(mode="multilabel", classes=tuple("abcdefghij"))
    planes = np.zeros((10, 8, 8), np.uint8)
    planes[9, :4] = 1
    result = mask_overlay(noise(8, 8), planes, task, opacity=1, contours=0)
    assert (result[:4] == palette(task)[9]).all()
    assert (result[4:] == noise(8, 8)[4:]).all()


def test_contours_follow_the_inner_edge_in_full_colour():
    labels = np.zeros((20, 20), np.uint8)
    labels[5:15, 5:15] = 1
    picture = noise(20, 20)
    thin, thick = (mask_overlay(picture, labels, TASKS["binary"], opacity=0, contours=width) for width in (1, 2))
    colour = palette(TASKS["binary"])[1]
    for result, width in ((thin, 1), (thick, 2)):
        inner = ndimage.binary_erosion(labels, np.ones((3, 3)), iterations=width)
        line = (labels == 1) & ~inner
        assert (result[line] == colour).all()
        assert (result[~line] == picture[~line]).all()


def test_contours_part_classes_that_touch_but_not_the_picture_s_border():
    labels = np.ones((10, 10), np.uint8)
    assert not edges(labels).any()
    labels[:, 5:] = 2
    assert (np.flatnonzero(edges(labels)[0]) == [4, 5]).all()


def test_what_is_ignored_is_not_painted():
    labels = np.full((6, 6), 255, np.uint8)
    np.testing.assert_array_equal(mask_overlay(noise(6, 6), labels, TASKS["multiclass"]), noise(6, 6))


def test_the_true_scale_shows_a_flat_map_as_flat_and_rescaling_is_named():
    flat = np.linspace(0.478, 0.481, 64, dtype=np.float32).reshape(8, 8)
    true, own = coloured_map(flat), coloured_map(flat, rescale=True)
    assert len(np.unique(true.rgb.reshape(-1, 3), axis=0)) <= 2
    assert len(np.unique(own.rgb.reshape(-1, 3), axis=0)) > 40
    assert true.legend == "0 to 1"
    assert own.legend == "rescaled: 0.478 to 0.481"
    constant = coloured_map(np.full((4, 4), 0.3, np.float32), rescale=True)
    assert constant.legend == "rescaled: 0.3 to 0.3"


@pytest.mark.parametrize("name", overlays.COLOUR_MAPS)
def test_more_is_lighter(name):
    rgb = coloured_map(np.linspace(0, 1, 256, dtype=np.float32)[None], colour_map=name).rgb
    lightness = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0, :, 0].astype(int)
    assert (np.diff(lightness) >= -2).all()
    assert lightness[-1] - lightness[0] > 150


def test_attention_is_laid_over_with_the_asked_opacity():
    picture, values = noise(8, 8), np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    np.testing.assert_array_equal(attention_overlay(picture, values, opacity=0).rgb, picture)
    np.testing.assert_array_equal(attention_overlay(picture, values, opacity=1).rgb, coloured_map(values).rgb)


def test_errors_have_three_colours_and_ignored_pixels_none():
    truth = np.array([[0, 0, 1, 1, 255, 255]], np.uint8)
    found = np.array([[0, 1, 0, 1, 0, 1]], np.uint8)
    picture = noise(1, 6)
    result = error_overlay(picture, found, truth, opacity=1, contours=0)
    assert result[0, 1:4].tolist() == [[*FALSE_POSITIVE], [*FALSE_NEGATIVE], [*TRUE_POSITIVE]]
    assert (result[0, [0, 4, 5]] == picture[0, [0, 4, 5]]).all()


def test_error_lines_are_white_for_the_truth_and_black_for_the_prediction():
    truth, found = np.zeros((2, 20, 20), np.uint8)
    truth[2:8, 2:8], found[12:18, 12:18] = 1, 1
    result = error_overlay(noise(20, 20), found, truth, contours=1)
    assert (result[2, 2:8] == 255).all()
    assert (result[12, 12:18] == 0).all()


def test_misfits_are_told():
    with pytest.raises(UserError, match=r"8x8.*6x6"):
        mask_overlay(noise(6, 6), np.zeros((8, 8), np.uint8), TASKS["binary"])
    with pytest.raises(UserError, match="RGB"):
        mask_overlay(noise(6, 6, 1), np.zeros((6, 6), np.uint8), TASKS["binary"])
    with pytest.raises(UserError, match="opacity"):
        mask_overlay(noise(6, 6), np.zeros((6, 6), np.uint8), TASKS["binary"], opacity=2)
    with pytest.raises(UserError, match="colour map"):
        coloured_map(np.zeros((2, 2), np.float32), colour_map="jet")
    with pytest.raises(UserError, match="truth"):
        error_overlay(noise(6, 6), np.zeros((6, 6), np.uint8), np.zeros((5, 6), np.uint8))

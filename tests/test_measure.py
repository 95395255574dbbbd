"""Measurements: against scipy's, and by hand where a shape is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from predicting import TASKS, made_up
from scipy import ndimage

from workbench.inference.measure import find_objects, measure_objects, summarise

EIGHT = np.ones((3, 3))


@pytest.mark.parametrize("mode", TASKS)
def test_every_object_as_scipy_measures_it(mode):
    prediction = made_up(mode)
    rows = measure_objects(prediction)
    intensity = prediction.picture.mean(axis=2)
    expected = 0
    for number, name in prediction.task.foreground.items():
        mask = prediction.labels[number] if mode == "multilabel" else prediction.labels == number
        numbers, count = ndimage.label(mask, EIGHT)
        own = {(row.left, row.top, row.area_px): row for row in rows if row.class_name == name}
        assert len(own) == count > 0
        expected += count
        for place, (tall, wide) in enumerate(ndimage.find_objects(numbers), 1):
            one = numbers == place
            row = own[wide.start, tall.start, one.sum()]
            assert (row.width, row.height) == (wide.stop - wide.start, tall.stop - tall.start)
            y, x = ndimage.center_of_mass(one)
            assert (row.centroid_x_px, row.centroid_y_px) == pytest.approx((x + 0.5, y + 0.5))
            assert row.mean_intensity == pytest.approx(intensity[one].mean())
            channel = 0 if mode == "binary" else number
            assert row.mean_probability == pytest.approx(prediction.probabilities[channel][one].mean(), rel=1e-5)
            assert row.equivalent_diameter_px == pytest.approx(2 * np.sqrt(one.sum() / np.pi))
            assert row.area_mm2 is None
    assert len(rows) == expected


def test_millimetres_where_rows_and_columns_differ():
    prediction = made_up("binary", spacing=(0.5, 0.25))
    for row in measure_objects(prediction):
        assert row.area_mm2 == pytest.approx(row.area_px / 8)
        assert row.centroid_x_mm == pytest.approx(row.centroid_x_px * 0.25)
        assert row.centroid_y_mm == pytest.approx(row.centroid_y_px * 0.5)
        assert row.equivalent_diameter_mm == pytest.approx(2 * np.sqrt(row.area_mm2 / np.pi))


def test_numbers_are_those_of_the_objects():
    prediction = made_up("multiclass")
    for objects in find_objects(prediction):
        for row in (row for row in measure_objects(prediction) if row.class_name == objects.name):
            assert (objects.numbers == row.object).sum() == row.area_px


@pytest.mark.parametrize("mode", TASKS)
def test_the_summary_adds_up(mode):
    prediction = made_up(mode, spacing=(2.0, 3.0))
    rows = measure_objects(prediction)
    for (number, name), row in zip(prediction.task.foreground.items(), summarise(prediction, rows), strict=True):
        mask = prediction.labels[number] if mode == "multilabel" else prediction.labels == number
        assert row.class_name == name
        assert row.area_px == mask.sum()
        assert row.area_share == pytest.approx(mask.mean())
        assert row.area_mm2 == pytest.approx(6 * mask.sum())
        assert row.objects == ndimage.label(mask, EIGHT)[1]
        assert row.mean_intensity == pytest.approx(prediction.picture.mean(axis=2)[mask > 0].mean())
        assert row.mean_object_px == pytest.approx(mask.sum() / row.objects)


def test_nothing_found_is_a_row_of_nothing():
    prediction = made_up("binary")
    empty = replace(prediction, labels=np.zeros_like(prediction.labels))
    assert measure_objects(empty) == []
    (row,) = summarise(empty, [])
    assert (row.objects, row.area_px, row.mean_object_px, row.mean_intensity) == (0, 0, None, None)

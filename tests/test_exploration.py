"""What a viewer gets of a prediction says the same as the prediction."""

import base64
import json

import numpy as np
import pytest
import torch
from exploring import pixels
from predicting import TASKS, made_up, noise

from workbench.inference import exploration
from workbench.inference.exploration import changes, colours, explored, pixel_facts
from workbench.overlays import COLOUR_MAPS, coloured_map, palette
from workbench.task import Task


@pytest.fixture(params=["binary", "multiclass", "multilabel"])
def prediction(request):
    return made_up(request.param)


def test_it_is_json_and_names_what_it_is(prediction):
    found = json.loads(json.dumps(explored(prediction)))
    assert (found["name"], found["mode"]) == ("cells", prediction.task.mode)
    assert (found["width"], found["height"], found["notes"], found["truth"]) == (80, 60, [], None)


def test_the_small_picture_comes_as_it_is(prediction):
    np.testing.assert_array_equal(pixels(explored(prediction)["base"]), prediction.picture)


def test_masks_of_the_planes_are_those_of_the_prediction(prediction):
    found, task = explored(prediction), prediction.task
    if task.mode == "multiclass":
        np.testing.assert_array_equal(pixels(found["labels"]), prediction.labels)
        return
    masks = [pixels(plane["plane"]) >= 128 for plane in found["probabilities"]]
    np.testing.assert_array_equal(masks[0] if task.mode == "binary" else np.stack(masks), prediction.labels)


def test_a_probability_of_just_one_half_belongs_to_the_class():
    levels = pixels(exploration.plane(np.array([[0.5, 0.4999, 0.0, 1.0]], np.float32), (1, 4), 0, 1)["plane"])
    assert levels.tolist() == [[128, 127, 0, 255]]


def test_planes_keep_values_to_within_half_a_level(prediction):
    found = explored(prediction)
    for channel, plane in zip(prediction.probabilities, found["probabilities"], strict=True):
        np.testing.assert_allclose(pixels(plane["plane"]) / 255, channel, atol=0.5 / 255 + 1e-6)
    entropy, gate = found["maps"]
    for told, values in ((entropy, prediction.entropy), (gate, prediction.attention["stride_8"])):
        assert (told["low"], told["high"]) == (values.min(), values.max())
        span = told["high"] - told["low"]
        read = told["low"] + pixels(told["plane"]) / 255 * span
        np.testing.assert_allclose(read, values, atol=0.5 * span / 255 + 1e-6)


def test_a_gate_that_hardly_varies_keeps_its_detail():
    gate = np.linspace(0.478, 0.481, 60 * 80, dtype=np.float32).reshape(60, 80)
    told = exploration.ranged_plane(gate, (60, 80))
    assert len(np.unique(pixels(told["plane"]))) == 256
    assert (told["low"], told["high"]) == pytest.approx((0.478, 0.481))


def test_classes_have_the_colours_of_the_overlays(prediction):
    of_task = palette(prediction.task)
    found = explored(prediction)["classes"]
    assert {one["id"]: one["name"] for one in found} == prediction.task.foreground
    for one in found:
        assert one["colour"] == "#{:02x}{:02x}{:02x}".format(*of_task[one["id"]])
        assert one["channel"] == (0 if prediction.task.mode == "binary" else one["id"])


def test_the_true_mask_comes_exactly(prediction):
    truth = prediction.labels.copy()
    truth[..., 0, 0] = 255
    planes = explored(prediction, truth)["truth"]
    np.testing.assert_array_equal(np.stack([pixels(plane) for plane in planes]), truth.reshape(-1, 60, 80))


def test_large_pictures_are_shown_reduced_and_it_is_said(monkeypatch):
    prediction = made_up("multiclass")
    monkeypatch.setattr(exploration, "SIDE", 40)
    found = explored(prediction, prediction.labels)
    assert "40x30 of 80x60" in found["notes"][0]
    assert (found["width"], found["height"]) == (80, 60)
    planes = [found["labels"], *found["truth"], *(one["plane"] for one in found["probabilities"] + found["maps"])]
    assert {pixels(plane).shape for plane in planes} == {(30, 40)}
    assert pixels(found["base"]).shape == (30, 40, 3)
    assert set(np.unique(pixels(found["labels"]))) <= set(range(4))


def test_many_classes_are_bounded_together(monkeypatch):
    monkeypatch.setattr(exploration, "PLANE_PIXELS", 4 * 30 * 40)
    assert exploration.shown_size(made_up("multiclass")) == (30, 40)


def test_larger_pictures_lose_little():
    picture = np.kron(noise(60, 80), np.ones((16, 16, 1), np.uint8))
    shown = pixels(exploration.picture_address(picture))
    assert shown.shape == picture.shape
    assert np.abs(shown.astype(int) - picture).mean() < 12


def test_a_pixel_s_facts_are_exact(prediction):
    found = pixel_facts(prediction, 7, 11)
    values = [one["value"] for one in found["probabilities"]]
    assert values == prediction.probabilities[:, 7, 11].tolist()
    names = [one["name"] for one in found["probabilities"]]
    assert names == (["nucleus"] if prediction.task.mode == "binary" else list(prediction.task.classes))
    assert found["gates"] == [{"name": "stride_8", "value": float(prediction.attention["stride_8"][7, 11])}]


def test_colour_maps_are_those_of_the_overlays():
    maps = colours()["maps"]
    ramp = np.arange(256, dtype=np.float32)[None] / 255
    for name in COLOUR_MAPS:
        rgb = np.frombuffer(base64.b64decode(maps[name]), np.uint8).reshape(1, 256, 3)
        np.testing.assert_array_equal(rgb, coloured_map(ramp, colour_map=name).rgb)


@pytest.mark.parametrize(
    ("task", "before", "after", "kinds"),
    [
        (TASKS["binary"], [0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 0]),
        (TASKS["multiclass"], [0, 0, 1, 1], [0, 2, 0, 3], [0, 1, 2, 3]),
        (Task(mode="multiclass", classes=("a", "b")), [0, 0, 1, 1], [0, 1, 0, 1], [0, 3, 3, 0]),
        (TASKS["multilabel"], [[0, 0], [0, 1], [0, 1]], [[0, 1], [0, 0], [0, 1]], [0, 3]),
        (TASKS["multilabel"], [[0, 0], [0, 1], [0, 0]], [[0, 0], [0, 0], [1, 0]], [1, 2]),
    ],
)
def test_what_changes_between_two_masks(task, before, after, kinds):
    one, other = (np.array(labels, np.uint8)[..., None, :] for labels in (before, after))
    assert changes(one, other, task).tolist() == [kinds]
    assert torch.from_numpy(changes(one, other, task)).dtype == torch.uint8

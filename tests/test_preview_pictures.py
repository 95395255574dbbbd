"""Previews in colours: what is right is seen, and attention is on its true scale."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import UserError
from workbench.overlays import coloured_map, palette
from workbench.runs.demo import add_demo_run
from workbench.runs.preview_pictures import answer_maps, answer_previews, gates, shown_maps, shown_pictures
from workbench.runs.previews import PreviewMaps, PreviewPicture, Previews
from workbench.runs.run import Run
from workbench.task import Task


@pytest.fixture
def previews(tmp_path):
    """One grey picture with a square in the middle, found half; a gate from 0.4 to 0.6."""
    previews = Previews(tmp_path / "previews")
    mask = np.zeros((16, 16), np.uint8)
    mask[4:12, 4:12] = 1
    previews.begin([PreviewPicture("square", np.full((16, 16, 3), 100, np.uint8), mask)])
    labels = mask.copy()
    labels[8:] = 0
    gate = np.full((4, 4), 102, np.uint8)
    gate[0, 0] = 153
    previews.add(1, [PreviewMaps(labels, mask * 255, {"coarse": gate, "fine": np.full((8, 8), 255, np.uint8)})])
    return previews


def test_truth_and_prediction_are_drawn_where_they_are(previews):
    (shown,) = shown_pictures(previews)
    (maps,) = shown_maps(previews, 1)
    assert (shown.name, shown.picture.shape) == ("square", (16, 16, 3))
    changed = (shown.truth != 100).any(-1)
    assert changed[4:12, 4:12].all()
    assert not changed[:3].any()
    assert not (maps.prediction[9:] != 100).any()
    assert (maps.prediction[5, 5] == shown.truth[5, 5]).all()
    assert maps.attention is None


def test_attention_is_on_its_true_scale_unless_rescaled(previews):
    (true,) = shown_maps(previews, 1, "coarse")
    (rescaled,) = shown_maps(previews, 1, "coarse", rescale=True)
    assert (true.legend, rescaled.legend) == ("0 to 1", "rescaled: 0.4 to 0.6")
    assert np.ptp(rescaled.attention.astype(int)) > np.ptp(true.attention.astype(int))
    at_04 = coloured_map(np.full((1, 1), 0.4, np.float32)).rgb[0, 0]
    assert true.attention[15, 15] == pytest.approx(0.4 * 100 + 0.6 * at_04, abs=1.5)


def test_gates_are_listed_from_coarse_to_fine(previews):
    assert gates(previews) == ["coarse", "fine"]
    with pytest.raises(UserError, match="coarse, fine"):
        shown_maps(previews, 1, "other")


def test_the_task_is_kept_with_the_pictures(tmp_path):
    task = Task(mode="multiclass", classes=("road", "car", "sky"))
    previews = Previews(tmp_path)
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    previews.begin([PreviewPicture("street", np.zeros((2, 2, 3), np.uint8), mask)], task)
    previews.add(1, [PreviewMaps(mask, mask, {})])
    assert previews.task == task
    assert (shown_pictures(previews)[0].truth[0, 0] == palette(task)[0]).all(), "class 0 is no background"


@pytest.mark.parametrize(
    ("mask", "mode", "classes"),
    [
        (np.eye(4), "binary", 2),
        (np.arange(16).reshape(4, 4) % 4, "multiclass", 4),
        (np.ones((3, 4, 4)), "multilabel", 3),
    ],
)
def test_older_previews_tell_their_task_by_their_masks(tmp_path, mask, mode, classes):
    previews = Previews(tmp_path)
    previews.begin([PreviewPicture("a", np.zeros((4, 4, 3), np.uint8), mask.astype(np.uint8))])
    assert (previews.task.mode, len(previews.task.classes)) == (mode, classes)
    assert shown_pictures(previews)[0].truth.shape == (4, 4, 3)


def test_live_views_are_told_once(tmp_path):
    run = add_demo_run(tmp_path)
    answer = answer_previews(run)
    assert (len(answer["pictures"]), answer["epochs"][-1]) == (4, 12)
    assert answer["gates"] == ["stride_4", "stride_2", "stride_1"]
    assert all(picture["truth"].startswith("data:image/") for picture in answer["pictures"])
    assert answer_previews(run, answer["mark"]) == {"mark": answer["mark"]}
    maps = answer_maps(run, 3, "stride_4")
    assert len(maps) == 4
    assert maps != answer_maps(run, 12, "stride_4")
    assert sum(len(str(one)) for one in maps) < 400_000


def test_a_run_without_previews_has_none_yet(tmp_path):
    run = Run.create(add_demo_run(tmp_path).config, tmp_path, "new")
    answer = answer_previews(run)
    assert answer["epochs"] == []
    assert answer_previews(run, answer["mark"]) == {"mark": answer["mark"]}


@pytest.mark.parametrize("epoch", ["../../../secret", "1", None])
def test_an_epoch_that_is_no_number_opens_nothing(tmp_path, epoch):
    run = add_demo_run(tmp_path)
    with pytest.raises((TypeError, ValueError)):
        answer_maps(run, epoch, "stride_1")

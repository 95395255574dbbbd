"""Small pictures of a prepared set: the colours of classes, kept beside the arrays, chosen by split, name and share."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from workbench.config import DataConfig
from workbench.data.prepare import prepare
from workbench.data.thumbnails import ORDERS, SIDE, chosen, drawn, shown, thumbnail
from workbench.overlays import palette
from workbench.task import Task


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    config = DataConfig(options={"count": 10, "size": 200}, preprocessing={"resize": "none"})
    return prepare(config, tmp_path_factory.mktemp("data") / "shapes", workers=1)


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_thumbnail_is_made_once_and_kept_with_the_arrays(prepared):
    made = thumbnail(prepared, 2)
    assert max(pixels(made.picture).shape) == SIDE
    kept = list((prepared.folder / prepared.arrays / "thumbnails").iterdir())
    assert len(kept) == 2
    kept[0].write_bytes(b"read again")
    assert b"read again" in thumbnail(prepared, 2)


def test_where_nothing_can_be_kept_it_is_made_all_the_same(prepared, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workbench.data.thumbnails._write", full)
    assert pixels(thumbnail(prepared, 5).picture).shape == (SIDE, SIDE, 3)


def test_the_mask_is_seen_where_it_is_marked(prepared):
    mask, layer = prepared.mask(1), pixels(shown(prepared, 1, 400).mask)
    assert layer.shape == (200, 200, 4)
    np.testing.assert_array_equal(layer[..., 3] == 255, mask == 1)
    np.testing.assert_array_equal(layer[mask == 1][0, :3], palette(prepared.task)[1])


def test_classes_that_overlap_lie_one_over_the_other():
    mask = np.zeros((2, 4, 4), np.uint8)
    mask[0, :2] = mask[1, 1:3] = 1
    task = Task(mode="multilabel", classes=("a", "b"))
    layer = pixels(drawn(np.zeros((4, 4, 1), np.uint16), mask, task, 4).mask)
    colours = palette(task)
    assert layer[:3, 0, :3].tolist() == colours[[0, 1, 1]].tolist()
    assert layer[3, 0, 3] == 0


def test_pictures_are_chosen_by_split_name_and_share(prepared):
    assert list(chosen(prepared)) == list(range(10))
    assert list(chosen(prepared, "valid")) == list(prepared.splits["valid"])
    name = prepared.names[3]
    assert [prepared.names[number] for number in chosen(prepared, words=name.upper())] == [name]
    shares = [prepared.entries[number].share for number in chosen(prepared, order=ORDERS[1])]
    assert shares == sorted(shares)
    assert list(chosen(prepared, order=ORDERS[2])) == list(chosen(prepared, order=ORDERS[1]))[::-1]

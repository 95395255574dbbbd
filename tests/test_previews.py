"""Previews: maps that come back as they went in, small, and tied to the same pictures."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.errors import UserError
from workbench.runs.previews import PreviewMaps, PreviewPicture, Previews, reduced, spread


@pytest.fixture
def previews(tmp_path):
    return Previews(tmp_path / "previews")


def picture(name, size=32):
    chance = np.random.default_rng(0)
    return PreviewPicture(name, chance.integers(0, 256, (size, size, 3), np.uint8), np.eye(size, dtype=np.uint8))


def maps(value, size=32):
    attention = {"gate 1": np.full((4, 4), value, np.uint8), "gate 2": np.full((8, 8), value, np.uint8)}
    return PreviewMaps(np.eye(size, dtype=np.uint8), np.full((size, size), value, np.uint8), attention)


def assert_same(one, other):
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.probability, other.probability)
    assert one.attention.keys() == other.attention.keys()
    assert all(np.array_equal(one.attention[gate], other.attention[gate]) for gate in one.attention)


def test_pictures_and_maps_come_back(previews):
    assert previews.names == []
    assert previews.epochs == []
    pictures = [picture("a"), picture("b/ä")]
    previews.begin(pictures)
    previews.add(1, [maps(10), maps(20)])
    previews.add(2, [maps(30), maps(40)])
    assert previews.names == ["a", "b/ä"]
    assert previews.epochs == [1, 2]
    assert np.array_equal(previews.picture(1).image, pictures[1].image)
    assert np.array_equal(previews.picture(1).mask, pictures[1].mask)
    assert_same(previews.maps(1, 0), maps(10))
    assert_same(previews.maps(2, 1), maps(40))


def test_a_resumed_run_goes_on_and_replaces(previews):
    for value in (10, 99):
        previews.begin([picture("a")])
        previews.add(1, [maps(value)])
    assert previews.epochs == [1]
    assert_same(previews.maps(1, 0), maps(99))


def test_other_pictures_begin_anew(previews):
    previews.begin([picture("a")])
    previews.add(1, [maps(1)])
    previews.begin([picture("b")])
    assert (previews.names, previews.epochs) == (["b"], [])


def test_an_epoch_that_is_not_there_is_a_sentence(previews):
    previews.begin([picture("a")])
    with pytest.raises(UserError, match="none yet"):
        previews.maps(1, 0)
    previews.add(1, [maps(1)])
    previews.add(2, [maps(1)])
    with pytest.raises(UserError, match="epochs 1 to 2"):
        previews.maps(7, 0)


def test_a_smooth_map_of_four_pictures_is_small(previews):
    """So that hundreds of epochs are some ten megabytes."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    blob = np.exp(-8 * (x**2 + y**2))
    smooth = PreviewMaps((blob > 0.5).astype(np.uint8), (blob * 255).astype(np.uint8), {})
    previews.begin([picture(str(number), 256) for number in range(4)])
    previews.add(1, [smooth] * 4)
    assert (previews.folder / "epoch-00001.npz").stat().st_size < 4 * 40_000


@pytest.mark.parametrize(
    ("shape", "small"), [((512, 1024), (128, 256)), ((3, 700, 350), (3, 256, 128)), ((9, 7), (9, 7))]
)
def test_large_maps_are_reduced(shape, small):
    assert reduced(np.zeros(shape, np.uint8), exact=False).shape == small


def test_labels_are_never_averaged():
    labels = np.random.default_rng(0).choice(np.array([0, 7, 255], np.uint8), (600, 600))
    assert set(np.unique(reduced(labels, exact=True))) == {0, 7, 255}


@pytest.mark.parametrize(("count", "of", "numbers"), [(4, 10, [0, 3, 6, 9]), (4, 2, [0, 1]), (1, 9, [0]), (4, 0, [])])
def test_the_pictures_are_spread_over_all(count, of, numbers):
    assert spread(count, of) == numbers

import time

import numpy as np
import pytest
from scipy import ndimage

from workbench.data.layouts import open_source
from workbench.errors import UserError

MODES = ("binary", "multiclass", "multilabel")


def read(path="shapes", **options):
    source = open_source(path, **options)
    return [(source.read_image(item).array, source.read_raw_mask(item)) for item in source.items]


@pytest.mark.parametrize("mode", MODES)
def test_pictures_and_masks(mode):
    for picture, mask in read(f"shapes:{mode}", count=8, size=64):
        assert picture.shape == (64, 64, 3)
        assert picture.dtype == mask.dtype == np.uint8
        assert mask.shape == ((3, 64, 64) if mode == "multilabel" else (64, 64))
        assert mask.max() <= {"binary": 1, "multiclass": 3, "multilabel": 1}[mode]
    every = np.unique(np.concatenate([mask.ravel() for _, mask in read(f"shapes:{mode}", count=20)]))
    assert every.tolist() == {"binary": [0, 1], "multiclass": [0, 1, 2, 3], "multilabel": [0, 1]}[mode]


def test_classes_of_multilabel_overlap():
    assert any((mask.sum(0) > 1).any() for _, mask in read("shapes:multilabel", count=20, difficulty=0.5))


def test_a_picture_depends_on_seed_and_number_alone():
    few, many = read(count=3, seed=5), read(count=9, seed=5)
    for (one, one_mask), (other, other_mask) in zip(few, many[:3], strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(one_mask, other_mask)
    assert not np.array_equal(few[0][0], read(count=1, seed=6)[0][0])
    assert not np.array_equal(few[0][0], few[1][0])


def test_what_is_read_may_be_changed():
    source = open_source("shapes", count=1)
    item = source.items[0]
    before = source.read_image(item).array
    source.read_image(item).array[:] = 0
    source.read_raw_mask(item)[:] = 9
    assert np.array_equal(source.read_image(item).array, before)
    assert source.read_raw_mask(item).max() == 1


def by_threshold(picture, mask):
    """Dice of the best that one threshold on the brightness can do."""
    grey = picture.mean(2)
    best = 0.0
    for level in np.percentile(grey, range(2, 99, 4)):
        for chosen in (grey > level, grey <= level):
            best = max(best, 2 * (chosen & (mask > 0)).sum() / (chosen.sum() + (mask > 0).sum() + 1e-9))
    return best


def test_difficulty_makes_it_harder():
    scores, sizes = [], []
    for difficulty in (0, 0.5, 1):
        pictures = read(count=12, difficulty=difficulty)
        scores.append(np.mean([by_threshold(*pair) for pair in pictures]))
        objects = [np.bincount(ndimage.label(mask)[0].ravel())[1:] for _, mask in pictures]
        sizes.append(np.median(np.concatenate(objects)))
    assert scores[0] > 0.95
    assert scores[0] > scores[1] + 0.1
    assert scores[1] > scores[2]
    assert scores[2] < 0.6
    assert sizes[0] > 2 * sizes[2]


@pytest.mark.parametrize("options", [{"count": 0}, {"size": 8}, {"difficulty": 1.5}, {"seed": -1}])
def test_options_are_checked(options):
    with pytest.raises(UserError, match="Shapes need"):
        open_source("shapes", **options)


def test_unknown_kinds_and_options():
    with pytest.raises(UserError, match="Unknown kind of shapes 'binray'"):
        open_source("shapes:binray")
    with pytest.raises(UserError, match="Unknown option of the shapes layout 'counts'"):
        open_source("shapes", counts=3)


def test_they_are_drawn_fast():
    source = open_source("shapes", count=120, difficulty=0.5)
    times = []
    for start in range(0, 120, 20):
        began = time.process_time()
        for item in source.items[start : start + 20]:
            source.read_image(item)
            source.read_raw_mask(item)
        times.append(time.process_time() - began)
    assert 20 / min(times) > 300  # about 1,000 on one core of 2024

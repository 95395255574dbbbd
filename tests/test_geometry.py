import numpy as np
import pytest

from workbench.config import Preprocessing
from workbench.data.geometry import RULES, fit_picture, put_mask, put_picture, resize_picture, take_back
from workbench.errors import UserError

SIZES = [(64, 64), (60, 90), (90, 60), (33, 257), (1, 5), (300, 200)]


def picture_of(size):
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack([rows % 256, columns % 256, (rows + columns) % 256], 2).astype(np.uint8)


@pytest.mark.parametrize("resize", RULES)
@pytest.mark.parametrize("original", SIZES)
def test_every_rule_there_and_back(resize, original):
    preprocessing = Preprocessing(resize=resize, size=(48, 64), multiple=16)
    fit = fit_picture(original, preprocessing)
    assert put_picture(picture_of(original), fit).shape == (*fit.frame, 3)
    mask = (picture_of(original)[..., 0] % 4).astype(np.uint8)
    placed = put_mask(mask, fit)
    assert placed.shape == fit.frame
    assert set(np.unique(placed)) <= {0, 1, 2, 3, 255}
    assert (placed == 255).sum() == fit.frame[0] * fit.frame[1] - fit.inner[0] * fit.inner[1]
    back = take_back(placed[None], fit, labels=True)
    assert back.shape == (1, *original)
    assert set(np.unique(back)) <= {0, 1, 2, 3}


def test_the_frames():
    def frame(resize, original, **knobs):
        return fit_picture(original, Preprocessing(resize=resize, size=(48, 64), **knobs)).frame

    assert frame("none", (10, 20)) == (10, 20)
    assert frame("stretch", (10, 20)) == (48, 64)
    assert frame("letterbox", (10, 20)) == (48, 64)
    assert frame("shorter_side", (100, 200)) == (48, 96)
    assert frame("width", (767, 1022), multiple=16) == (48, 64)
    assert frame("width", (1022, 767), multiple=16) == (80, 64)
    assert frame("width", (10, 900), multiple=16) == (16, 64)


def test_the_original_isic_size():
    fit = fit_picture((767, 1022), Preprocessing(resize="width", size=(256, 256), multiple=16))
    assert fit.frame == (192, 256)


def test_letterbox_keeps_the_aspect_and_centres():
    fit = fit_picture((50, 100), Preprocessing(resize="letterbox", size=(80, 80)))
    assert fit.inner == (40, 80)
    assert fit.corner == (20, 0)
    framed = put_picture(np.full((50, 100, 1), 7, np.uint8), fit)
    assert (framed[20:60] == 7).all()
    assert framed.sum() == 7 * 40 * 80


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4, 7])
def test_shrinking_takes_the_mean(dtype, channels):
    picture = np.random.default_rng(0).integers(0, 200, (40, 60, channels)).astype(dtype)
    small = resize_picture(picture, (10, 15))
    blocks = picture.reshape(10, 4, 15, 4, channels).mean((1, 3))
    assert small.dtype == dtype
    assert np.abs(small - blocks).max() <= 1


def test_masks_take_the_middle_pixel():
    mask = np.arange(81, dtype=np.uint8).reshape(9, 9)
    fit = fit_picture((9, 9), Preprocessing(size=(3, 3)))
    assert np.array_equal(put_mask(mask, fit), mask[1::3, 1::3])


def test_a_linear_way_back_keeps_the_middle():
    fit = fit_picture((90, 60), Preprocessing(size=(45, 30)))
    ramp = np.linspace(0, 1, 45, dtype=np.float32)[:, None] * np.ones((1, 30), np.float32)
    back = take_back(ramp[None], fit)[0]
    assert np.abs(back - np.linspace(0, 1, 90)[:, None]).max() < 0.02


def test_a_mask_of_another_size_is_refused():
    fit = fit_picture((20, 30), Preprocessing(size=(8, 8)))
    with pytest.raises(UserError, match="mask is 20x30, but the picture is 30x20"):
        put_mask(np.zeros((30, 20), np.uint8), fit)

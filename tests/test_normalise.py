import numpy as np
import pytest
import torch

from workbench.config import Preprocessing
from workbench.data.intensity import measure, stored_channels
from workbench.data.normalise import picture_to_input, to_input
from workbench.errors import UserError


def picture_of(dtype=np.uint8, channels=3, size=(20, 30)):
    values = np.random.default_rng(0).uniform(0, 1, (*size, channels))
    return values.astype(np.float32) if dtype == np.float32 else (values * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_unit(dtype):
    picture = picture_of(dtype)
    whole = to_input(picture, Preprocessing(intensity="unit", mean=(0.5,), std=(0.25,)))
    largest = 1 if dtype == np.float32 else np.iinfo(dtype).max
    assert whole.dtype == torch.float32
    assert whole.shape == (3, 20, 30)
    assert np.allclose(whole.permute(1, 2, 0), (picture / largest - 0.5) / 0.25, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("intensity", ["percentile", "minmax", "zscore"])
def test_intensity(dtype, intensity):
    picture = picture_of(dtype) // 3 + 7 if dtype != np.float32 else picture_of(dtype) * 900 - 200
    values = picture.astype(np.float64)
    expected = {
        "percentile": lambda: (values - np.percentile(values, 1)) / np.subtract(*np.percentile(values, (99.8, 1))),
        "minmax": lambda: (values - values.min()) / np.ptp(values),
        "zscore": lambda: (values - values.mean()) / values.std(),
    }[intensity]()
    found = to_input(picture, Preprocessing(intensity=intensity, mean=(0,), std=(1,)))
    assert np.allclose(found.permute(1, 2, 0), expected, atol=0.03 if intensity == "percentile" else 1e-4)


@pytest.mark.parametrize(
    ("dtype", "same_as"), [(np.uint8, "unit"), (np.uint16, "percentile"), (np.float32, "percentile")]
)
def test_by_itself_only_8_bits_are_taken_as_they_are(dtype, same_as):
    picture = picture_of(dtype)
    assert torch.equal(to_input(picture, Preprocessing()), to_input(picture, Preprocessing(intensity=same_as)))


def test_a_constant_picture_gives_no_nan():
    for intensity in ("percentile", "minmax", "zscore"):
        whole = to_input(np.full((4, 4, 3), 9, np.uint8), Preprocessing(intensity=intensity))
        assert torch.isfinite(whole).all()


def test_mean_and_std_of_each_channel_in_the_order_of_the_model():
    picture = picture_of()
    mean, std = (0.1, 0.2, 0.3), (1.0, 2.0, 4.0)
    rgb = to_input(picture, Preprocessing(mean=mean, std=std))
    bgr = to_input(picture, Preprocessing(mean=mean, std=std, channels="bgr"))
    assert torch.allclose(rgb[0], torch.from_numpy(picture[..., 0] / 255 - 0.1).float())
    assert torch.allclose(bgr[0], torch.from_numpy(picture[..., 2] / 255 - 0.1).float())
    assert torch.allclose(bgr[2], torch.from_numpy((picture[..., 0] / 255 - 0.3) / 4).float())


def test_channels():
    grey, colour, many = picture_of(channels=1), picture_of(), picture_of(channels=5)
    assert stored_channels(grey, "rgb").shape[2] == 3
    assert stored_channels(colour, "grey").shape[2] == 1
    assert np.abs(stored_channels(colour, "grey")[..., 0] - colour @ np.array([0.299, 0.587, 0.114])).max() <= 0.51
    assert stored_channels(many, "as_is") is many
    with pytest.raises(UserError, match="5 channels"):
        stored_channels(many, "rgb")


def test_wrong_numbers_are_refused():
    with pytest.raises(UserError, match="mean has 2 numbers, but pictures have 3 channels"):
        to_input(picture_of(), Preprocessing(mean=(0.1, 0.2)))
    with pytest.raises(UserError, match="percentile, minmax or zscore"):
        to_input(picture_of(np.float32) * 1000, Preprocessing(intensity="unit"))


def test_a_part_is_normalised_by_the_whole():
    picture, knobs = picture_of(), Preprocessing(intensity="zscore")
    whole = to_input(picture, knobs)
    assert torch.equal(to_input(picture[5:9, 3:20], knobs, measure(picture)), whole[:, 5:9, 3:20])


def test_padding_does_not_count():
    picture = picture_of(size=(20, 40)) // 2 + 100
    knobs = Preprocessing(resize="letterbox", size=(40, 40), intensity="zscore", mean=(0,), std=(1,))
    whole, fit = picture_to_input(picture, knobs)
    inner = whole[(slice(None), *fit.box)]
    assert abs(float(inner.mean())) < 1e-3
    assert abs(float(inner.std(correction=0)) - 1) < 1e-3

"""Attention through the epochs as one moving picture."""

import numpy as np
import pytest
from PIL import Image

from workbench.errors import UserError
from workbench.inference.animation import Frame, draw_frame, save_animation
from workbench.overlays import attention_overlay


def frames(count: int = 3) -> list[Frame]:
    image = np.full((40, 60, 3), 100, np.uint8)
    return [Frame(epoch, image, np.full((10, 15), epoch / 10, np.float32)) for epoch in range(1, count + 1)]


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_every_epoch_is_a_frame(suffix, tmp_path):
    path = tmp_path / f"film{suffix}"
    save_animation(frames(), path, seconds=0.25)
    with Image.open(path) as film:
        assert film.n_frames == 3
        assert film.info["loop"] == 0
        means = []
        for number in range(3):
            film.seek(number)
            film.load()
            assert film.info["duration"] == 250
            means.append(np.asarray(film.convert("RGB"))[:200].mean((0, 1)))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert not np.allclose(means[0], means[2], atol=3)


def test_a_frame_shows_the_map_on_its_true_scale_and_the_epoch():
    one, other = frames(2)
    drawn = np.asarray(draw_frame(one))
    scale = -(-256 // 40)
    assert drawn.shape == (40 * scale + 24, 60 * scale, 3)
    flat = attention_overlay(one.image, np.full((40, 60), 0.1, np.float32)).rgb[0, 0]
    np.testing.assert_array_equal(
        drawn[: 40 * scale].reshape(-1, 3), np.broadcast_to(flat, (40 * scale * 60 * scale, 3))
    )
    strips = [np.asarray(draw_frame(frame._replace(attention=one.attention)))[40 * scale :] for frame in (one, other)]
    assert not np.array_equal(*strips)


def test_maps_of_8_bits_are_the_same_as_those_of_numbers():
    (frame,) = frames(1)
    stored = frame._replace(attention=np.full((10, 15), 51, np.uint8))
    exact = frame._replace(attention=np.full((10, 15), 0.2, np.float32))
    assert np.array_equal(np.asarray(draw_frame(stored)), np.asarray(draw_frame(exact)))


@pytest.mark.parametrize(
    ("given", "name", "sentence"),
    [
        (frames(), "film.mp4", r"Unknown kind of animation '.mp4'. Choose one of: .gif, .webp"),
        ([], "film.gif", "no epochs to animate yet"),
        (frames(), "no/film.gif", "does not exist"),
    ],
)
def test_mistakes_are_sentences(given, name, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        save_animation(given, tmp_path / name)

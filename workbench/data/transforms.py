"""Random transforms of a picture and its mask together, by the name of a preset; numpy in, numpy out.

The caller seeds the generator of every sample (`sample_generator(seed, epoch, index)`), so that a sample looks the same
whatever the number of workers. Every preset is one resampling at most (warp.py) and one table of colours (colour.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from workbench.data.colour import Step, add_noise, recolour
from workbench.data.warp import Placement, place
from workbench.errors import choices

Generator = np.random.Generator


class Preset(NamedTuple):
    """How a transform is drawn; every range grows with the strength, and at strength 0 nothing is drawn."""

    description: str
    placement: Callable[[Generator, float], Placement]
    colours: Callable[[Generator, float], list[Step]] = lambda rng, strength: []
    noise: float = 0.0
    """The largest deviation of added noise."""
    probability: float = 1.0
    """The share of samples that are transformed at all."""
    zoom: tuple[float, float] = (1.0, 1.0)
    """The scale at which crops are read."""


class Transform:
    """One preset at one strength; a call draws and applies one transform.

    The whole input is mapped onto `size` (height, width), or keeps its own size where that is None.
    """

    def __init__(self, preset: Preset, strength: float = 1.0, size: tuple[int, int] | None = None):
        self.preset = preset
        self.strength = strength
        self.size = size

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
        """An image [h, w, c] of uint8, uint16 or float32 and its mask, [h, w] or [classes, h, w] of uint8.

        The mask keeps its class ids and 255. Colour is changed in pictures of three channels, brightness in all.
        """
        preset = self.preset
        if self.strength == 0 or rng.random() >= preset.probability:
            return place(image, mask, Placement(), self.size)
        image, mask = place(image, mask, preset.placement(rng, self.strength), self.size)
        image = recolour(image, preset.colours(rng, self.strength))
        if preset.noise and rng.random() < 0.5:
            image = add_noise(image, rng.uniform(0, preset.noise * self.strength), rng)
        return image, mask

    def window(self, crop: tuple[int, int], rng: Generator) -> tuple[int, int]:
        """The height and width of the part to read so that, mapped onto `crop`, it is seen at a random scale.

        Reading less or more instead of scaling the whole picture first is the same and costs only what is shown. The
        reader calls this before the transform, with the same generator, and pads what lies outside the picture.
        """
        low, high = self.preset.zoom
        scale = np.exp(self.strength * np.log(rng.uniform(low, high)))
        return max(1, round(crop[0] / scale)), max(1, round(crop[1] / scale))


def create_transform(name: str, strength: float = 1.0, size: tuple[int, int] | None = None) -> Transform | None:
    """The transform of a preset, or None where there is nothing to do."""
    if name not in PRESETS:
        raise choices("augmentation", name, PRESETS)
    if size is None and (name == "none" or strength == 0):
        return None
    return Transform(PRESETS[name], strength, size)


def sample_generator(seed: int, epoch: int, index: int) -> Generator:
    """The randomness of one sample in one epoch, the same in every process."""
    return np.random.default_rng((seed, epoch, index))


def preview(
    samples: Iterable[tuple[np.ndarray, np.ndarray]], name: str, strength: float = 1.0, seed: int = 0, count: int = 4
) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    """For every (image, mask) a row of pairs: as it is, then transformed `count` times."""
    transform = create_transform(name, strength)
    rows = []
    for index, (image, mask) in enumerate(samples):
        draws = (sample_generator(seed, epoch, index) for epoch in range(count))
        rows.append(
            [(image, mask), *((image, mask) if transform is None else transform(image, mask, rng) for rng in draws)]
        )
    return rows


def _happens(rng: Generator, probability: float, strength: float) -> bool:
    return rng.random() < probability * min(strength, 1.0)


def _around_one(rng: Generator, reach: float) -> float:
    return max(0.0, rng.uniform(1 - reach, 1 + reach))


def _flips(rng: Generator, strength: float) -> Placement:
    return Placement(
        flip_horizontal=_happens(rng, 0.5, strength),
        flip_vertical=_happens(rng, 0.5, strength),
    )


def _horizontal_flip(rng: Generator, strength: float) -> Placement:
    return Placement(flip_horizontal=_happens(rng, 0.5, strength))


def _isic_placement(rng: Generator, strength: float) -> Placement:
    """Resize to 300-320, turn, rotate, centre crop of 250-270, cut 0-20 pixels off every edge, flip."""
    side, crop = rng.integers(300, 321), rng.integers(250, 271)
    edge = (1 - crop / side) / 2
    left, top, right, bottom = strength * (edge + rng.integers(0, 21, 4) / side)
    return _flips(rng, strength)._replace(
        quarter_turns=int(rng.integers(4)) if _happens(rng, 1, strength) else 0,
        degrees=rng.uniform(-10, 10) * strength,
        box=(left, top, 1 - right, 1 - bottom),
    )


def _isic_colours(rng: Generator, strength: float) -> list[Step]:
    return [
        Step("brightness", _around_one(rng, 0.2 * strength)),
        Step("contrast", _around_one(rng, 0.2 * strength)),
        Step("hue", rng.uniform(-0.02, 0.02) * strength),
    ]


def _dsb_placement(rng: Generator, strength: float) -> Placement:
    """A random quarter turn for every second picture, and one of three flips for every second."""
    turns = int(rng.integers(4)) if _happens(rng, 0.5, strength) else 0
    flip = rng.integers(3) if _happens(rng, 0.5, strength) else None
    return Placement(quarter_turns=turns, flip_horizontal=flip in (0, 2), flip_vertical=flip in (1, 2))


def _dsb_colours(rng: Generator, strength: float) -> list[Step]:
    """One of: hue, saturation and value; brightness; contrast."""
    kind = rng.integers(3)
    if kind == 1:
        return [Step("offset", rng.uniform(-0.2, 0.2) * strength)]
    if kind == 2:
        return [Step("brightness", _around_one(rng, 0.2 * strength))]
    return [
        Step("hue", rng.uniform(-20, 20) / 180 * strength),
        Step("saturation_offset", rng.uniform(-30, 30) / 255 * strength),
        Step("value_offset", rng.uniform(-20, 20) / 255 * strength),
    ]


def _cityscapes_colours(rng: Generator, strength: float) -> list[Step]:
    """Photometric distortion: each part for every second picture, contrast before or after the colours."""
    brightness = Step("offset", rng.uniform(-32, 32) / 255 * strength)
    contrast = Step("brightness", _around_one(rng, 0.5 * strength))
    tints = [
        Step("saturation", _around_one(rng, 0.5 * strength)),
        Step("hue", rng.uniform(-18, 18) / 180 * strength),
    ]
    steps = [brightness, contrast, *tints] if rng.random() < 0.5 else [brightness, *tints, contrast]
    return [step for step in steps if rng.random() < 0.5]


def _medical_placement(rng: Generator, strength: float) -> Placement:
    """Small rotations, zooms and elastic shifts of at most a few hundredths of the side; no flips, since left and
    right differ in a body."""
    zoom = 1 / _around_one(rng, min(0.15 * strength, 0.5))
    x, y = 0.5 + rng.uniform(-0.05, 0.05, 2) * strength
    shifts = rng.normal(0, 0.015 * strength, (2, 6, 6)).astype(np.float32) if rng.random() < 0.5 else None
    return Placement(
        degrees=rng.uniform(-15, 15) * strength,
        box=(x - zoom / 2, y - zoom / 2, x + zoom / 2, y + zoom / 2),
        displacement=shifts,
    )


def _medical_colours(rng: Generator, strength: float) -> list[Step]:
    return [
        Step("gamma", np.exp(rng.uniform(-0.4, 0.4) * strength)),
        Step("contrast", _around_one(rng, 0.15 * strength)),
    ]


PRESETS = {
    "none": Preset("The pictures as they are.", lambda rng, strength: Placement()),
    "flips": Preset("Horizontal and vertical flips.", _flips),
    "isic2018": Preset(
        "Two pictures in five are turned, rotated by up to 10 degrees, cropped, flipped, and changed in colour.",
        _isic_placement,
        _isic_colours,
        probability=0.4,
    ),
    "dsb2018": Preset(
        "Quarter turns, flips, and one of hue and saturation, brightness, or contrast.", _dsb_placement, _dsb_colours
    ),
    "cityscapes": Preset(
        "Crops read at 0.5 to 2 times the scale, horizontal flips, strong changes of light and colour.",
        _horizontal_flip,
        _cityscapes_colours,
        zoom=(0.5, 2.0),
    ),
    "medical": Preset(
        "Elastic shifts, small rotations and zooms, gamma, contrast and mild noise.",
        _medical_placement,
        _medical_colours,
        noise=0.02,
    ),
}

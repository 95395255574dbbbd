"""Where every pixel of a transformed picture comes from: one affine map, elastic or not, applied in one resampling.

It knows nothing about chance: transforms.py draws a `Placement`, this file carries it out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np

CHANNELS_AT_ONCE = 4
"""cv2 takes at most this many channels in one call."""

ROTATIONS = (None, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
FLIPS = {(False, False): None, (True, False): 1, (False, True): 0, (True, True): -1}
"""(horizontal, vertical) to cv2's code."""


class Placement(NamedTuple):
    """What part of a picture is shown, and how it is turned; all lengths are shares of the picture's sides.

    Read it as: displace, rotate anticlockwise about the centre, cut out `box` (left, top, right, bottom) and stretch
    it to the output, then flip.
    """

    quarter_turns: int = 0
    degrees: float = 0.0
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    flip_horizontal: bool = False
    flip_vertical: bool = False
    displacement: np.ndarray | None = None
    """[2, rows, columns] shifts (x, then y) at the points of a coarse grid over the output; None: not elastic."""

    @property
    def keeps_pixels(self) -> bool:
        """Whether pixels only change places, so that nothing is interpolated."""
        return self.degrees == 0 and self.box == (0.0, 0.0, 1.0, 1.0) and self.displacement is None


def place(
    image: np.ndarray, mask: np.ndarray, placement: Placement, size: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Carry out a placement on an image [h, w, c] and its mask ([h, w] or [classes, h, w]) alike.

    The image is interpolated linearly; a mask takes the nearest pixel, so it never gains a value. What lies beyond the
    border is the reflected picture, in image and mask alike: no black corners to learn from, no pixels lost. A picture
    that is not square is turned by half turns only, since its output keeps its shape.
    """
    height, width = image.shape[:2]
    size = size or (height, width)
    if height != width or size[0] != size[1]:
        placement = placement._replace(quarter_turns=placement.quarter_turns // 2 * 2)
    if placement.keeps_pixels and size == (height, width):
        image_mover = mask_mover = partial(_rearranged, placement=placement)
    else:
        matrix = output_to_input(placement, (height, width), size)
        warped = partial(_warped, matrix=matrix, size=size)
        if placement.displacement is not None:
            warped = partial(_displaced, maps=_maps(matrix, placement.displacement, (height, width), size))
        image_mover = partial(warped, interpolation=cv2.INTER_LINEAR)
        mask_mover = partial(warped, interpolation=cv2.INTER_NEAREST)
    if mask.ndim == 2:
        return _moved(image, image_mover), _moved(mask, mask_mover)
    return _moved(image, image_mover), np.stack([_moved(plane, mask_mover) for plane in mask])


def output_to_input(placement: Placement, input_size: tuple[int, int], output_size: tuple[int, int]) -> np.ndarray:
    """The 2 x 3 matrix from an output pixel's (x, y, 1) to the input's (x, y); sizes are (height, width).

    Pixels are their centres: (0, 0) is the middle of the first one.
    """
    (height, width), (out_height, out_width) = input_size, output_size
    left, top, right, bottom = placement.box
    if placement.flip_horizontal:
        left, right = right, left
    if placement.flip_vertical:
        top, bottom = bottom, top
    to_box = np.array(
        [
            [(right - left) * width / out_width, 0, (left - 0.5) * width + (right - left) * width / out_width / 2],
            [0, (bottom - top) * height / out_height, (top - 0.5) * height + (bottom - top) * height / out_height / 2],
            [0, 0, 1],
        ]
    )
    angle = np.deg2rad(placement.degrees + 90 * placement.quarter_turns)
    cosine, sine = np.cos(angle), np.sin(angle)
    from_centre = np.array([[cosine, -sine, width / 2 - 0.5], [sine, cosine, height / 2 - 0.5]])
    return from_centre @ to_box


def _maps(
    matrix: np.ndarray, displacement: np.ndarray, input_size: tuple[int, int], output_size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """For every output pixel the input's x and y, with the coarse displacement made smooth."""
    (height, width), (out_height, out_width) = input_size, output_size
    rows = np.arange(out_height, dtype=np.float32)[:, None]
    columns = np.arange(out_width, dtype=np.float32)[None]
    matrix = matrix.astype(np.float32)
    shifts = [cv2.resize(plane, (out_width, out_height), interpolation=cv2.INTER_CUBIC) for plane in displacement]
    x = matrix[0, 0] * columns + matrix[0, 1] * rows + (matrix[0, 2] + width * shifts[0])
    y = matrix[1, 0] * columns + matrix[1, 1] * rows + (matrix[1, 2] + height * shifts[1])
    return x, y


def _moved(array: np.ndarray, mover: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The mover's result for any number of channels, a few at a time; a single channel keeps its axis."""
    if array.ndim == 3 and array.shape[2] > CHANNELS_AT_ONCE:
        parts = np.split(array, range(CHANNELS_AT_ONCE, array.shape[2], CHANNELS_AT_ONCE), axis=2)
        return np.concatenate([_moved(part, mover) for part in parts], axis=2)
    moved = mover(np.ascontiguousarray(array))
    return moved if moved.ndim == array.ndim else moved[..., None]


def _rearranged(array: np.ndarray, placement: Placement) -> np.ndarray:
    turn = ROTATIONS[placement.quarter_turns % 4]
    if turn is not None:
        array = cv2.rotate(array, turn)
    flip = FLIPS[placement.flip_horizontal, placement.flip_vertical]
    return array if flip is None else cv2.flip(array, flip)


def _warped(array: np.ndarray, matrix: np.ndarray, size: tuple[int, int], interpolation: int) -> np.ndarray:
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(array, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def _displaced(array: np.ndarray, maps: tuple[np.ndarray, np.ndarray], interpolation: int) -> np.ndarray:
    return cv2.remap(array, *maps, interpolation, borderMode=cv2.BORDER_REFLECT_101)

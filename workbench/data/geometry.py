"""How a picture of any size lies in a model's input, and how the model's output is brought back to the picture.

It knows sizes and arrays only; every rule of `Preprocessing.resize` is here and nowhere else.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.task import IGNORE

Size = tuple[int, int]


class Fit(NamedTuple):
    """A picture in its frame, the model's input; sizes are (height, width)."""

    original: Size
    frame: Size
    inner: Size
    """The size of the picture in the frame; what is left of the frame is padding."""
    corner: tuple[int, int] = (0, 0)
    """Top and left of the picture in the frame."""

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the frame that show the picture."""
        (top, left), (height, width) = self.corner, self.inner
        return slice(top, top + height), slice(left, left + width)


def fit_picture(original: Size, preprocessing: Preprocessing) -> Fit:
    """Where a picture of this size goes, by the rule of `preprocessing.resize`."""
    return RULES[preprocessing.resize](original, preprocessing)


def _none(original: Size, preprocessing: Preprocessing) -> Fit:
    return Fit(original, original, original)


def _stretch(original: Size, preprocessing: Preprocessing) -> Fit:
    return Fit(original, preprocessing.size, preprocessing.size)


def _letterbox(original: Size, preprocessing: Preprocessing) -> Fit:
    frame = preprocessing.size
    inner = _scaled(original, min(goal / side for goal, side in zip(frame, original, strict=True)))
    return Fit(original, frame, inner, ((frame[0] - inner[0]) // 2, (frame[1] - inner[1]) // 2))


def _shorter_side(original: Size, preprocessing: Preprocessing) -> Fit:
    size = _scaled(original, min(preprocessing.size) / min(original))
    return Fit(original, size, size)


def _width(original: Size, preprocessing: Preprocessing) -> Fit:
    width, multiple = preprocessing.size[1], preprocessing.multiple
    height = max(original[0] * width // original[1] // multiple * multiple, multiple)
    return Fit(original, (height, width), (height, width))


def _scaled(size: Size, factor: float) -> Size:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


RULES = {"none": _none, "stretch": _stretch, "letterbox": _letterbox, "shorter_side": _shorter_side, "width": _width}


def put_picture(picture: np.ndarray, fit: Fit) -> np.ndarray:
    """[h, w, channels] of any size (a file may have been decoded smaller) into its frame; padding is 0."""
    resized = resize_picture(picture, fit.inner)
    if fit.inner == fit.frame:
        return resized
    framed = np.zeros((*fit.frame, picture.shape[2]), picture.dtype)
    framed[fit.box] = resized
    return framed


def put_mask(mask: np.ndarray, fit: Fit) -> np.ndarray:
    """Class ids [h, w] or [classes, h, w] into the frame of their picture, by the nearest pixel; padding is ignored."""
    check_size(mask.shape[-2:], fit)
    return frame_mask(nearest(mask, fit.inner), fit)


def check_size(mask: tuple[int, ...], fit: Fit) -> None:
    """Refuse a mask whose height and width are not the picture's."""
    if mask != fit.original:
        raise UserError(
            f"its mask is {mask[1]}x{mask[0]}, but the picture is {fit.original[1]}x{fit.original[0]}: "
            "`workbench data check` tells which of the two is turned or scaled"
        )


def frame_mask(mask: np.ndarray, fit: Fit) -> np.ndarray:
    """Class ids of the inner size, [h, w] or [classes, h, w], in their frame; padding is ignored."""
    if fit.inner == fit.frame:
        return mask
    framed = np.full((*mask.shape[:-2], *fit.frame), IGNORE, mask.dtype)
    framed[(..., *fit.box)] = mask
    return framed


def nearest(array: np.ndarray, size: Size, axes: tuple[int, int] = (-2, -1)) -> np.ndarray:
    """The rows and columns, which are these axes, whose middle is nearest."""
    for axis, length in zip(axes, size, strict=True):
        have = array.shape[axis]
        if have != length:
            array = array.take((2 * np.arange(length) + 1) * have // (2 * length), axis)
    return array


def resize_picture(picture: np.ndarray, size: Size) -> np.ndarray:
    """[h, w, channels] to (height, width): the mean of what falls into a pixel, or linear where it grows."""
    height, width = picture.shape[:2]
    if (height, width) == size:
        return picture
    shrinks = size[0] <= height and size[1] <= width
    resized = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized.reshape(*size, picture.shape[2])


def take_back(maps: np.ndarray, fit: Fit, labels: bool = False) -> np.ndarray:
    """Maps [..., h, w] of the frame to the picture's own size: linear for probabilities, the nearest for labels."""
    inner = np.ascontiguousarray(maps[(..., *fit.box)])
    if labels or fit.inner == fit.original:
        return nearest(inner, fit.original)
    planes = inner.reshape(-1, *fit.inner)
    back = np.stack([cv2.resize(plane, fit.original[::-1], interpolation=cv2.INTER_LINEAR) for plane in planes])
    return back.reshape(*maps.shape[:-2], *fit.original)

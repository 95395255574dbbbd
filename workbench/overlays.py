"""Masks, attention and errors drawn over a picture: numpy in, RGB out. It knows no files and no models.

Colours are told apart by people of any colour vision (the palette of Okabe and Ito). Attention is shown on its true
scale from 0 to 1; another scale is a choice, and the result names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from workbench.errors import UserError, choices
from workbench.task import IGNORE, Task

OKABE_ITO = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
"""Orange, sky blue, green, yellow, blue, vermilion, purple."""

TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE = (0, 114, 178), (213, 94, 0), (240, 228, 66)
"""Found: blue; found but not there: vermilion; missed: yellow."""

COLOUR_MAPS = {
    "viridis": cv2.COLORMAP_VIRIDIS,
    "cividis": cv2.COLORMAP_CIVIDIS,
    "inferno": cv2.COLORMAP_INFERNO,
}
"""From dark to light and of one order, whatever one's colour vision."""

Colour = tuple[int, int, int]


def class_colours(count: int) -> np.ndarray:
    """RGB uint8 [count, 3], the same for a class however many there are.

    After the seven of the palette they come again lighter and darker.
    """
    base = np.array(OKABE_ITO, np.float32)
    shades = [base, base * 0.5 + 127, base * 0.5, base * 0.25 + 191]
    rounds = -(-count // len(base))
    return np.concatenate([shades[i % len(shades)] for i in range(max(rounds, 1))])[:count].astype(np.uint8)


def palette(task: Task) -> np.ndarray:
    """RGB uint8 [256, 3] by class id: background black, what is to be ignored grey."""
    colours = np.zeros((256, 3), np.uint8)
    colours[list(task.foreground)] = class_colours(len(task.foreground))
    if IGNORE not in task.foreground:
        colours[IGNORE] = 128
    return colours


def mask_overlay(
    picture: np.ndarray, labels: np.ndarray, task: Task, *, opacity: float = 0.4, contours: int = 1
) -> np.ndarray:
    """Classes over a picture RGB uint8 [h, w, 3]: filled with that opacity, within lines `contours` pixels wide.

    labels are class ids [h, w], or 0 and 1 a class [classes, h, w]; 0 contours draw no line.
    """
    _check(picture, labels.shape[-2:], opacity)
    labels, colours = np.ascontiguousarray(labels, np.uint8), palette(task)
    if task.mode == "multilabel":
        masks = [_where(plane, 1) for plane in labels]
        return _overlapping(picture, masks, colours, opacity, contours)
    layers = [(number,) if number in task.foreground else () for number in range(256)]
    result = _fill(picture, labels, layers, colours, opacity)
    if contours:
        _draw(result, labels, edges(labels, contours) & _chosen(layers, labels), colours)
    return result


def _overlapping(
    picture: np.ndarray, masks: list[np.ndarray], colours: np.ndarray, opacity: float, contours: int
) -> np.ndarray:
    """Masks of 0 and 255 a class; later classes lie over earlier ones, eight at a time in one pass."""
    for start in range(0, len(masks), 8):
        codes = np.zeros_like(masks[0])
        for bit, mask in enumerate(masks[start : start + 8]):
            codes |= mask & np.uint8(1 << bit)
        layers = [tuple(start + bit for bit in range(8) if code >> bit & 1) for code in range(256)]
        picture = _fill(picture, codes, layers, colours, opacity)
    if contours:
        _draw_lines(picture, masks, colours, contours)
    return picture


def _draw_lines(picture: np.ndarray, masks: Sequence[np.ndarray], colours: np.ndarray, width: int) -> None:
    """Along the inner edge of each mask of 0 and 255, in its colour; later masks over earlier ones."""
    numbers = np.zeros_like(masks[0])
    for number, mask in enumerate(masks, 1):
        cv2.max(numbers, edges(mask, width) & mask & np.uint8(number), dst=numbers)
    _draw(picture, numbers, (numbers > 0).view(np.uint8), np.roll(colours, 1, axis=0))


def _where(mask: np.ndarray, value: int) -> np.ndarray:
    """255 where the mask has that value, else 0."""
    return (mask == value).view(np.uint8) * np.uint8(255)


def _fill(
    picture: np.ndarray, codes: np.ndarray, layers: Sequence[tuple[int, ...]], colours: np.ndarray, opacity: float
) -> np.ndarray:
    """The picture under the layers of classes that each code stands for: how much shines through, and what is added."""
    shine, added = np.zeros((2, 256, 3), np.float32)
    for code, classes in enumerate(layers):
        shine[code] = 255 * (1 - opacity) ** len(classes)
        for number in classes:
            added[code] = added[code] * (1 - opacity) + colours[number].astype(np.float32) * opacity
    result = _mapped(codes, shine)
    cv2.multiply(picture, result, dst=result, scale=1 / 255)
    return cv2.add(result, _mapped(codes, added), dst=result)


def _mapped(codes: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Each code's three values; OpenCV's fastest way from 8 bits to RGB."""
    return cv2.applyColorMap(codes, table.round().astype(np.uint8)[:, None])


def _chosen(layers: Sequence[tuple[int, ...]], codes: np.ndarray) -> np.ndarray:
    """255 where a code stands for any class."""
    return cv2.LUT(codes, np.array([255 * bool(classes) for classes in layers], np.uint8))


def _draw(picture: np.ndarray, codes: np.ndarray, where: np.ndarray, colours: np.ndarray) -> None:
    """Opaque colours into the picture, where the mask is 255."""
    cv2.copyTo(_mapped(codes, colours), where, picture)


def edges(labels: np.ndarray, width: int = 1) -> np.ndarray:
    """255 where a pixel is nearer than `width` to one of another class, else 0; uint8 [h, w]."""
    kernel = np.ones((2 * width + 1,) * 2, np.uint8)
    border = cv2.BORDER_REPLICATE
    largest, least = cv2.dilate(labels, kernel, borderType=border), cv2.erode(labels, kernel, borderType=border)
    return cv2.compare(largest, least, cv2.CMP_NE)


class Scaled(NamedTuple):
    """A map in colours, and what its darkest and lightest colour stand for."""

    rgb: np.ndarray
    low: float
    high: float
    rescaled: bool

    @property
    def legend(self) -> str:
        """The range in words, for beside the picture."""
        return f"rescaled: {self.low:.3g} to {self.high:.3g}" if self.rescaled else f"{self.low:g} to {self.high:g}"


def coloured_map(values: np.ndarray, *, rescale: bool = False, colour_map: str = "viridis") -> Scaled:
    """Values [h, w] in 0..1 as RGB; on the scale 0 to 1, or with `rescale` on that from their least to their largest.

    A map whose values span 0.478 to 0.481 is of one colour on the true scale, which is the truth.
    """
    if colour_map not in COLOUR_MAPS:
        raise choices("colour map", colour_map, COLOUR_MAPS)
    low, high = (float(values.min()), float(values.max())) if rescale else (0.0, 1.0)
    levels = cv2.convertScaleAbs(np.clip(values, low, high) - np.float32(low), alpha=255 / ((high - low) or 1))
    return Scaled(
        cv2.cvtColor(cv2.applyColorMap(levels, COLOUR_MAPS[colour_map]), cv2.COLOR_BGR2RGB), low, high, rescale
    )


def attention_overlay(
    picture: np.ndarray,
    attention: np.ndarray,
    *,
    opacity: float = 0.5,
    rescale: bool = False,
    colour_map: str = "viridis",
) -> Scaled:
    """An attention or probability map [h, w] over a picture RGB uint8 [h, w, 3]."""
    _check(picture, attention.shape, opacity)
    coloured = coloured_map(attention, rescale=rescale, colour_map=colour_map)
    return coloured._replace(rgb=cv2.addWeighted(picture, 1 - opacity, coloured.rgb, opacity, 0))


def error_overlay(
    picture: np.ndarray, prediction: np.ndarray, truth: np.ndarray, *, opacity: float = 0.6, contours: int = 1
) -> np.ndarray:
    """Where a class is found rightly (blue), found but not there (vermilion) and missed (yellow).

    prediction and truth are masks [h, w] of one class: 0 and 1, and in the truth 255 for pixels that do not count,
    which stay as they are. Lines follow both masks: the truth's in white, the prediction's in black.
    """
    _check(picture, prediction.shape, opacity)
    if truth.shape != prediction.shape:
        raise UserError(f"The truth is {_size(truth.shape)}, but the prediction {_size(prediction.shape)}.")
    masks = [_where(np.ascontiguousarray(mask, np.uint8), 1) for mask in (truth, prediction)]
    counted = cv2.bitwise_not(_where(np.ascontiguousarray(truth, np.uint8), IGNORE))
    kinds = ((masks[0] & np.uint8(2)) | (masks[1] & np.uint8(1))) & counted
    colours = np.zeros((256, 3), np.uint8)
    colours[1:4] = FALSE_POSITIVE, FALSE_NEGATIVE, TRUE_POSITIVE
    result = _fill(picture, kinds, [(), (1,), (2,), (3,), *[()] * 252], colours, opacity)
    if contours:
        _draw_lines(result, masks, np.array([(255, 255, 255), (0, 0, 0), *[(0, 0, 0)] * 254], np.uint8), contours)
    return result


def _check(picture: np.ndarray, size: tuple[int, ...], opacity: float) -> None:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise UserError(
            f"An overlay lies on RGB of 8 bits [height, width, 3], not on {picture.dtype} {list(picture.shape)}; "
            "workbench.data.reading.to_display makes it of any picture."
        )
    if tuple(size) != picture.shape[:2]:
        raise UserError(f"What is laid over is {_size(size)}, but the picture {_size(picture.shape)}.")
    if not 0 <= opacity <= 1:
        raise UserError(f"An opacity lies between 0 and 1, not at {opacity}.")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"

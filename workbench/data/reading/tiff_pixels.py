"""What the stored samples of a TIFF page mean: colours, palette, ink, alpha, depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tifffile import TiffPage

from workbench.data.reading.facts import widened, widening_note
from workbench.data.reading.labels import without_alpha
from workbench.errors import UserError

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR = range(7)
JPEG = 7
ALPHA = (1, 2)
"""Kinds of extra samples that are alpha; an extra sample of kind 0 is just another channel."""


class Pixels:
    """From stored samples [h, w, samples] to a picture, or to the values of a mask."""

    def __init__(self, page: TiffPage, pages: int, path: Path) -> None:
        """`pages` is the number of pages, each a channel or more, that make the picture."""
        self._meaning = int(page.photometric)
        self.bits = page.bitspersample
        known = self._meaning in range(YCBCR) or (self._meaning == YCBCR and page.compression == JPEG)
        if not known or page.dtype is None or page.dtype.kind not in "buif":
            raise UserError(f"{path} is a TIFF of unusual colours or numbers; save it as grey or RGB.")
        samples = pages * page.shaped[0] * page.shaped[4]
        extra = page.extrasamples
        self._alpha = pages == 1 and samples > 1 and bool(extra) and extra[-1] in ALPHA
        self._colours = samples - self._alpha
        self._inverted = self._meaning == WHITE_IS_ZERO and page.dtype.kind in "bu"
        self._palette = _palette(page, path) if self._meaning == PALETTE else None
        if self._meaning == CMYK and (self._colours != 4 or self.bits not in (8, 16)):
            raise UserError(f"{path} is a TIFF of {self._colours} inks; save it as grey or RGB.")
        self.channels = 3 if self._meaning in (PALETTE, CMYK) else self._colours
        self._dtype = _shown_dtype(page.dtype)
        self.notes = tuple(self._said(page.dtype))
        self.bytes_a_pixel = self.channels * self._dtype.itemsize + (12 if self._meaning == CMYK else 0)

    def shown(self, stored: np.ndarray) -> np.ndarray:
        """[h, w, channels] uint8, uint16 or float32."""
        array = self._upright_ink(stored[:, :, : self._colours])
        if self._palette is not None:
            return self._palette[array[:, :, 0]]
        if self.bits < 8:
            array = widened(array, 2**self.bits - 1)
        return array.astype(self._dtype, copy=False)

    def stored(self, stored: np.ndarray) -> np.ndarray:
        """[h, w, channels] as stored, but alpha taken away."""
        array = self._upright_ink(stored[:, :, : self._colours])
        return without_alpha(array, stored[:, :, self._colours :]) if self._alpha else array

    def _upright_ink(self, array: np.ndarray) -> np.ndarray:
        """More is brighter; bits as uint8."""
        if array.dtype == bool:
            array = array.view(np.uint8)
        if self._inverted:
            array = array.dtype.type(2**self.bits - 1) - array
        return _rgb_of_ink(array) if self._meaning == CMYK else array

    def _said(self, dtype: np.dtype) -> list[str]:
        notes = ["alpha dropped"] if self._alpha else []
        if self._meaning == PALETTE:
            notes.append("palette expanded to RGB")
        elif self.bits < 8:
            notes.append(widening_note(self.bits))
        elif self._dtype != dtype:
            notes.append(f"{dtype} read as {self._dtype}")
        if self._meaning == CMYK:
            notes.append("CMYK converted to RGB")
        if self._inverted:
            notes.append("inverted, since the file stores white as 0")
        return notes


def _shown_dtype(dtype: np.dtype) -> np.dtype:
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return dtype if dtype in (np.uint8, np.uint16) else np.dtype(np.float32)


def _palette(page: TiffPage, path: Path) -> np.ndarray:
    """[values, 3] uint8."""
    colours = page.colormap
    if colours is None or colours.ndim != 2 or colours.shape[1] < 2**page.bitspersample or page.samplesperpixel > 2:
        raise UserError(f"{path} is a palette TIFF without its whole palette; save it as RGB.")
    return (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8).T


def _rgb_of_ink(inks: np.ndarray) -> np.ndarray:
    largest = np.iinfo(inks.dtype).max
    paper = (largest - inks).astype(np.uint32)
    return (paper[:, :, :3] * paper[:, :, 3:] // largest).astype(inks.dtype)

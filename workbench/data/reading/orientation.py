"""The eight ways in which EXIF and TIFF say that stored pixels lie, and how to set them upright."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Turn(NamedTuple):
    """From stored to upright: first transpose, then mirror."""

    transpose: bool
    flip_rows: bool
    flip_columns: bool

    def apply(self, array: np.ndarray) -> np.ndarray:
        """A view of [h, w, ...] set upright."""
        if self.transpose:
            array = array.swapaxes(0, 1)
        if self.flip_rows:
            array = array[::-1]
        if self.flip_columns:
            array = array[:, ::-1]
        return array

    def stored_region(self, region: tuple[int, int, int, int], height: int, width: int) -> tuple[int, int, int, int]:
        """Where (top, left, height, width) of the upright picture of that size lies in the stored one."""
        top, left, rows, columns = region
        if self.flip_rows:
            top = height - top - rows
        if self.flip_columns:
            left = width - left - columns
        return (left, top, columns, rows) if self.transpose else (top, left, rows, columns)


UPRIGHT = Turn(False, False, False)

TURNS = {
    1: UPRIGHT,
    2: Turn(False, False, True),
    3: Turn(False, True, True),
    4: Turn(False, True, False),
    5: Turn(True, False, False),
    6: Turn(True, False, True),
    7: Turn(True, True, True),
    8: Turn(True, True, False),
}
"""By the value of the orientation tag."""

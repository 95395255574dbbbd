"""A decoder for pydicom: 12-bit and lossless JPEG and JPEG-LS, common in clinics and unknown to Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

TWELVE_BIT = ("1.2.840.10008.1.2.4.51",)
LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")

DECODERS: dict[str, Any] = {
    **dict.fromkeys(TWELVE_BIT, imagecodecs.jpeg8_decode),
    **dict.fromkeys(LOSSLESS, imagecodecs.jpegsof3_decode),
    **dict.fromkeys(JPEG_LS, imagecodecs.jpegls_decode),
}
"""By transfer syntax."""

DECODER_DEPENDENCIES = dict.fromkeys(DECODERS, ("imagecodecs",))
FRAME_HEADERS = (0xC0, 0xC1, 0xC3, 0xF7)


def register() -> None:
    """Adds them to pydicom, behind its own."""
    from pydicom.pixels import get_decoder

    for syntax in DECODERS:
        decoder = get_decoder(syntax)
        if "imagecodecs" not in decoder.available_plugins:
            decoder.add_plugin("imagecodecs", (__name__, "decode_frame"))


def is_available(syntax: str) -> bool:
    """Asked by pydicom."""
    return syntax in DECODERS


def decode_frame(source: bytes, runner: DecodeRunner) -> bytearray:
    """Asked by pydicom: the pixels of one frame, channels side by side."""
    if _size(source) != (runner.rows, runner.columns):
        raise ValueError("The frame has another size than the file tells.")
    array = DECODERS[runner.transfer_syntax](source)
    runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", array.dtype.itemsize * 8)
    return bytearray(np.ascontiguousarray(array).tobytes())


def _size(source: bytes) -> tuple[int, int] | None:
    """(rows, columns) by the frame's own header."""
    at = 2
    while at + 9 <= len(source) and source[at] == 0xFF:
        if source[at + 1] in FRAME_HEADERS:
            return int.from_bytes(source[at + 5 : at + 7]), int.from_bytes(source[at + 7 : at + 9])
        at += 2 + int.from_bytes(source[at + 2 : at + 4])
    return None

"""A decoder for pydicom: 12-bit and lossless JPEG and JPEG-LS, common in clinics and unknown to Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

from workbench.data.reading.jpeg import jpeg_size

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
    if jpeg_size(source) != (runner.rows, runner.columns):
        raise ValueError("The frame has another size than the file tells.")
    array = DECODERS[runner.transfer_syntax](source)
    runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", array.dtype.itemsize * 8)
    return bytearray(np.ascontiguousarray(array).tobytes())

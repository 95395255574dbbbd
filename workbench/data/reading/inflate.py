"""PNG without its compression: zlib-ng inflates masks many times as fast as the zlib inside of the PNG decoders."""

from __future__ import annotations

import struct
import zlib

import imagecodecs
import numpy as np

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
END = b"\0\0\0\0IEND\xaeB`\x82"
LARGEST = 20 << 20
"""Bytes of pixels; larger pictures are left to their decoder, which does not need them twice."""

PIECE = 1 << 20
"""Bytes that are inflated at once where they are only looked at."""


def with_stored_pixels(png: bytes) -> bytes:
    """The same PNG with its pixels stored as they are; if it is interlaced, large or damaged, it is left alone."""
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", png, 16)
    size = height * (1 + (width * bits * CHANNELS.get(colour, 0) + 7) // 8)
    if interlaced or size > LARGEST:
        return png
    others, compressed = _parted(png)
    try:
        pixels = imagecodecs.zlibng_decode(compressed, out=size) if compressed else b""
    except imagecodecs.ZlibngError:
        return png
    if len(pixels) != size:
        return png
    stored = imagecodecs.zlibng_encode(pixels, level=0)
    check_sum = imagecodecs.zlibng_crc32(stored, value=imagecodecs.zlibng_crc32(b"IDAT")).to_bytes(4)
    return b"".join((others, len(stored).to_bytes(4), b"IDAT", stored, check_sum, END))


def decode_checked(png: bytes) -> np.ndarray:
    """libpng's pixels; it would print on a damaged stream of them, so that is inflated once before to see."""
    rest, stream = _parted(png)[1], zlib.decompressobj()
    while rest and not stream.eof:
        stream.decompress(rest, PIECE)
        rest = stream.unconsumed_tail
    if not stream.eof or stream.unused_data:
        raise ValueError("pixels that end too early or too late")
    return imagecodecs.png_decode(png)


def _parted(png: bytes) -> tuple[bytes, bytes]:
    """What comes before the pixels, and the pixels; nothing where a chunk is cut or its check sum is wrong."""
    others, pixels, at = [png[:8]], [], 8
    while at + 12 <= len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4])
        name, body = png[at + 4 : at + 8], png[at + 4 : end - 4]
        if png[end - 4 : end] != _check_sum(body):
            return b"", b""
        if name == b"IDAT":
            pixels.append(body[4:])
        elif name != b"IEND":
            others.append(png[at:end])
        at = end
    return b"".join(others), b"".join(pixels)


def _check_sum(body: bytes) -> bytes:
    return imagecodecs.zlibng_crc32(body).to_bytes(4)

"""PNG, JPEG, WebP, BMP and GIF: headers by Pillow; pixels by the decoder that keeps their depth and is quickest."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from workbench.data.reading.facts import Facts, Opened, size_of, widening_note
from workbench.data.reading.guard import quiet
from workbench.data.reading.inflate import decode_checked, with_stored_pixels
from workbench.data.reading.labels import without_alpha
from workbench.data.reading.orientation import TURNS, UPRIGHT, Turn
from workbench.errors import UserError


class Mode(NamedTuple):
    """What becomes of one of Pillow's modes."""

    target: str
    bits: int = 8
    note: str = ""


MODES = {
    "1": Mode("L", 1, widening_note(1)),
    "L": Mode("L"),
    "LA": Mode("L", note="alpha dropped"),
    "P": Mode("RGB", note="palette expanded to RGB"),
    "PA": Mode("RGB", note="palette expanded to RGB, alpha dropped"),
    "RGB": Mode("RGB"),
    "RGBX": Mode("RGB"),
    "RGBA": Mode("RGB", note="alpha dropped"),
    "CMYK": Mode("RGB", note="CMYK converted to RGB"),
    "I;16": Mode("I;16", 16),
    "I": Mode("I;16", 16),
}

STORED = {"CMYK": "RGB", "RGBX": "RGB", "I": "I;16"}
"""Modes that a mask is converted to; every other is taken as it is."""

CHANNELS = {"1": 1, "L": 1, "P": 1, "I;16": 1, "LA": 2, "PA": 2, "RGB": 3, "RGBA": 4}

GREY, RGB, ALPHA = 0, 2, 4
PNG_DECODERS: dict[tuple[int, int], Callable[[bytes], np.ndarray]] = {
    (8, GREY): imagecodecs.spng_decode,
    (8, RGB): imagecodecs.spng_decode,
    (8, RGB | ALPHA): imagecodecs.spng_decode,
    (16, RGB | ALPHA): imagecodecs.spng_decode,
    (16, RGB): decode_checked,
    (16, GREY | ALPHA): decode_checked,
}
"""Of PNG, by bits and colour type; the others are left to Pillow."""

ORIENTATION = 0x0112
MOST_SCANS = 64
BLOCK = 4_000_000
"""Pixels that are taken out of Pillow at once, so that a large picture is not in memory three times."""


def open_by_pillow(
    plugin: type[ImageFile],
    name: str,
    bytes_a_pixel: int,
    file_copies: int,
    file: BinaryIO,
    path: Path,
    index: int,
    axis: int | None,
) -> Opened:
    """A format that Pillow alone reads; of an animation the first frame."""
    with quiet():
        image = plugin(file)
        facts, turn = _described(image, path, name)
    return Opened(
        facts,
        file_copies * size_of(file) + image.width * image.height * bytes_a_pixel,
        lambda _at_least: turn.apply(_pixels(image, MODES[image.mode].target)),
        lambda: turn.apply(_stored(image)),
    )


open_webp = partial(open_by_pillow, WebPImageFile, "WebP", 20, 2)
open_bmp = partial(open_by_pillow, BmpImageFile, "BMP", 7, 0)
open_gif = partial(open_by_pillow, GifImageFile, "GIF", 5, 0)


def open_jpeg(file: BinaryIO, path: Path, index: int, axis: int | None) -> Opened:
    """Where the picture may shrink, libjpeg decodes an eighth to a half of the frequencies only."""
    with quiet():
        image = JpegImageFile(file)
        start = file.tell()
        facts, turn = _described(image, path, "JPEG")
    size = image.size
    one_scan = _one_scan(file, image, start)

    def picture(at_least: tuple[int, int] | None) -> np.ndarray:
        file.seek(0)
        if not one_scan and file.read().count(b"\xff\xda", start) > MOST_SCANS:
            raise UserError(f"{path} is a JPEG of over {MOST_SCANS} scans, made to stall; save it anew as PNG.")
        if at_least:
            height, width = at_least[::-1] if turn.transpose else at_least
            image.draft(None, (width, height))
        if image.size == size and image.mode in ("L", "RGB"):
            file.seek(0)
            data = file.read()
            if data.rfind(b"\xff\xd9") >= start:  # this decoder is fast, but would pad a cut file with grey
                return turn.apply(_decoded(imagecodecs.jpeg8_decode, data))
        return turn.apply(_pixels(image, MODES[image.mode].target))

    bytes_a_pixel = (4 if image.mode in ("L", "RGB") else 7) + (0 if one_scan else 2 * image.layers)
    return Opened(facts, size_of(file) + size[0] * size[1] * bytes_a_pixel, picture, lambda: picture(None))


def _one_scan(file: BinaryIO, image: JpegImageFile, start: int) -> bool:
    """Whether all channels come in one pass; otherwise the decoder holds every coefficient (2 bytes) in memory."""
    length = 6 + 2 * image.layers
    file.seek(max(start - length, 0))
    return file.read(3) == bytes((0, length, image.layers)) and "progressive" not in image.info


def open_png(file: BinaryIO, path: Path, index: int, axis: int | None) -> Opened:
    """The plain kinds by libspng and libpng: faster, and Pillow would make 8 bits of 16-bit colour."""
    with quiet():
        image = PngImageFile(file)
        facts, turn = _described(image, path, "PNG")
    file.seek(24)
    bits, colour, _, _, interlaced = file.read(5)
    decoder = PNG_DECODERS.get((bits, colour))
    if decoder is decode_checked and interlaced:
        raise UserError(f"{path} is an interlaced PNG of several 16-bit channels; save it without interlacing.")
    notes = facts.notes
    if bits == 16 and colour & ALPHA:
        notes = (*notes, "alpha dropped")
    if colour == GREY and bits in (2, 4):
        notes = (*notes, widening_note(bits))
    facts = replace(facts, bits=bits, notes=tuple(dict.fromkeys(notes)))

    def picture(_at_least: tuple[int, int] | None) -> np.ndarray:
        data = _pixel_chunks(file)
        if decoder:
            return turn.apply(_decoded(decoder, data)[:, :, : facts.channels])
        return turn.apply(_pixels(PngImageFile(BytesIO(data)), MODES[image.mode].target))

    def stored() -> np.ndarray:
        data = _pixel_chunks(file)
        if decoder:
            array = _decoded(decoder, data)
            return turn.apply(_split_alpha(array) if colour & ALPHA else array)
        array = _stored(PngImageFile(BytesIO(data)))
        return turn.apply(array // (255 // (2**bits - 1)) if colour == GREY and bits in (2, 4) else array)

    samples = facts.channels * 2 + 1 if colour & ALPHA else facts.channels
    bytes_a_pixel = samples * bits // 8 + bits // 16 * facts.channels if decoder else 7
    memory = 2 * size_of(file) + image.width * image.height * bytes_a_pixel
    return Opened(facts, memory, picture, stored)


def _decoded(decoder: Callable[[bytes], np.ndarray], data: bytes) -> np.ndarray:
    array = decoder(data)
    return array.reshape(*array.shape[:2], -1)


def _pixel_chunks(file: BinaryIO) -> bytes:
    """A PNG without what pixels do not need, which could hold bombs and make libpng print."""
    file.seek(0)
    data = file.read()
    kept, at = [data[:8]], 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            kept.append(data[at:end])
        at = end
    return with_stored_pixels(b"".join(kept))


def _described(image: ImageFile, path: Path, name: str) -> tuple[Facts, Turn]:
    mode = MODES.get(image.mode)
    if not mode:
        raise UserError(f"{path} is a {name} of an unusual kind ({image.mode}); save it as grey or RGB.")
    turn = _turn(image.info.get("exif"))
    notes = [mode.note] if mode.note else []
    if getattr(image, "is_animated", False):
        notes.append("first frame of an animation")
    if turn != UPRIGHT:
        notes.append("turned upright as EXIF says")
    width, height = image.size[::-1] if turn.transpose else image.size
    channels = CHANNELS[mode.target]
    return Facts(width, height, channels, mode.bits, name, oriented=turn != UPRIGHT, notes=tuple(notes)), turn


def _turn(exif: bytes | None) -> Turn:
    if not exif:
        return UPRIGHT
    tags = Image.Exif()
    try:
        tags.load(exif)
        return TURNS.get(tags.get(ORIENTATION, 1), UPRIGHT)
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error):
        return UPRIGHT  # a damaged EXIF block says nothing


def _pixels(image: Image.Image, target: str) -> np.ndarray:
    """A Pillow image as [h, w, channels] in the target mode."""
    image.load()
    image.info.pop("transparency", None)
    width, height = image.size
    array = np.empty((height, width, CHANNELS[target]), np.uint16 if target == "I;16" else np.uint8)
    rows = max(1, BLOCK // width)
    for top in range(0, height, rows):
        block = image if rows >= height else image.crop((0, top, width, min(top + rows, height)))
        if block.mode != target:
            block = block.convert(target)
        array[top : top + rows] = np.asarray(block).reshape(-1, width, CHANNELS[target])
    return array


def _stored(image: Image.Image) -> np.ndarray:
    """A Pillow image as [h, w, channels] of stored values, without alpha."""
    array = _pixels(image, STORED.get(image.mode, image.mode))
    return _split_alpha(array) if image.mode.endswith("A") else array


def _split_alpha(array: np.ndarray) -> np.ndarray:
    return without_alpha(array[:, :, :-1], array[:, :, -1:])

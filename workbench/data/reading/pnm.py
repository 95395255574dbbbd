"""Portable bitmaps, greymaps and pixmaps (P1 to P6), plain and raw, at their own bit depth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from workbench.data.reading.facts import Facts, Opened, size_of, widened, widening_note
from workbench.errors import UserError

_GAP = rb"(?:\s|#[^\n\r]*[\n\r])"
_HEADER = re.compile(rb"P([1-6])" + (_GAP + rb"+(\d{1,9})") * 2)
_LARGEST = re.compile(_GAP + rb"+(\d{1,5})")


def open_pnm(file: BinaryIO, path: Path, index: int, axis: int | None) -> Opened:
    """1 bit is widened to 0 and 255, up to 8 bits to 0..255; more stays as stored."""
    head = file.read(4096)
    header = _HEADER.match(head)
    if not header:
        raise UserError(f"{path} has a PNM header that makes no sense; save it anew as PNG.")
    kind, width, height = (int(group) for group in header.groups())
    largest, start = 1, header.end()
    if kind not in (1, 4):
        match = _LARGEST.match(head, start)
        if not match or not 0 < int(match[1]) < 65536:
            raise UserError(f"{path} has a PNM header without a largest value of 1 to 65535; save it anew as PNG.")
        largest, start = int(match[1]), match.end()
    channels = 3 if kind in (3, 6) else 1
    values = height * width * channels
    plain = kind < 4

    def stored() -> np.ndarray:
        file.seek(start)
        if plain:
            flat = _plain(file.read(), values, largest, bitmap=kind == 1)
        else:
            file.read(1)
            flat = _raw(file, width, height, values, largest, bitmap=kind == 4)
        if flat.size < values:
            raise UserError(f"{path} is cut short: {flat.size} of {values} values are there; copy it again.")
        return flat.reshape(height, width, channels)

    def picture(_at_least: tuple[int, int] | None) -> np.ndarray:
        return stored() if largest >= 255 else widened(stored(), largest)

    bits = largest.bit_length()
    notes = () if largest >= 255 else (widening_note(bits),)
    facts = Facts(width, height, channels, bits if bits in (1, 2, 4) else 8 if bits < 9 else 16, "PNM", notes=notes)
    return Opened(facts, size_of(file) + values * (16 if plain else 4), picture, stored)


def _plain(text: bytes, values: int, largest: int, bitmap: bool) -> np.ndarray:
    text = re.sub(rb"#[^\n\r]*", b"", text)
    if text.translate(None, b"0123456789 \t\n\v\f\r"):
        raise ValueError("not a number")
    if bitmap:
        digits = np.frombuffer(re.sub(rb"[^01]", b"", text)[:values], np.uint8)
        return np.uint8(1) - (digits - np.uint8(ord("0")))
    numbers = np.fromstring(text, np.int64, sep=" ")[:values]
    return numbers.clip(0, largest).astype(np.uint8 if largest < 256 else np.uint16)


def _raw(file: BinaryIO, width: int, height: int, values: int, largest: int, bitmap: bool) -> np.ndarray:
    if bitmap:
        row = (width + 7) // 8
        rows = np.frombuffer(file.read(row * height), np.uint8)
        rows = rows[: len(rows) // row * row].reshape(-1, row)
        return (np.uint8(1) - np.unpackbits(rows, axis=1, count=width)).ravel()
    sample = np.dtype(np.uint8 if largest < 256 else ">u2")
    data = file.read(values * sample.itemsize)
    array = np.frombuffer(data, sample, len(data) // sample.itemsize).astype(sample.newbyteorder("="))
    return np.minimum(array, largest, out=array)

"""The size that a JPEG stream tells of itself, for streams inside of other files, whose decoders would believe it."""

from __future__ import annotations

FRAME_HEADERS = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xF7))
"""Baseline, extended, progressive, lossless, JPEG-LS."""


def jpeg_size(stream: bytes) -> tuple[int, int] | None:
    """(rows, columns), or None where no frame header is found."""
    at = 2
    while at + 9 <= len(stream) and stream[at] == 0xFF:
        if stream[at + 1] in FRAME_HEADERS:
            return int.from_bytes(stream[at + 5 : at + 7]), int.from_bytes(stream[at + 7 : at + 9])
        at += 2 + int.from_bytes(stream[at + 2 : at + 4])
    return None

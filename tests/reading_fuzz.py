"""Damages good picture files by seed and reads them: `python reading_fuzz.py FOLDER FIRST COUNT NAMES...`.

Prints the name of a case before it is read, so that whoever watches knows which one crashed, hung or spoke.
"""

from __future__ import annotations

import faulthandler
import resource
import sys
import warnings
import zlib
from pathlib import Path
from random import Random

import pictures

from workbench.data.reading import Limits, open_regions, read_labels, read_picture
from workbench.errors import UserError

LIMITS = Limits(pixels=4_000_000, bytes=10_000_000, memory=100_000_000)
SLACK = 60_000_000
"""Bytes that a reading may need beyond the limit: libraries that are loaded late, and what decoders keep."""
HEAD = 400
"""Bytes in which most headers lie; half of all damage is done there."""
INTERESTING = (b"\0\0", b"\xff\xff", b"\x7f\xff", b"\x80\0", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\1\0\0")


def damaged(data: bytes, random: Random) -> bytes:
    """One to six blows: cut off, flipped, overwritten, taken out, put in, copied."""
    broken = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        if not broken:
            break
        reach = min(len(broken), HEAD) if random.random() < 0.5 else len(broken)
        at = random.randrange(reach)
        match random.randrange(7):
            case 0:
                del broken[at:]
            case 1:
                broken[at] ^= 1 << random.randrange(8)
            case 2:
                broken[at] = random.randrange(256)
            case 3:
                value = random.choice(INTERESTING)
                broken[at : at + len(value)] = value
            case 4:
                del broken[at : at + random.randrange(1, 9)]
            case 5:
                broken[at:at] = random.randbytes(random.randrange(1, 9))
            case 6:
                origin = random.randrange(len(broken))
                broken[at : at + 16] = broken[origin : origin + 16]
    return bytes(broken)


def with_check_sums(png: bytes) -> bytes:
    """The same PNG with right check sums, so that damage gets past them."""
    parts, at = [png[:8]], 8
    while at + 12 <= len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4])
        body = png[at + 4 : end - 4]
        parts.append(png[at : at + 4] + body + zlib.crc32(body).to_bytes(4))
        at = end
    return b"".join(parts)


def case(name: str, number: int) -> bytes:
    """The damaged file of that number."""
    random = Random(f"{name} {number}")
    broken = damaged(pictures.FILES[name](), random)
    return with_check_sums(broken) if name.endswith(".png") and random.random() < 0.7 else broken


def read(path: Path) -> None:
    """Everything that a face may do with a file; a sentence is fine, anything else ends the process."""
    for attempt in (read_picture, read_labels, _read_corner):
        try:
            attempt(path, limits=LIMITS)
        except UserError as error:
            sentence = str(error)
            assert str(path) in sentence, sentence
            assert "\n" not in sentence, sentence


def _read_corner(path: Path, limits: Limits) -> None:
    with open_regions(path, limits=limits) as regions:
        regions.read(0, 0, 1, 1)


def peak() -> int:
    """Bytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(folder: str, first: int, count: int, names: list[str]) -> None:
    path = Path(folder) / "damaged"
    for name in names:
        path.write_bytes(pictures.FILES[name]())
        read(path)
    allowed = peak() + LIMITS.memory + SLACK
    for name in names:
        for number in range(first, first + count):
            print(f"{name} {number}", flush=True)
            path.write_bytes(case(name, number))
            read(path)
            assert peak() < allowed, f"took over {LIMITS.memory + SLACK} bytes"
    print("done", flush=True)


if __name__ == "__main__":
    faulthandler.enable()
    warnings.simplefilter("error")
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])

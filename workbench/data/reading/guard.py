"""What stands between a hostile file and the decoders: a plain file, of a format that is read, within limits."""

from __future__ import annotations

import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL.Image import DecompressionBombError

from workbench.data.reading.facts import Facts, Limits, Opened
from workbench.data.reading.formats import HEAD, format_of, unreadable
from workbench.errors import UserError

DAMAGE = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError),
    *(SyntaxError, TypeError, ValueError, struct.error, zlib.error, DecompressionBombError),
)
"""What decoders raise over damaged files."""


@contextmanager
def opened_file(path: Path, most_bytes: int | None = None) -> Iterator[tuple[BinaryIO, str]]:
    """The open file and its format."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; check the path.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be opened ({error}); check its name and permissions.") from error
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is not a file; give the path of one picture.")
    if most_bytes is not None and status.st_size > most_bytes:
        raise UserError(
            f"{path} has {_size(status.st_size)}, over the limit of {_size(most_bytes)}; make it smaller first."
        )
    try:
        file = path.open("rb")
    except OSError as error:
        raise UserError(f"{path} cannot be opened ({error.strerror}); check its permissions.") from error
    with file:
        head = file.read(HEAD)
        name = format_of(head)
        if name is None:
            raise unreadable(path, head)
        file.seek(0)
        yield file, name


_warnings_lock = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps a library's warnings off the screen; one thread at a time, since the filters are the process's."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def mending(path: Path, name: str) -> Iterator[None]:
    """Turns what a decoder raises into the sentence for the user."""
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path} needs more memory than there is; close other programs or make it smaller.") from error
    except DAMAGE as error:
        raise UserError(
            f"{path} cannot be decoded as {name}: it is cut short, damaged or of an unusual kind; copy it again, or "
            "open it in an image editor and save it as PNG or TIFF."
        ) from error


def check_limits(path: Path, opened: Opened, limits: Limits) -> None:
    """Refuses a picture of no pixels or of too many."""
    facts = opened.facts
    pixels = facts.height * facts.width
    turning = pixels * facts.channels * -(-facts.bits // 8) if facts.oriented else 0
    memory = opened.memory + turning
    if facts.height < 1 or facts.width < 1:
        raise UserError(f"{path} says that it is {facts.width}x{facts.height} pixels large; save it anew.")
    if pixels > limits.pixels:
        raise UserError(
            f"{path} has {facts.width}x{facts.height} pixels, {pixels / 1e6:.0f} million, over the limit of "
            f"{limits.pixels / 1e6:.0f} million; cut or shrink it, or save it as a tiled TIFF and read it by regions."
        )
    if memory > limits.memory:
        raise UserError(
            f"{path} would need {_size(memory)} of memory to decode, over the limit of {_size(limits.memory)}; "
            "cut or shrink it, or save it as a tiled TIFF and read it by regions."
        )


def check_index(path: Path, index: int, slices: int) -> None:
    """Refuses a page, frame or slice that is not there."""
    if not 0 <= index < slices:
        raise UserError(
            f"{path} has {slices} slice{'s' if slices > 1 else ''}, so index {index} is not there; "
            f"choose 0 to {slices - 1}."
        )


def check_region(path: Path, facts: Facts, top: int, left: int, height: int, width: int) -> None:
    """Refuses a region that is empty or reaches out of the picture."""
    inside = min(top, left) >= 0 and top + height <= facts.height and left + width <= facts.width
    if not inside or min(height, width) < 1:
        raise UserError(
            f"The region of {width}x{height} pixels at row {top}, column {left} does not lie inside of {path}, "
            f"which has {facts.width}x{facts.height} pixels; choose one inside of it."
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"

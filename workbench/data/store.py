"""The prepared folder's files: arrays of any shape one after another, a journal while they are written, an index after.

It knows neither pictures nor training. Whatever was appended is never written over, so an interrupted or failed run
leaves what was there intact; a reader sees the new state only when the index is replaced.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data.intensity import Intensities
from workbench.errors import UserError
from workbench.files import FULL, write_whole

FORMAT = 1
INDEX = "index.json"
JOURNAL = "journal.jsonl"
KINDS = ("images", "masks", "rows")
ALIGNMENT = 64
KEPT = 64 << 20
"""Bytes that may have been read before they are given back."""


@dataclass(frozen=True)
class Entry:
    """Where a prepared picture lies, and what is known about it."""

    name: str
    stamp: str
    """Of names, sizes and times of its files: as long as it is the same, the files are taken as unchanged."""
    content: str
    """Of the bytes of its files."""
    pixels: str
    """Of the prepared picture; duplicates share it. Empty for a picture of one colour, which is like many others."""
    offsets: tuple[int, ...]
    """Where image, mask and rows begin in their files."""
    image_shape: tuple[int, ...]
    mask_shape: tuple[int, ...]
    dtype: str
    original: tuple[int, int]
    inner: tuple[int, int]
    corner: tuple[int, int]
    spacing: tuple[float, float] | None
    class_pixels: tuple[int, ...]
    """How many pixels each class has; ignored pixels are in none."""
    intensities: Intensities
    channel_mean: tuple[float, ...]
    channel_deviation: tuple[float, ...]

    @property
    def share(self) -> float:
        """Foreground among the pixels that count."""
        mask_pixels = self.image_shape[0] * self.image_shape[1]
        if len(self.mask_shape) == 3:
            return sum(self.class_pixels) / (mask_pixels * len(self.class_pixels))
        return sum(self.class_pixels[1:]) / max(sum(self.class_pixels), 1)

    def to_json(self) -> dict[str, Any]:
        """Plain lists, numbers and strings."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Entry:
        """The entry that `to_json` gave."""
        tuples: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**tuples | {"intensities": Intensities(*values["intensities"])})


class Writer:
    """Appends arrays and their entries to a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        with _telling_full(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._files = {kind: FileIO(folder / f"{kind}.bin", "a") for kind in KINDS}
            self._journal = FileIO(folder / JOURNAL, "a")

    def append(self, arrays: dict[str, np.ndarray]) -> tuple[int, ...]:
        """Write one array a kind; returns where each begins."""
        with _telling_full(self.folder):
            return tuple(_append(self._files[kind], arrays[kind]) for kind in KINDS)

    def note(self, entry: Entry) -> None:
        """Write down what was appended, so that it is found after an interruption."""
        with _telling_full(self.folder):
            _append_bytes(self._journal, json.dumps(entry.to_json()).encode() + b"\n")

    def close(self) -> None:
        """Close the files."""
        for file in (*self._files.values(), self._journal):
            file.close()


def _append(file: FileIO, array: np.ndarray) -> int:
    end = file.seek(0, os.SEEK_END)
    padding = -end % ALIGNMENT
    _append_bytes(file, b"\0" * padding + np.ascontiguousarray(array).tobytes())
    return end + padding


def _append_bytes(file: FileIO, data: bytes) -> None:
    """Whole or not at all."""
    end = file.seek(0, os.SEEK_END)
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        file.truncate(end)
        raise


@contextmanager
def _telling_full(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise UserError(f"{folder} cannot be written: {error.strerror}.") from error
        raise UserError(
            f"The disk of {folder} is full: what is prepared so far is kept; make room and start again to go on."
        ) from error


class Reader:
    """The arrays of a folder, mapped into memory; what was read long ago is given back to the system."""

    def __init__(self, folder: Path):
        self._maps = {}
        for kind in KINDS:
            with open(folder / f"{kind}.bin", "rb") as file:
                self._maps[kind] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._seen = 0

    def view(self, kind: str, offset: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """An array where it lies; only what is looked at is read."""
        array: np.ndarray = np.ndarray(shape, dtype, self._maps[kind], offset)
        self._seen += array.nbytes
        if self._seen > KEPT:
            self._give_back()
        return array

    def _give_back(self) -> None:
        """Pages that were read count as this process's memory until then; views stay valid, and the cache is kept."""
        self._seen = 0
        if hasattr(mmap, "MADV_DONTNEED"):
            for pages in self._maps.values():
                pages.madvise(mmap.MADV_DONTNEED)


def read_journal(folder: Path) -> dict[str, Entry]:
    """The entries of a run that did not come to its end; a half-written last line does not count."""
    path = folder / JOURNAL
    if not path.exists():
        return {}
    whole = path.read_bytes().rpartition(b"\n")[0]
    entries = (Entry.from_json(json.loads(line)) for line in whole.splitlines())
    sizes = {kind: (folder / f"{kind}.bin").stat().st_size for kind in KINDS}
    return {entry.name: entry for entry in entries if _is_whole(entry, sizes)}


def _is_whole(entry: Entry, sizes: dict[str, int]) -> bool:
    """Whether the bytes are there; after a power failure the journal may know more than the arrays."""
    lengths = (
        int(np.prod(entry.image_shape)) * np.dtype(entry.dtype).itemsize,
        int(np.prod(entry.mask_shape)),
        4 * entry.image_shape[0],
    )
    ends = zip(KINDS, entry.offsets, lengths, strict=True)
    return all(offset + length <= sizes[kind] for kind, offset, length in ends)


def write_index(folder: Path, index: dict[str, Any]) -> None:
    """Replace the index of a prepared folder, whole or not at all."""
    with _telling_full(folder):
        write_whole(folder / INDEX, json.dumps({"format": FORMAT, **index}))


def read_index(folder: Path) -> dict[str, Any]:
    """The index of a prepared folder."""
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{folder} is not a prepared folder: make one with `workbench data prepare PATH --out {folder}`."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"The index {path} cannot be read ({error}): delete it and prepare again.") from None
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise UserError(f"{folder} was prepared by another version: delete it and prepare again.")
    return index

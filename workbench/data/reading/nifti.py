"""NIfTI: one slice of a volume, canonically oriented, in the file's units; headers are understood by nibabel.

Rows run from head to foot or from front to back, columns from the patient's left to the right or from back to front.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from workbench.data.reading.facts import Facts, Opened
from workbench.errors import UserError

AXES = ("left to right", "back to front", "foot to head")
MOST_VOLUMES = 16
KEPT = 256 << 20
"""Bytes of the last inflated file that are kept, so that its next slice is quick."""


def open_nifti(file: BinaryIO, path: Path, index: int, axis: int | None) -> Opened:
    """float32, or uint8 for a coloured volume; a fourth dimension of a few volumes becomes channels."""
    volume, packed = _volume(file, path, axis)

    def values() -> np.ndarray:
        return volume.slice_of(_voxels(file, path, volume, packed), index)

    facts = volume.facts
    memory = facts.height * facts.width * facts.channels * 24 + (volume.end if packed else 0)
    return Opened(facts, memory, lambda _at_least: values(), values)


class Volume:
    """Where the slices of one axis lie in the file, and how each is set upright."""

    def __init__(self, header: Any, path: Path, axis: int | None) -> None:
        self.dtype = header.get_data_dtype()
        if self.dtype.kind not in "uifV" or self.dtype.itemsize > 8:
            raise UserError(f"{path} is a NIfTI file of unusual numbers ({self.dtype}); save it as float32 or int16.")
        self._coloured = self.dtype.names is not None
        self.shape = _shape(header, path)
        self.offset = max(int(header["vox_offset"]), header.sizeof_hdr)
        self.end = self.offset + int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize
        self._slope, self._intercept = _scaling(header)
        self._axes, self._backwards, oriented = _orientation(header)
        sizes = [float(header["pixdim"][1 + stored]) for stored in self._axes]
        if axis is None:
            axis = _default_axis([self.shape[stored] for stored in self._axes], sizes)
        if axis not in (0, 1, 2):
            raise UserError(
                f"{path} has no axis {axis}; choose 0 (left to right), 1 (back to front) or 2 (foot to head)."
            )
        self._across = axis
        self._column, self._row = (other for other in (0, 1, 2) if other != axis)
        spacing = sizes[self._row], sizes[self._column]
        known = all(np.isfinite(size) and size > 0 for size in spacing)
        self.facts = Facts(
            width=self.shape[self._axes[self._column]],
            height=self.shape[self._axes[self._row]],
            channels=3 if self._coloured else self.shape[3],
            bits=8 if self._coloured else self.dtype.itemsize * 8,
            format="NIfTI",
            slices=self.shape[self._axes[axis]],
            spacing=spacing if known else None,
            notes=tuple(self._notes(oriented)),
        )

    def slice_of(self, voxels: np.ndarray, index: int) -> np.ndarray:
        """[h, w, channels] of the stored volume [x, y, z, volumes]."""
        if self._backwards[self._across]:
            index = self.facts.slices - 1 - index
        plane = voxels.transpose(self._axes[self._row], self._axes[self._column], self._axes[self._across], 3)[
            :, :, index
        ]
        if not self._backwards[self._row]:
            plane = plane[::-1]  # up in the body is up in the picture
        if self._backwards[self._column]:
            plane = plane[:, ::-1]
        if self._coloured:
            return np.stack([plane[name][..., 0] for name in self.dtype.names[:3]], axis=2)
        return plane.astype(np.float32) * self._slope + self._intercept

    def stored(self, planes: np.ndarray) -> np.ndarray:
        """Maps [slices, h, w] of all slices, as they are shown, to the order [x, y, z] of the file."""
        across, row, column = (self._axes[axis] for axis in (self._across, self._row, self._column))
        steps = (
            -1 if self._backwards[self._across] else 1,
            1 if self._backwards[self._row] else -1,
            -1 if self._backwards[self._column] else 1,
        )
        return planes[:: steps[0], :: steps[1], :: steps[2]].transpose(np.argsort((across, row, column)))

    def _notes(self, oriented: bool) -> list[str]:
        notes = [f"slices from {AXES[self._across]}"]
        if (self._slope, self._intercept) != (1, 0):
            notes.append(f"rescaled by slope {self._slope:g} and intercept {self._intercept:g}")
        if self.shape[3] > 1:
            notes.append(f"{self.shape[3]} volumes as channels")
        if not oriented:
            notes.append("no orientation in the file")
        return notes


def in_file_order(path: Path, axis: int | None, planes: np.ndarray) -> np.ndarray:
    """Maps [slices, h, w] of all slices of a NIfTI file's axis as a volume that lies on the file's own voxels."""
    with path.open("rb") as file:
        return _volume(file, path, axis)[0].stored(planes)


def _volume(file: BinaryIO, path: Path, axis: int | None) -> tuple[Volume, bool]:
    """What the header says, and whether the file is packed."""
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    with _by_nibabel(path):
        return Volume(_header(gzip.GzipFile(fileobj=file) if packed else file), path, axis), packed


@contextmanager
def _by_nibabel(path: Path) -> Iterator[None]:
    """Asks for the package where it is missing, and gives its own errors a common name."""
    try:
        from nibabel.spatialimages import HeaderDataError
        from nibabel.wrapstruct import WrapStructError
    except ModuleNotFoundError as error:
        raise UserError(
            f'{path} is a NIfTI file; to read it, pip install "attention-unet-workbench[medical]".'
        ) from error
    try:
        yield
    except (HeaderDataError, WrapStructError) as error:
        raise ValueError("not as NIfTI should be") from error


def _header(stream: BinaryIO | gzip.GzipFile) -> Any:
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    head = stream.read(Nifti2Header.sizeof_hdr)
    version = Nifti2Header if head[4:8] == b"n+2\0" else Nifti1Header
    return version(head[: version.sizeof_hdr], check=False)


def _shape(header: Any, path: Path) -> tuple[int, int, int, int]:
    """(x, y, z, volumes)."""
    sizes = [int(size) for size in header["dim"][1 : 1 + max(int(header["dim"][0]), 0)]]
    if len(sizes) < 2 or len(sizes) > 7 or min(sizes) < 1:
        raise UserError(f"{path} is a NIfTI file that says that its size is {sizes}; save it anew.")
    x, y, z, *volumes = [*sizes, 1, 1]
    count = int(np.prod(volumes, dtype=object))
    if count > MOST_VOLUMES:
        raise UserError(
            f"{path} holds {count} volumes, and up to {MOST_VOLUMES} can be read as channels; save each as a file."
        )
    return x, y, z, count


def _scaling(header: Any) -> tuple[np.float32, np.float32]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope) or not np.isfinite(intercept):
        slope, intercept = 1.0, 0.0
    return np.float32(slope), np.float32(intercept)


def _orientation(header: Any) -> tuple[list[int], list[bool], bool]:
    """For each canonical axis the stored one and whether that runs backwards; and whether the file tells at all."""
    from nibabel.orientations import io_orientation

    affine = header.get_best_affine()
    if np.isfinite(affine).all() and np.linalg.matrix_rank(affine[:3, :3]) == 3:
        ornt = io_orientation(affine)
        stored = [int(np.flatnonzero(ornt[:, 0] == axis)[0]) for axis in range(3)]
        return (
            stored,
            [bool(ornt[axis, 1] < 0) for axis in stored],
            int(header["qform_code"]) + int(header["sform_code"]) > 0,
        )
    return [0, 1, 2], [False] * 3, False


def _default_axis(lengths: list[int], sizes: list[float]) -> int:
    """A flat axis, or else the one of the coarsest spacing, or else the last."""
    flat = [axis for axis in range(3) if lengths[axis] == 1]
    if flat:
        return flat[-1]
    return max(range(3), key=lambda axis: (round(sizes[axis], 3) if np.isfinite(sizes[axis]) else 0, axis))


def _voxels(file: BinaryIO, path: Path, volume: Volume, packed: bool) -> np.ndarray:
    """The stored volume [x, y, z, volumes], of which a plain file gives only the pages that are looked at."""
    if not packed:
        return np.memmap(file, volume.dtype, "r", volume.offset, volume.shape, order="F")
    status = path.stat()
    inflate = _inflated if volume.end <= KEPT else _inflated.__wrapped__
    data = inflate(path, (status.st_mtime_ns, status.st_size), volume.end)
    return np.frombuffer(data, volume.dtype, offset=volume.offset).reshape(volume.shape, order="F")


@lru_cache(maxsize=1)
def _inflated(path: Path, stamp: tuple[int, int], end: int) -> bytes:
    """The first `end` bytes of an inflated file; `stamp` tells a changed file from the one that was kept."""
    with gzip.open(path) as stream:
        data = stream.read(end)
    if len(data) < end:
        raise EOFError
    return data

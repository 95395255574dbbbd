"""A ZIP that somebody sends -> a folder of its files: within limits, and nothing outside that folder."""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from workbench.errors import UserError

Progress = Callable[[int, int], None]

PIECE = 1 << 20
LEFT_OUT = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
"""What systems add to a ZIP without being asked."""
ENCRYPTED = 0x1


class ZipLimits(NamedTuple):
    """How much may come out of a ZIP."""

    files: int = 200_000
    bytes: int = 20 * 1024**3
    """Of all files together, unpacked."""
    ratio: int = 200
    """How many times as large as it is packed a file may be; pictures are packed already, so they come to 1 to 20."""
    ratio_from: int = 1 << 20
    """Smaller files may be packed as well as they can."""


LIMITS = ZipLimits()


def unpack(path: Path, folder: Path, limits: ZipLimits = LIMITS, progress: Progress | None = None) -> Path:
    """Unpack a ZIP into a new folder, whole or not at all, and return the folder that its files lie in.

    A single folder around everything is taken off. `progress` is told of bytes; whatever it raises ends the unpacking
    and leaves nothing behind.
    """
    if folder.exists():
        raise UserError(f"There is a folder {folder} already: choose another name.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked(path, archive.infolist(), limits)
            _check_space(folder.parent, sum(member.file_size for member in members))
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as part:
                _extract(archive, members, Path(part, "files"), progress)
                Path(part, "files").rename(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} is no whole ZIP ({error}): make it anew, or send it again.") from error
    return _without_wrapping(folder)


def _checked(path: Path, members: Sequence[zipfile.ZipInfo], limits: ZipLimits) -> list[zipfile.ZipInfo]:
    """Those to unpack; everything that its list tells is refused before a byte is written."""
    files = [member for member in members if not member.is_dir() and not _is_left_out(member.filename)]
    if not files:
        raise UserError(f"{path.name} holds no files.")
    if len(files) > limits.files:
        raise UserError(f"{path.name} holds {len(files):,} files, and {limits.files:,} are allowed: send it in parts.")
    for member in files:
        _check(path, member, limits)
    total = sum(member.file_size for member in files)
    if total > limits.bytes:
        raise UserError(f"{path.name} would unpack to {_size(total)}, and {_size(limits.bytes)} are allowed.")
    if sum(member.compress_size for member in files) > path.stat().st_size:
        raise UserError(f"{path.name} holds files that share their bytes: it was made to do harm.")
    seen: dict[str, str] = {}
    for member in files:
        other = seen.setdefault(_place(member.filename).as_posix().casefold(), member.filename)
        if other is not member.filename:
            raise UserError(f"{path.name} holds {member.filename!r} and {other!r}, which are one file on some systems.")
    return files


def _check(path: Path, member: zipfile.ZipInfo, limits: ZipLimits) -> None:
    name = member.filename
    place = _place(name)
    if place.is_absolute() or ".." in place.parts or ":" in name or any(ord(letter) < 32 for letter in name):
        raise UserError(f"{path.name} holds {name!r}, which would lie outside of its folder: it was made to do harm.")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise UserError(f"{path.name} holds {name!r}, which is a link or a device and no file: pack the file itself.")
    if member.flag_bits & ENCRYPTED:
        raise UserError(f"{path.name} is locked with a password: make it anew without one.")
    if member.file_size > max(limits.ratio_from, limits.ratio * member.compress_size):
        raise UserError(
            f"{path.name} holds {name!r}, which unpacks from {_size(member.compress_size)} to "
            f"{_size(member.file_size)}: no picture does, so it is not unpacked."
        )


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"Unpacked it takes {_size(needed)}, and the disk of {folder} has {_size(free)} left: make room."
        )


def _extract(
    archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], folder: Path, progress: Progress | None
) -> None:
    """No file gets larger than the list says: reading ends there, and its checksum is then wrong."""
    total = sum(member.file_size for member in members)
    done = 0
    folder.mkdir()
    for member in members:
        to = folder.joinpath(*_place(member.filename).parts)
        to.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, to.open("xb") as file:
            while piece := source.read(PIECE):
                done += len(piece)
                file.write(piece)
                if progress:
                    progress(done, total)


def _place(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def _is_left_out(name: str) -> bool:
    return any(part in LEFT_OUT for part in _place(name).parts)


def _without_wrapping(folder: Path) -> Path:
    inside = list(folder.iterdir())
    return _without_wrapping(inside[0]) if len(inside) == 1 and inside[0].is_dir() else folder


def _size(count: int) -> str:
    return f"{count / 1024**2:,.1f} MB" if count < 1024**3 else f"{count / 1024**3:,.1f} GB"

"""Pictures that a browser sends in pieces: kept in a temporary folder of their own, within limits, never served."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from workbench.data.reading import Facts, Limits, read_facts
from workbench.errors import UserError
from workbench.runs.files import full_disk_told

LIMITS = Limits.upload()
MOST_FILES = 50
"""The oldest goes when another comes."""


class Upload(NamedTuple):
    """A file, whole or in the making."""

    path: Path
    bytes: int
    """When it is whole."""


class Uploads:
    """Files by keys that nobody can guess; the folder goes with the process."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self._files: OrderedDict[str, Upload] = OrderedDict()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    def begin(self, name: str, size: int) -> str:
        """The key of a new file of so many bytes."""
        if not 0 < size <= self.limits.bytes:
            told = "is empty" if size < 1 else f"has {size / 1e6:.0f} MB, over the limit of {self._most}"
            raise UserError(f"{name} {told}; choose another picture, or make it smaller first.")
        with self._lock, full_disk_told(Path(tempfile.gettempdir())):
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="workbench-pictures-")
            key = secrets.token_urlsafe(16)
            path = Path(self._folder.name, key, safe_name(name))
            path.parent.mkdir()
            path.touch()
            self._files[key] = Upload(path, size)
            while len(self._files) > MOST_FILES:
                self._drop(next(iter(self._files)))
        return key

    def append(self, key: str, text: str) -> bool:
        """Add a piece in base64; True when the file is whole."""
        upload = self._upload(key)
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise UserError(f"{upload.path.name} did not arrive whole: send it again.") from None
        with self._lock:
            here = upload.path.stat().st_size + len(data)
            if here > upload.bytes:
                self._drop(key)
                raise UserError(f"{upload.path.name} is larger than was told: send it again.")
            with full_disk_told(upload.path.parent.parent), upload.path.open("ab") as file:
                file.write(data)
        return here == upload.bytes

    def facts(self, key: str, index: int = 0) -> Facts:
        """What its header says, within the limits; a file that is no picture of a known kind is not kept."""
        path = self.path(key)
        try:
            with named_by_user(path):
                return read_facts(path, index=index, limits=self.limits)
        except UserError:
            if index == 0:
                self._drop(key)
            raise

    def path(self, key: str) -> Path:
        """Where a whole file lies."""
        upload = self._upload(key)
        if upload.path.stat().st_size != upload.bytes:
            raise UserError(f"{upload.path.name} has not arrived yet: wait for it, or send it again.")
        return upload.path

    def _upload(self, key: str) -> Upload:
        if key not in self._files:
            raise UserError("That picture is no longer kept here: send it again.")
        return self._files[key]

    def _drop(self, key: str) -> None:
        upload = self._files.pop(key, None)
        if upload:
            shutil.rmtree(upload.path.parent, ignore_errors=True)

    @property
    def _most(self) -> str:
        return f"{self.limits.bytes / 1e6:.0f} MB"


def safe_name(name: str) -> str:
    """A file name without folders, control characters and other surprises."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[^\w.+ ()-]+", "_", last).strip(". ")[-80:] or "picture"


@contextmanager
def named_by_user(path: Path) -> Iterator[None]:
    """Sentences about a file say the name that the user knows, not where it lies here."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(str(path), path.name)) from error

"""A folder as a ZIP that unpacks into a folder of the same name."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from workbench.errors import UserError
from workbench.files import whole

COMPRESSED = (".yaml", ".json", ".jsonl", ".txt")
"""The rest (weights, previews) would hardly get smaller."""


def pack(folder: Path, to: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the ZIP, whole or not at all; hidden files, such as locks, stay behind."""
    if not to.absolute().parent.is_dir():
        raise UserError(f"There is no folder {to.parent} to write {to.name} into: make it first.")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_hidden(path.relative_to(folder))]
    with whole(to) as part, zipfile.ZipFile(part, "w") as archive:
        for number, path in enumerate(paths, start=1):
            inside = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            archive.write(path, inside, zipfile.ZIP_DEFLATED if path.suffix in COMPRESSED else zipfile.ZIP_STORED)
            if progress:
                progress(number, len(paths))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)

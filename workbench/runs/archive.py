"""A folder as a ZIP that unpacks into a folder of the same name."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from workbench.errors import UserError
from workbench.files import whole

COMPRESSED = (".yaml", ".json", ".jsonl", ".txt")
"""The rest (weights, previews) would hardly get smaller."""


def pack(
    folder: Path,
    to: Path,
    progress: Callable[[int, int], None] | None = None,
    wanted: Callable[[Path], bool] = lambda path: True,
) -> None:
    """Write the ZIP, whole or not at all; hidden files, such as locks, stay behind.

    `wanted` chooses among the others, by their paths within the folder.
    """
    if not to.absolute().parent.is_dir():
        raise UserError(f"There is no folder {to.parent} to write {to.name} into: make it first.")
    inside = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    paths = [path for path in inside if not _is_hidden(path) and wanted(path)]
    with whole(to) as part, zipfile.ZipFile(part, "w") as archive:
        for number, path in enumerate(paths, start=1):
            kind = zipfile.ZIP_DEFLATED if path.suffix in COMPRESSED else zipfile.ZIP_STORED
            archive.write(folder / path, f"{folder.name}/{path.as_posix()}", kind)
            if progress:
                progress(number, len(paths))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)

"""Files that users name in a configuration, written by the workbench as JSON: splits, groups, corrections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.errors import UserError
from workbench.files import write_whole


def read_named(path: str | Path, what: str, origin: str) -> dict[str, Any]:
    """What the file holds; `what` names its kind in sentences, and `origin` says where such files come from."""
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no {what} file {path}: {origin} writes one.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"The {what} file {path} cannot be read as JSON: {error}.") from None
    if not isinstance(stored, dict):
        raise UserError(f"The {what} file {path} must hold a mapping.")
    return stored


def write_named(path: Path, value: object) -> None:
    """Whole or not at all."""
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

"""What a result depends on beside its config: versions, hardware, data, and the caller's own code."""

from __future__ import annotations

import platform
import subprocess
import time
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import workbench
from workbench.devices import list_devices
from workbench.runs.files import read_json, write_json

PACKAGES = (
    "torch",
    "torchvision",
    "accelerate",
    "segmentation-models-pytorch",
    "timm",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "safetensors",
)


def note_environment(path: Path, **told: Any) -> None:
    """Add a start of the run to environment.json."""
    starts = (read_json(path) or {"starts": []})["starts"]
    write_json(path, {"starts": [*starts, {**_environment(), **told}]})


def _environment() -> dict[str, Any]:
    return {
        "time": time.time(),
        "versions": {"workbench": workbench.__version__, "python": platform.python_version()} | _versions(),
        "platform": platform.platform(),
        "hardware": [asdict(device) for device in list_devices()],
        "git": _git_commit(Path.cwd()),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _git_commit(folder: Path) -> dict[str, Any] | None:
    """The commit of the project in whose folder the run was started, and whether files differ from it."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):  # no git, or no repository
        return None


def _git(folder: Path, *words: str) -> str:
    answer = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=20)
    return answer.stdout.strip()

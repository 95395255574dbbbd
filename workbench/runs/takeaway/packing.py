"""All that is worth having of a run as one ZIP, and what there is. Knows no torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.errors import UserError
from workbench.runs.archive import pack
from workbench.runs.files import BEST, LAST, full_disk_told
from workbench.runs.run import Run

EXPORTED = (".onnx", ".pt2", ".xml", ".bin", ".ncnn.param")
"""The ends of the files beside the weights that belong to an export."""
STATE = "step-"
"""What the folder of a state to go on from is called at first."""


def pack_run(run: Run, to: Path, states: bool = False, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Pack weights, exported files, configuration, records and evaluations into a ZIP, which unpacks into a run.

    `states` are those to go on training from, and take a multiple of the rest. Exported files of older weights stay
    behind: their names are returned.
    """
    stale = [path.name for path in exported_files(run) if _is_older(path, run.best_model)]

    def wanted(path: Path) -> bool:
        if path.parts[0] != run.checkpoints.name:
            return True
        is_state = path.parts[1].startswith(STATE) or path.parts[1] == LAST
        return path.parts[1] not in stale and (states or not is_state)

    if states and run.is_at_work():
        raise UserError(f"{run.name} is at work: stop it first, or leave out the states to go on from.")
    with full_disk_told(to.absolute().parent):
        pack(run.folder, to, progress, wanted)
    return stale


def exported_files(run: Run) -> list[Path]:
    """What was exported and lies beside the weights."""
    stem = BEST.removesuffix(".safetensors")
    return sorted(path for path in run.checkpoints.glob(f"{stem}*") if path.name.endswith(EXPORTED))


def _is_older(path: Path, than: Path) -> bool:
    return than.is_file() and path.stat().st_mtime < than.stat().st_mtime

"""The small trained run that comes with the package, so that there is something to look at before anything is trained.

`make demo-run` makes it again.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import workbench
from workbench.errors import UserError
from workbench.runs.files import full_disk_told
from workbench.runs.run import Run, list_runs

DEMO = Path(workbench.__file__).parent / "demo"
NAME = "demo"


def add_demo_run(runs: str | Path) -> Run | None:
    """Copy it into a folder that holds no run yet, whole or not at all; None where there are runs."""
    folder = Path(runs).absolute()
    if list_runs(folder):
        return None
    part = folder / f".{NAME}.part"
    try:
        with full_disk_told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(DEMO, part)
            return Run(part.rename(folder / NAME))
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{folder} is a file, or holds one called {NAME}: name a folder for the runs.") from None
    except PermissionError:
        raise UserError(f"{folder} cannot be written to: name another folder for the runs, with --runs.") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)

"""Makes the run that comes with the package: `make demo-run` (about a minute)."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from workbench.config import load_config
from workbench.runs.demo import DEMO, NAME
from workbench.runs.evaluation import evaluate_run
from workbench.runs.run import Run

OF_THIS_MACHINE = {
    "host": "",
    "pid": None,
    "process_started": None,
    "detail": "An example that came with the workbench.",
}


def main() -> None:
    """Train the preset, evaluate its best model, and keep what does not tell of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run.start(load_config("demo"), folder, NAME)
        status = run.wait()
        assert status.state == "finished", status
        evaluate_run(run, "test")
        _forget_this_machine(run.folder)
        shutil.rmtree(DEMO, ignore_errors=True)
        shutil.copytree(run.folder, DEMO)
    size = sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file())
    print(f"{DEMO}: {size / 1e6:.2f} MB, {run.name} {status.step} steps")


def _forget_this_machine(folder: Path) -> None:
    """The host and its processes, and the states to go on from, which would make it three times as large."""
    for path in [*folder.glob(".*"), folder / "checkpoints" / "last.json"]:
        path.unlink(missing_ok=True)
    for state in folder.glob("checkpoints/step-*"):
        shutil.rmtree(state)
    _change(folder / "status.json", OF_THIS_MACHINE)
    starts = json.loads((folder / "environment.json").read_text())["starts"]
    _change(folder / "environment.json", {"starts": [{**start, "git": None} for start in starts]})


def _change(path: Path, values: dict[str, object]) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}, indent=1))


if __name__ == "__main__":
    main()

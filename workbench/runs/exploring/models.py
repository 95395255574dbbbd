"""The models of runs, by the names of their runs; the few that were used last stay in memory. Knows no torch itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.errors import UserError, choices
from workbench.runs.exploring.kept import Kept
from workbench.runs.files import LAST
from workbench.runs.run import Run, list_runs

if TYPE_CHECKING:
    from workbench.inference.predictor import Predictor
    from workbench.models import SegmentationModel

MOST_MODELS = 3
"""Two are compared, and one may be the last that was looked at."""


class Loaded(NamedTuple):
    """A model that is ready."""

    key: Hashable
    """Changes when the file does."""
    model: SegmentationModel
    """As it was trained: to change gates, and for gradients."""
    predictor: Predictor
    name: str
    """Of the run, the checkpoint and its epoch or step."""


class Models:
    """Those of one folder of runs; no other file is opened, whatever name is asked for."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._kept: Kept[Loaded] = Kept(MOST_MODELS)

    def run(self, name: str) -> Run:
        """The run of that name in the folder."""
        known = {run.name: run for run in list_runs(self._runs)}
        if name not in known:
            raise choices("run", name, known)
        return known[name]

    def listed(self) -> list[dict[str, Any]]:
        """Every run, the newest first, with the checkpoints that can be looked at, or the reason why there are none."""
        return [_told(run) for run in list_runs(self._runs)]

    def load(self, name: str, checkpoint: str) -> Loaded:
        """A run's best model, or that of its last state."""
        if checkpoint not in CHECKPOINTS:
            raise choices("checkpoint", checkpoint, CHECKPOINTS)
        run = self.run(name)
        if not run.best_model.is_file():
            raise UserError(f"{name} has no model yet: wait for its first validation, or choose another run.")
        path = run.best_model if checkpoint == "best" else run.checkpoints / LAST
        if not path.is_file():
            raise UserError(f"{name} has no last state: choose its best model.")
        facts = path.stat()
        key = (name, checkpoint, facts.st_mtime_ns, facts.st_ino)
        return self._kept.get(key, lambda: _ready(key, run, checkpoint))


def _told(run: Run) -> dict[str, Any]:
    try:
        names = [name for name in CHECKPOINTS if run.best_model.is_file() and (name == "best" or run.last_step)]
        return {
            "name": run.name,
            "checkpoints": [{"name": name, "about": _about(run, name)} for name in names],
            "problem": "" if names else "no model yet",
        }
    except UserError as error:
        return {"name": run.name, "checkpoints": [], "problem": str(error)}


def _about(run: Run, checkpoint: str) -> str:
    if checkpoint == "last":
        return f"step {run.last_step}"
    best = run.best() or {}
    return f"epoch {best['epoch']}" if "epoch" in best else ""


def _best(run: Run) -> SegmentationModel:
    from workbench.models import load_model

    return load_model(run.best_model)


def _last(run: Run) -> SegmentationModel:
    """The best model's network and card with the weights of the last state, or their moving average if there is one."""
    from workbench.models import load_model
    from workbench.models.weights import fill
    from workbench.runs.checkpoints import load_checkpoint

    model, checkpoint = load_model(run.best_model), load_checkpoint(run.checkpoints)
    if checkpoint is None:
        raise UserError(f"{run.name} has no last state that can be read: choose its best model.")
    learner = checkpoint.state["learner"]
    averaged = learner["average"] or {}
    average = {name.removeprefix("module."): tensor for name, tensor in averaged.items() if name != "n_averaged"}
    fill(model, average or learner["model"], run.checkpoints)
    return model


CHECKPOINTS: dict[str, Callable[[Run], SegmentationModel]] = {"best": _best, "last": _last}


def _ready(key: Hashable, run: Run, checkpoint: str) -> Loaded:
    from workbench.inference.backend import find_device
    from workbench.inference.predictor import Predictor

    device = find_device("auto")
    model = CHECKPOINTS[checkpoint](run).to(device)
    name = f"{run.name} {checkpoint} ({_about(run, checkpoint)})"
    return Loaded(key, model, Predictor(model, device=str(device)), name)

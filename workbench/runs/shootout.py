"""Several presets on the same data, with the same budget and seeds: which runs that takes, and where it stands.

A shoot-out is a folder: its plan, its runs, and what came out. Runs that have finished are never repeated, so that one
that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from workbench.config import RunConfig, load_config
from workbench.errors import UserError
from workbench.knobs import override
from workbench.runs.changes import with_whole_paths
from workbench.runs.files import read_json, write_json
from workbench.runs.performance import SECONDS, counted_steps, performance_config
from workbench.runs.run import CONFIG, Run

PLAN = "plan.json"
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}

THE_SAME_FOR_ALL = (
    *("path", "layout", "options", "mode", "classes", "mask_values", "snap_mask_values", "fractions", "split_seed"),
    *("split_file", "group_pattern", "group_file", "stratify", "folds", "fold"),
)
"""Knobs of the data that are taken from the first preset: which pictures there are, and how they are split."""

OF_A_STEP = 1 / 3
"""What a picture takes in a validation, compared with a training step: the way there without the way back."""


class Budget(NamedTuple):
    """What each run may use: seconds of training, or epochs."""

    amount: float
    in_epochs: bool

    @classmethod
    def parse(cls, text: str) -> Budget:
        """90s, 10m, 2h, or 20epochs."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)|([1-9]\d*) ?epochs?", text.strip())
        if not found or (found[1] and not float(found[1])):
            raise UserError(f"--budget {text!r} is no budget: give a time such as 90s, 10m or 2h, or such as 20epochs.")
        return cls(int(found[3]), True) if found[3] else cls(float(found[1]) * UNITS[found[2]], False)


@dataclass(frozen=True)
class Shootout:
    """The plan, and the runs that have been made of it."""

    folder: Path
    presets: tuple[str, ...]
    seeds: int
    budget: str
    configs: Mapping[str, RunConfig]
    """Of each preset, with its own length."""

    @classmethod
    def open(
        cls, folder: Path, presets: Sequence[str], seeds: int, budget: str, changes: Mapping[str, Any] | None = None
    ) -> Shootout:
        """A new one, or the one that lies there, which must be of the same plan."""
        if len(presets) < 2 or len(set(presets)) < len(presets):
            raise UserError("Name at least two presets or configurations, each once.")
        if seeds < 1:
            raise UserError("--seeds must be at least 1; 3 tell chance from difference.")
        Budget.parse(budget)
        configs = _alike({name: with_whole_paths(load_config(name, changes or {})) for name in presets})
        settings = {
            "presets": {name: config.model_dump(mode="json") for name, config in configs.items()},
            "seeds": seeds,
            "budget": budget,
        }
        plan = json.loads(json.dumps(settings))  # as it is read back
        folder.mkdir(parents=True, exist_ok=True)
        before = read_json(folder / PLAN)
        if before is None:
            write_json(folder / PLAN, plan)
        elif {name: before.get(name) for name in plan} != plan:
            raise UserError(
                f"{folder} holds a shoot-out of another plan: name a new folder with --out, or give the same presets, "
                "knobs, seeds and budget."
            )
        return cls(folder, tuple(presets), seeds, budget, configs)

    @property
    def runs(self) -> Path:
        """The folder of its runs, which the app shows too."""
        return self.folder / "runs"

    def trial(self, preset: str) -> Run | None:
        """The short run that tells how many epochs a budget of time is; None where that is not needed."""
        if Budget.parse(self.budget).in_epochs:
            return None
        return self._made(f"{_word(preset)}-trial", performance_config(self.configs[preset]))

    @property
    def seconds_of_trial(self) -> float:
        """A tenth of the budget, and not more than a measurement takes."""
        return min(SECONDS, Budget.parse(self.budget).amount / 10)

    def run(self, preset: str, seed: int) -> Run:
        """The run of a preset with a seed; the trial comes first."""
        config = _of_length(self.configs[preset], self._epochs(preset))
        return self._made(f"{_word(preset)}-seed-{seed}", override(config, {"training.seed": seed}))

    def all_runs(self) -> list[tuple[str, Run]]:
        """Seed by seed, so that a comparison is there early."""
        return [(preset, self.run(preset, seed)) for seed in range(self.seeds) for preset in self.presets]

    def _made(self, name: str, config: RunConfig) -> Run:
        folder = self.runs.absolute() / name
        return Run.open(folder) if (folder / CONFIG).is_file() else Run.create(config, self.runs, name)

    def _epochs(self, preset: str) -> int:
        budget, trial = Budget.parse(self.budget), self.trial(preset)
        return int(budget.amount) if trial is None else max(1, int(budget.amount / seconds_of_epoch(trial)))


def list_shootouts(runs: Path) -> list[Path]:
    """The folders of shoot-outs in a folder of runs, and the one that it is a part of."""
    inside = [path for path in runs.absolute().glob("*") if not path.name.startswith(".")]
    return [path for path in (runs.absolute().parent, *sorted(inside)) if (path / PLAN).is_file()]


def is_done(run: Run) -> bool:
    """Whether a run of a shoot-out needs nothing more."""
    return run.status().state == "finished"


def seconds_of_epoch(run: Run) -> float:
    """About what an epoch of training and its validation take, from the steps that a run has recorded."""
    steps, status = counted_steps(run.records()), run.status()
    if not steps:
        raise UserError(f"{run.name} has no steps to tell the time from ({status.error or status.state}).")
    seconds = median(step["took"]["seconds"] for step in steps)
    pictures = run.environment()[-1]["data"]["splits"]
    return (
        seconds * (status.total / status.epochs)
        + OF_A_STEP * seconds * pictures["valid"] / steps[0]["took"]["pictures"]
    )


def _alike(configs: Mapping[str, RunConfig]) -> dict[str, RunConfig]:
    """The same pictures in the same splits for all."""
    first = next(iter(configs.values()))
    same = {name: getattr(first.data, name) for name in THE_SAME_FOR_ALL}
    return {
        name: config.model_copy(update={"data": config.data.model_copy(update=same)})
        for name, config in configs.items()
    }


def _of_length(config: RunConfig, epochs: int) -> RunConfig:
    """A training of so many epochs, whose schedule is shorter or longer in proportion."""
    training, schedule = config.training, config.training.schedule
    share = epochs / training.epochs if training.iterations is None else 1.0
    decay = None if schedule.decay_epochs is None else max(1, round(schedule.decay_epochs * share))
    changes = {
        "training.epochs": epochs,
        "training.iterations": None,
        "training.validate_every": None,
        "training.schedule.decay_epochs": decay,
        "training.schedule.milestones": tuple(max(1, round(m * share)) for m in schedule.milestones),
    }
    return override(config, changes)


def _word(preset: str) -> str:
    """A preset or the file of a configuration, as a part of a run's name."""
    return re.sub(r"[^\w.+-]+", "-", Path(preset).stem if preset.endswith((".yaml", ".yml")) else preset)

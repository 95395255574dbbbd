"""A shoot-out from the command line: several presets on the same data, with the same budget and seeds."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction

from workbench.commands.bars import progress_bar
from workbench.commands.knobs import parsed
from workbench.commands.watch import watch
from workbench.errors import UserError
from workbench.runs.performance import is_enough
from workbench.runs.run import Run
from workbench.runs.shootout import Shootout, is_done

if TYPE_CHECKING:
    from collections.abc import Callable


def shootout(
    presets: Positional[tuple[str, ...]],
    data: str | None = None,
    seeds: int = 3,
    budget: str = "10m",
    out: Path = Path("shootout"),
    knob: Annotated[tuple[str, ...], UseAppendAction] = (),
) -> None:
    """Train several models on the same data with the same budget and seeds, and tell what may be concluded.

    Ctrl-C stops it; the same command goes on where it was, and repeats no run that has finished.

    Args:
        presets: Presets, or YAML files of configurations; data and splits are the first one's.
        data: The folder of pictures and masks, or `shapes`.
        seeds: How many runs each has, with seeds from 0 on.
        budget: What each run may train: a time such as 90s, 10m or 2h, or such as 20epochs.
        out: The folder of the plan, the runs and what comes out.
        knob: Any knob of all configurations as NAME=VALUE; --NAME VALUE is the same.
    """
    changes = {**parsed(knob), **({} if data is None else {"data.path": data})}
    contest = Shootout.open(out, presets, seeds, budget, changes)
    for preset in presets:
        trial = contest.trial(preset)
        if trial is None:
            continue
        enough = partial(is_enough, trial, contest.seconds_of_trial)
        if not is_done(trial) and not enough():
            print(f"How long an epoch of {preset} takes:")
            _train(trial, enough)
    for number, (_, run) in enumerate(contest.all_runs(), start=1):
        if not is_done(run):
            print(f"Run {number} of {seeds * len(presets)}: {run.name}")
            _train(run)
    _evaluate([run for _, run in contest.all_runs() if is_done(run)])
    _tell(contest)


def _train(run: Run, enough: Callable[[], bool] = lambda: False) -> None:
    """Start it or go on with it; one that fails is told, and left out."""
    offset = run.history().offset
    run.launch()
    status = watch(run, offset, enough)
    if status.state in ("failed", "lost"):
        print(f"error: {run.name}: {status.error or status.detail}", file=sys.stderr)
    elif status.state == "stopped" and not enough():
        raise UserError(f"{run.name} was stopped: give the same command again to go on.")


def _evaluate(runs: list[Run]) -> None:
    from workbench.runs.evaluated import is_evaluated
    from workbench.runs.evaluation import evaluate_run
    from workbench.runs.standings import split_of

    if not runs:
        return
    split = split_of(runs)
    with progress_bar("picture") as show:
        for run in runs:
            if not is_evaluated(run, split):
                evaluate_run(run, split, progress=show)


def _tell(contest: Shootout) -> None:
    from workbench.runs.standings import PAGE, PICTURE, RESULTS, TITLES, row_of, save_standings, standings_of
    from workbench.tables import Table

    found = standings_of(contest)
    print(f"\n{Table(TITLES, [row_of(standing) for standing in found.standings])}\n")
    print("\n".join([found.conclusion, *found.notes]))
    save_standings(found, contest)
    print(f"Wrote {PAGE}, {PICTURE} and {RESULTS} into {contest.folder}.")

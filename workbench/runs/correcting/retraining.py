"""From corrected labels to a new run that goes on from the weights of another, and how the two compare."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workbench.config import RunConfig
from workbench.errors import UserError
from workbench.knobs import override
from workbench.runs.correcting.versions import versions_of
from workbench.runs.evaluated import is_evaluated, is_outdated
from workbench.runs.evaluating import Asked, evaluation_status, start_evaluation
from workbench.runs.run import Run, list_runs
from workbench.runs.status import Status

if TYPE_CHECKING:
    from workbench.data.splits import Splits
    from workbench.runs.comparison import Comparison

TEST = "test"
ENDING = "-corrected"


class Pair(NamedTuple):
    """A run, and one that went on from its weights with corrected labels."""

    before: Run
    after: Run


def retrain(run: Run, epochs: int | None = None, name: str | None = None) -> Run:
    """Begin a run from the best weights of this one, on the labels that are in use now and the very same splits."""
    after = Run.create(corrected_config(run, epochs), run.folder.parent, name or _free_name(run))
    after.launch()
    return after


def corrected_config(run: Run, epochs: int | None = None) -> RunConfig:
    """The configuration of such a run; splits and labels are files that never change."""
    from workbench.data.prepared import open_prepared, splits_of
    from workbench.runs.preparing import prepared_folder

    if not run.best_model.is_file():
        raise UserError(f"{run.name} has no model yet: wait for its first validation, or choose another run.")
    config, runs = run.config, run.folder.parent
    prepared = open_prepared(prepared_folder(config.data, runs))
    versions = versions_of(config.data, runs)
    corrections = versions.write(prepared.names, config.data.corrections)
    if corrections is None:
        raise UserError(f"No label of {run.name} is corrected: paint one and save it, then train on from there.")
    changes = {
        "data.corrections": str(corrections),
        "data.split_file": str(_write_splits(versions.folder, splits_of(prepared))),
        "model.weights": str(run.best_model),
    }
    if epochs is not None:
        changes |= {"training.epochs": str(epochs), "training.iterations": "null"}
    return override(config, changes)


def pair_of(run: Run) -> Pair | None:
    """The newest run that went on from this one with other labels, or this one and the one that it went on from."""
    known = list_runs(run.folder.parent)  # the newest first
    pairs = (*(Pair(run, one) for one in known), *(Pair(one, run) for one in known))
    return next((pair for pair in pairs if _goes_on(*pair)), None)


def _goes_on(before: Run, after: Run) -> bool:
    """Told by the end of the path, since folders of runs may be moved."""
    begun, config = after.config.model.weights, after.config.data
    same = begun is not None and Path(begun).parts[-3:] == before.best_model.parts[-3:]
    return same and config.corrections not in (None, before.config.data.corrections)


def evaluate_pair(pair: Pair) -> None:
    """Score on the test split what is not scored there yet, in the background."""
    if not pair.after.status().ended:
        raise UserError(f"{pair.after.name} is still training: compare the two when it is done.")
    for run in pair:
        status = evaluation_status(run, TEST)
        at_work = status is not None and not status.ended
        if not at_work and (not is_evaluated(run, TEST) or is_outdated(run, TEST)):
            start_evaluation(run, Asked(TEST))


def evaluations_of(pair: Pair) -> dict[str, Status]:
    """How those that were begun are, by the names of the runs."""
    found = {run.name: evaluation_status(run, TEST) for run in pair}
    return {name: status for name, status in found.items() if status is not None}


def compare_pair(pair: Pair) -> Comparison | None:
    """Both on the test split; None while one of them is not evaluated there."""
    if not all(is_evaluated(run, TEST) for run in pair):
        return None
    from workbench.runs.comparison import compare_runs

    return compare_runs(list(pair), TEST)


def _write_splits(folder: Path, splits: Splits) -> Path:
    from workbench.data.splits import write_splits

    digest = hashlib.blake2b(json.dumps(splits._asdict()).encode(), digest_size=4).hexdigest()
    file = folder / f"splits-{digest}.json"
    write_splits(file, splits)
    return file


def _free_name(run: Run) -> str:
    """RUN-corrected, RUN-corrected-2 and so on."""
    taken = {one.name for one in list_runs(run.folder.parent)}
    base = f"{run.name.removesuffix(ENDING)[:80]}{ENDING}"
    names = (base if number == 1 else f"{base}-{number}" for number in range(1, 1000))
    return next(name for name in names if name not in taken and not (run.folder.parent / name).exists())

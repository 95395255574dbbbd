"""Deleting a data set that was sent, in all of its forms; refused of other folders, and while somebody uses it.

Runs that were trained on it keep their models, records and previews.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from workbench.data.counting import named
from workbench.data.receive import DELETED
from workbench.data.store import read_index
from workbench.errors import UserError
from workbench.runs.datasets.known import Datasets
from workbench.runs.evaluated import SPLITS
from workbench.runs.evaluating import evaluation_status
from workbench.runs.exploring.models import CHECKPOINTS
from workbench.runs.naming import PREPARED
from workbench.runs.preparing import prepared_folder
from workbench.runs.run import Run, list_runs

MOST_RUNS = 12
"""Names of runs in a sentence."""


def deletion_told(datasets: Datasets, name: str) -> str:
    """What deleting it would do; refused where it may not be deleted."""
    runs = _refused(datasets, name)
    trained = "No run was trained on it."
    if runs:
        trained = (
            f"Trained on it: {named((run.name for run in runs), MOST_RUNS)}. They keep their models, scores and "
            "previews, but their pictures are gone: they cannot be trained on, evaluated again or looked at with them."
        )
    return f"{_asked(name)} its pictures and masks and all that was prepared and decided? {trained}"


def is_about(question: str, name: str | None) -> bool:
    """Whether what `deletion_told` said is about this data set, and not one whose name begins alike."""
    return question.startswith(_asked(str(name)))


def _asked(name: str) -> str:
    return f"Delete {name}, with"


def delete_sent(datasets: Datasets, name: str) -> None:
    """Delete it for good; its name is not given again where runs know it, so that none takes other pictures for it."""
    runs = _refused(datasets, name)
    folder = Path(datasets.path(name))
    configs = [datasets.config(name), *(run.config for run in runs)]
    prepared = {prepared_folder(config.data, datasets.runs) for config in configs} | set(_prepared_of(datasets, folder))
    files = [datasets.file(name), datasets.file_of_check(name)]
    gone = folder.with_name(f"{DELETED}{folder.name}")
    folder.rename(gone)
    for file in files:
        file.unlink(missing_ok=True)
    for each in filter(Path.is_dir, (gone, *prepared)):
        shutil.rmtree(each)
    if runs:
        gone.mkdir()


def _refused(datasets: Datasets, name: str) -> list[Run]:
    """The runs that were trained on it, if none of them is at work with it."""
    folder = Path(datasets.path(name))
    if not datasets.is_sent(name):
        raise UserError(f"{name} was not sent to the app, which deletes nothing else: delete it where it lies.")
    runs = [run for run in list_runs(datasets.runs) if _is_trained_on(run, folder)]
    for run in runs:
        if not run.status().ended or run.is_at_work():
            raise UserError(f"{run.name} is at work with {name}: wait for it, or stop it first.")
        if any(_is_being_evaluated(run)):
            raise UserError(f"{run.name} is being evaluated on {name}: wait for it, or stop it first.")
    return runs


def _is_trained_on(run: Run, folder: Path) -> bool:
    with suppress(UserError):  # one that cannot be read cannot be trained either
        return Path(run.config.data.path).is_relative_to(folder)
    return False


def _is_being_evaluated(run: Run) -> Iterator[bool]:
    for split in SPLITS:
        for checkpoint in CHECKPOINTS:
            status = evaluation_status(run, split, checkpoint)
            yield status is not None and not status.ended


def _prepared_of(datasets: Datasets, folder: Path) -> Iterator[Path]:
    for index in (datasets.runs / PREPARED).glob("*/index.json"):
        with suppress(UserError):  # one that cannot be read is left alone
            if Path(read_index(index.parent)["source"]["path"]).is_relative_to(folder):
                yield index.parent

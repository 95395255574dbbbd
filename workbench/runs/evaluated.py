"""Where the evaluations of a run lie, and which there are. Knows no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.runs.files import read_json, write_json
from workbench.runs.run import Run

SPLITS = ("test", "valid", "train")
BEST = "best"
MODEL = "model.json"


def evaluation_folder(run: Run, split: str, checkpoint: str = BEST) -> Path:
    """Where the evaluation of a split lies."""
    return run.folder / "evaluation" / (split if checkpoint == BEST else f"{split}-{checkpoint}")


def is_evaluated(run: Run, split: str, checkpoint: str = BEST) -> bool:
    """Whether it is there and whole."""
    return summary_file(run, split, checkpoint).is_file()


def summary_file(run: Run, split: str, checkpoint: str = BEST) -> Path:
    """What is written last."""
    return evaluation_folder(run, split, checkpoint) / "summary.json"


def model_now(run: Run, checkpoint: str = BEST) -> dict[str, Any]:
    """By what a model of a run is told from those that a further training makes of it."""
    best = run.best() or {}
    return {"step": best.get("step"), "epoch": best.get("epoch")} if checkpoint == BEST else {"step": run.last_step}


def note_model(run: Run, split: str, checkpoint: str = BEST) -> None:
    """Write down which model is evaluated."""
    folder = evaluation_folder(run, split, checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / MODEL, model_now(run, checkpoint))


def is_outdated(run: Run, split: str, checkpoint: str = BEST) -> bool:
    """Whether the run has another model by now than the one that was evaluated, as far as that was written down."""
    noted = read_json(evaluation_folder(run, split, checkpoint) / MODEL)
    return noted is not None and noted["step"] != model_now(run, checkpoint)["step"]


def evaluated_splits(run: Run, checkpoint: str = BEST) -> list[str]:
    """The splits that were evaluated, the most telling first."""
    return [split for split in SPLITS if is_evaluated(run, split, checkpoint)]

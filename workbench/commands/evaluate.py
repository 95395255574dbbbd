"""Evaluating from the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from workbench.commands.bars import progress_bar
from workbench.runs.run import find_run

if TYPE_CHECKING:
    from workbench.inference.evaluation import Evaluation


def evaluate(
    run: Positional[str],
    split: str = "test",
    checkpoint: str = "best",
    data: str | None = None,
    threshold: float = 0.5,
    batch: int | None = None,
    device: str = "auto",
    worst: int = 5,
    runs: Path = Path("runs"),
) -> None:
    """Score a run's model on a split, picture by picture, and write a report into the run's folder.

    On several devices: torchrun --nproc_per_node 2 -m workbench evaluate RUN.

    Args:
        run: Its name, or its folder.
        split: train, valid or test.
        checkpoint: best, or last for the model of its last state.
        data: Where the pictures lie now, if they have moved.
        threshold: From which probability on a pixel is the class (not for multiclass, which takes the likeliest).
        batch: Pictures at once; by default as in training.
        device: auto, cpu, or one of `workbench devices`.
        worst: How many of the worst pictures are listed.
        runs: The folder of all runs.
    """
    from workbench.runs.evaluated import evaluation_folder
    from workbench.runs.evaluation import evaluate_run

    one = find_run(run, runs)
    rank, processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1:
        own_device = _join_processes()
        device = own_device if device == "auto" else device
    with progress_bar("picture", hidden=rank > 0) as show:
        evaluation = evaluate_run(
            one,
            split,
            checkpoint=checkpoint,
            data=data,
            threshold=threshold,
            batch=batch,
            device=device,
            gather=_gather if processes > 1 else None,
            share=(rank, processes),
            progress=show,
        )
    if evaluation is not None:
        _tell(evaluation, worst)
        print(f"\nWrote {evaluation_folder(one, split, checkpoint)}: report.html, pictures.csv, summary.json")


def _gather(part: Evaluation) -> list[Evaluation]:
    """The parts of all processes, in every process; after it they are on their own again."""
    from accelerate.utils import gather_object

    from workbench.training.hardware import take_leave

    parts = gather_object([part])
    take_leave()
    return parts


def _join_processes() -> str:
    """Bring the processes together; the device of this one."""
    from accelerate import PartialState

    return str(PartialState().device)


def _tell(evaluation: Evaluation, worst: int) -> None:
    from workbench.inference.scores import picture_rows, summarise
    from workbench.tables import Table

    summary = summarise(evaluation)
    print(f"{summary['pictures']} pictures of {summary['split']}; intervals hold the middle 95 % of 1000 draws.")
    for size, words in (("at_own_size", "At the pictures' own size"), ("at_training_size", "At training size")):
        if size not in summary:
            continue
        scores = summary[size]
        names = [name for name in scores if f"{name}_per_picture" in scores and name != "f1"]
        rows = [(name, *(_interval(scores[each]) for each in (name, f"{name}_per_picture"))) for name in names]
        print(f"\n{words}\n{Table(('Score', 'All pictures together', 'Mean over pictures'), rows)}")
    if "best_threshold" in summary:
        for name, best in summary["best_threshold"].items():
            if best["dice"] is not None:
                print(f"\nBest threshold for {name}: {best['threshold']:.3f}, with Dice {best['dice']:.4f}")
    worst_rows = picture_rows(evaluation)[:worst]
    found = [(row["picture"], *(_score(row[name]) for name in ("dice", "jaccard"))) for row in worst_rows]
    print(f"\nThe worst pictures\n{Table(('Picture', 'Dice', 'Jaccard'), found)}")


def _interval(interval: dict[str, float | None]) -> str:
    low, high = interval["low"], interval["high"]
    return _score(interval["value"]) + ("" if low is None or high is None else f" ({low:.4f} to {high:.4f})")


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"

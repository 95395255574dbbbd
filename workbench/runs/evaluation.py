"""A run's model on one of its splits: counted, pictured and written into the run's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import yaml

from workbench.config import RunConfig
from workbench.data.dataset import evaluation_dataset
from workbench.data.full_size import FullSize
from workbench.errors import UserError, choices
from workbench.inference.backend import find_device
from workbench.inference.evaluation import Evaluation, evaluate, model_probabilities, names_of
from workbench.inference.evaluation_folder import save_evaluation
from workbench.inference.report import report
from workbench.inference.scores import picture_rows
from workbench.page import Line
from workbench.plots import loss_and_score_curves
from workbench.runs.evaluated import BEST, evaluation_folder, note_model
from workbench.runs.exploring.models import CHECKPOINTS
from workbench.runs.gallery import Gallery
from workbench.runs.preparing import prepare_for
from workbench.runs.run import Run

CASES = 8
"""So many of the worst pictures are shown, and half as many of the best."""
Progress = Callable[[int, int], None]


def evaluate_run(
    run: Run,
    split: str = "test",
    *,
    checkpoint: str = BEST,
    data: str | None = None,
    threshold: float = 0.5,
    batch: int | None = None,
    device: str = "auto",
    gather: Callable[[Evaluation], Sequence[Evaluation]] | None = None,
    share: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
    preparing: Progress | None = None,
) -> Evaluation | None:
    """Evaluate the best model, write `evaluation/SPLIT`, and give what was counted.

    The `checkpoint` "last" is the model of the last state, whose evaluation is `evaluation/SPLIT-last`. `data` is where
    the pictures lie now, if they have moved. With several processes each takes its `share`, `gather` brings their parts
    together, and only the first writes; the others get None. `preparing` is told of pictures that are prepared first,
    `progress` without it.
    """
    gallery, config = open_gallery(run, split, checkpoint, data, device, preparing or progress or _quietly)
    dataset = gallery.dataset
    size = batch or (config.training.batch if isinstance(config.training.batch, int) else 8)
    part = evaluate(
        gallery.predict, dataset, gallery.full_size, batch=size, threshold=threshold, share=share, progress=progress
    )
    if gather is not None:
        parts = gather(part)
        if share[0]:
            return None
        part = Evaluation.join(parts, names_of(dataset))
    title = f"{run.name} on {split}" if checkpoint == BEST else f"{run.name}, {checkpoint} state, on {split}"
    page = _page(run, config, part, gallery, title)
    note_model(run, split, checkpoint)
    save_evaluation(part, evaluation_folder(run, split, checkpoint), page)
    return part


def open_gallery(
    run: Run, split: str, checkpoint: str, data: str | None, device: str, preparing: Progress
) -> tuple[Gallery, RunConfig]:
    """The model with the pictures of the split, and the configuration with `data` in it."""
    if checkpoint not in CHECKPOINTS:
        raise choices("checkpoint", checkpoint, CHECKPOINTS)
    if not run.best_model.is_file():
        raise UserError(f"{run.name} has no best model yet: let it finish a validation first.")
    config = run.config
    if data is not None:
        config = config.model_copy(update={"data": config.data.model_copy(update={"path": data})})
    prepared = prepare_for(config.data, run.folder.parent, preparing)
    model = CHECKPOINTS[checkpoint](run)
    predict = model_probabilities(model, prepared.task, find_device(device))
    return Gallery(predict, model, evaluation_dataset(prepared, config.data, split), FullSize(prepared)), config


def _quietly(done: int, total: int) -> None:
    """Preparing tells nobody."""


def _page(run: Run, config: RunConfig, evaluation: Evaluation, gallery: Gallery, title: str) -> str:
    rows = [row for row in picture_rows(evaluation) if row["dice"] is not None]
    worst = [(row["picture"], row["dice"]) for row in rows[:CASES]]
    best = [(row["picture"], row["dice"]) for row in reversed(rows[CASES:][-CASES // 2 :])]
    starts = run.environment()
    return report(
        evaluation,
        title,
        worst=gallery.cases(worst, evaluation.threshold),
        best=gallery.cases(best, evaluation.threshold),
        attention=gallery.attention([name for name, _ in worst[: CASES // 2]]),
        curves=_curves(run),
        details={
            "Configuration": yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
            "Environment": yaml.safe_dump(starts[-1] if starts else {}, sort_keys=False, allow_unicode=True),
        },
    )


def _curves(run: Run) -> dict[str, list[Line]]:
    panels: dict[str, list[Line]] = {}
    for curve in loss_and_score_curves(run.records()):
        panels.setdefault(curve.panel.lower(), []).append(Line(curve.name, curve.steps, curve.values))
    return panels

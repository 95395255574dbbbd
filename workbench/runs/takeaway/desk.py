"""The work of taking something away, each piece in a thread that outlives the page, and what came of it.

Knows no page; torch is imported when work begins.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workbench.errors import UserError
from workbench.runs.archive import pack
from workbench.runs.files import full_disk_told
from workbench.runs.jobs import Job, Jobs, Progress
from workbench.runs.run import Run
from workbench.runs.takeaway.packing import exported_files, pack_run

BENCH_ROUNDS = 5
LARGEST_BENCH = 4096 * 4096
"""Pixels of a call; a slip of the keyboard is not to fill the memory."""


class Result(NamedTuple):
    """What came of a piece of work."""

    value: Any
    """An Exported, a Bench, a Predicted, or the names of files that stayed behind."""
    file: Path
    """To be taken away."""
    picture: Path | None = None


Work = Callable[[Path, Progress], Result]


class Takeaway:
    """The last work of each kind on each run; files are written below `folder`. All work takes turns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs = Jobs()
        self._results: dict[str, Result] = {}

    def job(self, run: str, kind: str) -> Job | None:
        """How the last work of this kind on the run of this name is."""
        return self._jobs.get(_key(run, kind))

    def result(self, run: str, kind: str) -> Result | None:
        """What came of it; None while there is nothing."""
        return self._results.get(_key(run, kind))

    def stop(self, run: str, kind: str) -> None:
        """At the next picture, round or file."""
        self._jobs.stop(_key(run, kind))

    def export(self, run: Run, to: str = "onnx", *, attention: bool = False, half: bool = False) -> None:
        """Begin to write its model for another runtime; of several files a ZIP is made."""

        def work(folder: Path, progress: Progress) -> Result:
            from workbench.runs.takeaway.exporting import export_run

            kept = export_run(run, to, attention=attention, half=half)
            progress(0, 0)
            file = folder / f"{run.name}-{kept.exported.path.name}"
            if len(kept.files) == 1:
                shutil.copyfile(kept.files[0], file)
            else:
                inside, file = folder / run.name, file.with_name(f"{file.name}.zip")
                inside.mkdir()
                for path in kept.files:
                    shutil.copyfile(path, inside / path.name)
                pack(inside, file)
            return Result(kept.exported, file)

        self._start(run, "export", f"Exporting to {to}", work)

    def bench(self, run: Run, size: int, batch: int, rounds: int = BENCH_ROUNDS) -> None:
        """Begin to measure it in every back end at hand."""
        if size * size * batch > LARGEST_BENCH:
            raise UserError(f"{batch} x {size} x {size} pixels at once are too many to be measured here: take fewer.")

        def work(folder: Path, progress: Progress) -> Result:
            from workbench.inference.bench import bench
            from workbench.inference.bench_plot import save_plot
            from workbench.inference.bench_results import save_bench
            from workbench.models import load_model

            measured = bench(load_model(run.best_model), size, [batch], rounds=rounds, progress=progress)
            inside = folder / f"{run.name}-bench"
            inside.mkdir()
            save_bench(measured, inside / "bench.json")
            save_plot(measured, inside / "bench.png")
            pack(inside, inside.with_suffix(".zip"))
            return Result(measured, inside.with_suffix(".zip"), inside / "bench.png")

        self._start(run, "bench", "Measuring", work)

    def predict(self, run: Run, sent: Sequence[Path], formats: Sequence[str] = (), threshold: float = 0.5) -> None:
        """Begin to predict pictures, or ZIPs of them, that were sent."""

        def work(folder: Path, progress: Progress) -> Result:
            from workbench.inference.filters import Filters
            from workbench.inference.predictor import Predictor
            from workbench.runs.takeaway.predicting import predict_sent

            file = folder / f"{run.name}-predictions.zip"
            predictor = Predictor(run.best_model, filters=Filters(threshold))
            return Result(predict_sent(predictor, sent, file, formats, progress=progress), file)

        self._start(run, "predict", "Predicting", work)

    def pack(self, run: Run, states: bool = False) -> None:
        """Begin to put all of its files into one ZIP."""

        def work(folder: Path, progress: Progress) -> Result:
            file = folder / f"{run.name}.zip"
            return Result(pack_run(run, file, states, progress), file)

        self._start(run, "pack", "Packing", work)

    def _start(self, run: Run, kind: str, title: str, work: Work) -> None:
        if not run.best_model.is_file():
            raise UserError(f"{run.name} has no model yet: wait for its first validation, or choose another run.")
        key = _key(run.name, kind)

        def do(progress: Progress) -> Result:
            self._drop(key)
            with full_disk_told(self._folder):
                folder = Path(tempfile.mkdtemp(prefix="taken-", dir=self._folder))
                try:
                    return work(folder, progress)
                except BaseException:  # also when it was stopped
                    shutil.rmtree(folder, ignore_errors=True)
                    raise

        def keep(result: Result) -> None:
            self._results[key] = result

        self._jobs.start(key, title, do, keep)

    def _drop(self, key: str) -> None:
        before = self._results.pop(key, None)
        if before:
            shutil.rmtree(before.file.parent, ignore_errors=True)


def about(run: Run) -> str:
    """What there is to take away, in a line."""
    best = run.best()
    if not run.best_model.is_file() or best is None:
        return "It has no model yet: one is there after the first validation."
    model = f"Its best model is of epoch {best.get('epoch', '?')}"
    exported = [path.name for path in exported_files(run)]
    return f"{model}; exported so far: {', '.join(exported) or 'nothing'}."


def _key(run: str, kind: str) -> str:
    return f"{kind} {run}"

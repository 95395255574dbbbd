"""What a trainer tells, kept: records, the best model, previews, checkpoints and mirrors."""

from __future__ import annotations

import time
from typing import Any

import torch

from workbench.config import RunConfig
from workbench.data.dataset import PreparedDataset
from workbench.data.reading.display import to_display
from workbench.models import ModelOutput, SegmentationModel
from workbench.runs.checkpoints import save_best, save_checkpoint
from workbench.runs.previews import PreviewMaps, PreviewPicture, reduced, spread
from workbench.runs.records import RESUMED, Record, RecordWriter
from workbench.runs.run import Run
from workbench.runs.trackers import Mirrors
from workbench.task import Task
from workbench.training import Progress, Trainer

SHARE_OF_TIME = 0.05
"""What writing checkpoints at the ends of epochs may take of all time."""


class Recorder:
    """Fills the run's folder from the progress of its trainer."""

    def __init__(
        self, run: Run, config: RunConfig, trainer: Trainer, fingerprint: str, resumed_from: int | None
    ) -> None:
        self.run = run
        self.config = config
        self.trainer = trainer
        self.fingerprint = fingerprint
        self._metrics = RecordWriter(run.folder / "metrics.jsonl")
        if resumed_from is not None:
            self._metrics.append({RESUMED: resumed_from, "time": time.time()})
        self._mirrors = Mirrors(config.recording.trackers, run.folder, config.model_dump(), resumed_from or 0)
        self._shown = self._begin_previews()
        self._saved = time.monotonic()
        self._cost = 0.0
        self._unsaved = False
        self._step = resumed_from or 0
        self._has_best = resumed_from is not None and run.best_model.is_file()

    def see(self, progress: Progress) -> None:
        """Keep what there is to keep of it."""
        self._unsaved, self._step = True, progress.step
        if progress.losses or progress.complete:
            record = record_of(progress)
            self._metrics.append(record)
            self._mirrors.tell(record)
        for note in progress.notes:
            print(f"note: {note}")
        if progress.complete:
            print(sentence_of(progress))
        if progress.best or (progress.complete and self.trainer.valid_data is None):
            self._keep_as_best(progress)
        if progress.complete and progress.split == "valid":
            self._add_previews(progress.epoch)
        if self._checkpoint_due(progress):
            self.save()

    def save(self) -> None:
        """Write a checkpoint, if anything has happened since the last one."""
        if not self._unsaved:
            return
        started = time.monotonic()
        state, keep = self.trainer.state_dict(), self.config.recording.keep_checkpoints
        save_checkpoint(self.run.checkpoints, self._step, state, self.fingerprint, keep)
        self._saved = time.monotonic()
        self._cost = self._saved - started
        self._unsaved = False

    def end(self, last: Progress | None) -> None:
        """Save where the training has come to; a training that was never validated leaves the model that it has."""
        self.save()
        if last is not None and not self._has_best:
            self._keep_as_best(last)

    def close(self) -> None:
        """Close the files and mirrors, whatever happened."""
        self._metrics.close()
        self._mirrors.close()

    def _checkpoint_due(self, progress: Progress) -> bool:
        age = time.monotonic() - self._saved
        if progress.complete and (progress.split == "valid" or self._no_validation_follows()):
            return age * SHARE_OF_TIME >= self._cost
        return progress.split == "train" and age >= 60 * self.config.recording.checkpoint_minutes

    def _no_validation_follows(self) -> bool:
        return self.trainer.valid_data is None or self.config.training.validate_every is not None

    def _keep_as_best(self, progress: Progress) -> None:
        model = self.trainer.evaluated_model
        assert isinstance(model, SegmentationModel)
        about = {
            **record_of(progress),
            "by": self.config.training.best if progress.best else "the last model, since none was validated",
            "source": f"run {self.run.name}, epoch {progress.epoch}, step {progress.step}",
        }
        save_best(self.run.checkpoints, model, self.trainer.task, self.config.data.preprocessing, about)
        self._has_best = True

    # --- previews ---

    def _begin_previews(self) -> list[int]:
        """The numbers of the pictures that are shown."""
        valid = self.trainer.valid_data
        if not isinstance(valid, PreparedDataset) or not self.config.recording.previews:
            return []
        numbers = spread(self.config.recording.previews, len(valid))
        self.run.previews.begin([_preview_picture(valid, number) for number in numbers], self.trainer.task)
        return numbers

    def _add_previews(self, epoch: int) -> None:
        if not self._shown:
            return
        model, valid = self.trainer.evaluated_model.eval(), self.trainer.valid_data
        assert valid is not None
        maps = []
        with torch.inference_mode(), self.trainer.hardware.autocast(), torch.compiler.set_stance("force_eager"):
            for number in self._shown:
                image = valid[number].image[None].to(self.trainer.hardware.device)
                maps.append(preview_maps(model(image), self.trainer.task))
        self.run.previews.add(epoch, maps)


def record_of(progress: Progress) -> Record:
    """A line of metrics.jsonl; what is the same in all of them is in the status, and what says nothing is left out."""
    record: Record = {
        "time": round(time.time(), 3),
        "split": progress.split,
        "epoch": progress.epoch,
        "step": progress.step,
        "learning_rate": progress.learning_rate,
        "losses": progress.losses,
        "metrics": progress.metrics,
        "images_per_second": round(progress.images_per_second, 3),
    }
    if progress.complete:
        record |= {"complete": True}
        if progress.split == "valid":
            record |= {"score": progress.score, "best": progress.best}
    if progress.took:
        record |= {"took": {name: round(value, 6) for name, value in progress.took._asdict().items()}}
    return record | ({"notes": progress.notes} if progress.notes else {})


def sentence_of(progress: Progress) -> str:
    """A line of the log for a whole pass."""
    numbers = {**progress.losses, **{name: v for name, v in progress.metrics.items() if name in ("dice", "jaccard")}}
    told = ", ".join(f"{name} {value:.4f}" for name, value in numbers.items())
    best = ", the best so far" if progress.best else ""
    return f"epoch {progress.epoch} of {progress.epochs}, {progress.split}: {told}{best}"


def preview_maps(output: ModelOutput, task: Task) -> PreviewMaps:
    """Of a batch of one."""
    probabilities = task.probabilities(output.logits)
    labels = task.labels_of(probabilities)[0].cpu().numpy()
    shown = probabilities[0].amax(0) if task.mode == "multiclass" else probabilities[0].squeeze(0)
    attention = {gate: reduced(_bytes(values[0, 0]), exact=False) for gate, values in output.attention.items()}
    return PreviewMaps(reduced(labels, exact=True), reduced(_bytes(shown), exact=False), attention)


def _bytes(values: torch.Tensor) -> Any:
    return (values.float() * 255).round().byte().cpu().numpy()


def _preview_picture(data: PreparedDataset, number: int) -> PreviewPicture:
    """As prepared, without the normalisation that is for the model."""
    of_all = data.numbers[number]
    image = to_display(data.prepared.image(of_all)).transpose(2, 0, 1)
    return PreviewPicture(
        data.prepared.names[of_all],
        reduced(image, exact=False).transpose(1, 2, 0),
        reduced(data.prepared.mask(of_all), exact=True),
    )

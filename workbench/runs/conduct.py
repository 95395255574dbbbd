"""A run from its data to its best model: prepare, wait for the device, train. Knows no signals and no exit status."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Literal, NamedTuple

import torch
import yaml

from workbench.config import HardwareConfig, RunConfig
from workbench.data.dataset import evaluation_dataset, training_dataset
from workbench.data.prepared import Prepared
from workbench.devices import list_devices
from workbench.errors import UserError
from workbench.models import SegmentationModel, model_from_config
from workbench.runs.checkpoints import Checkpoint, load_checkpoint
from workbench.runs.company import Company
from workbench.runs.environment import note_environment
from workbench.runs.preparing import prepare_for
from workbench.runs.queue import name_in_queue, turn, waiting_told
from workbench.runs.recorder import Recorder
from workbench.runs.reporter import Reporter
from workbench.runs.run import Run
from workbench.runs.trackers import check_trackers
from workbench.training import Progress, Trainer
from workbench.training.hardware import take_leave
from workbench.training.losses import Loss
from workbench.training.score import create_score


class End(NamedTuple):
    """What has become of a run."""

    state: Literal["stopped", "finished"]
    detail: str = ""


def conduct(run: Run, reporter: Reporter, members: Company | None = None) -> End:
    """Do all that is left to do of a run; `members` are the processes that train along."""
    config = run.config
    if members:
        members.say("config", {"yaml": yaml.safe_dump(config.model_dump())})
    check_trackers(config.recording.trackers)
    prepared = _prepare(run, config, reporter)
    checkpoint = load_checkpoint(run.checkpoints)
    _refuse_other_data(run, checkpoint, prepared)
    _check_names(config, prepared)
    note_environment(
        run.folder / "environment.json",
        seeds={"training": config.training.seed, "split": config.data.split_seed},
        data={"fingerprint": prepared.facts["fingerprint"], "splits": prepared.facts["splits"]},
        resumed_from=checkpoint.step if checkpoint else None,
        processes=members.processes if members else 1,
        hosts=members.hosts if members else 1,
        devices=_makers_names(_devices_of(config.training.hardware)),
    )
    devices = devices_of(config.training.hardware)
    told = _told(devices, members)

    def waiting(device: str, ahead: list[str]) -> None:
        reporter.check_stop()
        reporter.tell("queued", device=told, detail=waiting_told(device, ahead))

    with turn(devices, run.name, waiting):
        reporter.check_stop()
        if members:
            members.gather_hosts(prepared.facts["fingerprint"], partial(_wait_for_host, reporter))
        reporter.tell("running", device=told, detail="Building the model.")
        try:
            trainer = create_trainer(config, prepared, checkpoint)
            return _train(run, config, trainer, prepared, checkpoint, reporter)
        finally:
            take_leave()


def _wait_for_host(reporter: Reporter, detail: str) -> None:
    reporter.check_stop()
    reporter.tell("queued", detail=detail)


def create_trainer(
    config: RunConfig, prepared: Prepared, checkpoint: Checkpoint | None = None, first: bool = True
) -> Trainer:
    """The trainer of a run, at the state of a checkpoint if there is one.

    Processes beside the first one get weights and state from it; all of them must ask together.
    """
    train = training_dataset(prepared, config.data, config.training.seed)
    valid = evaluation_dataset(prepared, config.data) if _wants_validation(config, prepared) else None
    if not len(train):
        raise UserError("The train split is empty: give it pictures, or change data.fractions.")
    model = _create_model(config, prepared, train[0].image.shape[0], fresh=first and checkpoint is None)
    trainer = Trainer(config.training, model, train, valid, prepared.task)
    state = trainer.hardware.of_first(checkpoint.state if checkpoint else None)
    if state:
        trainer.load_state_dict(state)
    return trainer


def devices_of(hardware: HardwareConfig) -> list[str]:
    """The names of the devices that a run occupies here, the same whichever of them CUDA_VISIBLE_DEVICES shows."""
    return [name_in_queue(device.type, device.index) for device in _devices_of(hardware)]


def _devices_of(hardware: HardwareConfig) -> list[torch.device]:
    """As torch counts them; several processes on a CPU share one."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if hardware.devices.startswith("cpu") or accelerator is None or os.environ.get("ACCELERATE_USE_CPU") == "true":
        return [torch.device("cpu")]
    together = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if together == 1 and ":" in hardware.devices:
        return [torch.device(hardware.devices)]
    return [torch.device(accelerator.type, number) for number in range(together)]


def _makers_names(devices: list[torch.device]) -> list[str]:
    known = {str(device): device.name for device in list_devices()}
    return [known.get(str(device), str(device)) for device in devices]


def _told(devices: list[str], members: Company | None) -> str:
    """The devices in words; several processes on a CPU, and other hosts, are told by their number."""
    told = ", ".join(devices)
    if members is None:
        return told
    if members.hosts > 1:
        return f"{told}, with {members.hosts} hosts and {members.processes} processes in all"
    return told if len(devices) == members.processes else f"{told}, {members.processes} processes"


def _prepare(run: Run, config: RunConfig, reporter: Reporter) -> Prepared:
    def tell(done: int, total: int) -> None:
        reporter.check_stop()
        reporter.tell("preparing", detail="Preparing the pictures.", prepared=done, pictures=total)

    prepared = prepare_for(config.data, run.folder.parent, tell)
    for sentence in prepared.facts["report"]:
        print(sentence)
    return prepared


def _refuse_other_data(run: Run, checkpoint: Checkpoint | None, prepared: Prepared) -> None:
    if checkpoint and checkpoint.fingerprint != prepared.facts["fingerprint"]:
        raise UserError(
            f"The pictures, masks or splits of {run.config.data.path} are not those that {run.name} began with: bring "
            f"those back, or start a new run from its model, with --model.weights {run.best_model}."
        )


def _check_names(config: RunConfig, prepared: Prepared) -> None:
    """Refuse what the tables do not know before anything is waited for."""
    with torch.device("meta"):
        _create_model(config, prepared, in_channels=3, fresh=False)
    Loss(config.training.loss, prepared.task)
    create_score(config.training.best, prepared.task)


def _wants_validation(config: RunConfig, prepared: Prepared) -> bool:
    """An empty split is refused, unless none was asked for."""
    return bool(prepared.splits["valid"]) or config.data.fractions[1] > 0


def _create_model(config: RunConfig, prepared: Prepared, in_channels: int, fresh: bool) -> SegmentationModel:
    """New weights follow from the seed; those that a checkpoint will bring are not looked for."""
    torch.manual_seed(config.training.seed)
    model = config.model
    if not fresh:
        options = {**model.options, **({"encoder_weights": None} if "encoder_weights" in model.options else {})}
        model = model.model_copy(update={"weights": None, "options": options})
    return model_from_config(model, in_channels, prepared.task.channels)


def _train(
    run: Run, config: RunConfig, trainer: Trainer, prepared: Prepared, checkpoint: Checkpoint | None, reporter: Reporter
) -> End:
    if checkpoint and trainer.outcome == "early":
        raise UserError(
            f"{run.name} stopped early, with no new best in {config.training.early_stopping} validations: to go on all "
            "the same, resume it with a larger --training.early_stopping, or with null for none."
        )
    resumed_from = checkpoint.step if checkpoint else (0 if run.history().records else None)
    recorder = Recorder(run, config, trainer, prepared.facts["fingerprint"], resumed_from)
    pace, last = Pace(), None
    try:
        for last in trainer:
            recorder.see(last)
            _tell(reporter, last, pace)
            if reporter.stop_requested:
                trainer.stop()
        recorder.end(last)
    finally:
        recorder.close()
    if trainer.outcome == "early":
        return End("finished", f"Stopped early: no new best in {config.training.early_stopping} validations.")
    return End("stopped" if trainer.outcome == "open" else "finished")


class Pace:
    """How fast it goes, from which follows how long it will take."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.first: int | None = None

    def seconds_left(self, progress: Progress) -> float | None:
        """None in the first step."""
        if self.first is None:
            self.first, self.started = progress.step, time.monotonic()
        done = progress.step - self.first
        return (time.monotonic() - self.started) / done * (progress.total_steps - progress.step) if done else None


def _tell(reporter: Reporter, progress: Progress, pace: Pace) -> None:
    validating = progress.split == "valid" and not progress.complete
    stopping = reporter.stop_requested
    reporter.tell(
        "stopping" if stopping else "running",
        epoch=progress.epoch,
        epochs=progress.epochs,
        step=progress.step,
        total=progress.total_steps,
        eta=pace.seconds_left(progress),
        images_per_second=progress.images_per_second,
        detail="Saving the model and the state." if stopping else "Validating." if validating else "Training.",
    )

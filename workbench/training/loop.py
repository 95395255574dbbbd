"""The trainer: a generator of progress. It knows no folder and no screen, and no process but its like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from math import isfinite
from time import perf_counter
from typing import Any, Literal, TypeVar

from torch import Tensor, nn

from workbench.config import TrainingConfig
from workbench.errors import UserError
from workbench.task import Task
from workbench.training import checks
from workbench.training.batch_finder import is_out_of_memory
from workbench.training.course import Course, Position
from workbench.training.feeding import Pictures, training_steps, validation_steps
from workbench.training.hardware import Hardware
from workbench.training.learner import Learner
from workbench.training.order import Order, Step
from workbench.training.passes import Pass
from workbench.training.progress import Clock, Progress, Took, Waited
from workbench.training.reports import LossNotFiniteError, Reports
from workbench.training.schedules import Schedule
from workbench.training.score import create_score

Result = TypeVar("Result")


class Trainer:
    """Trains a model: `for progress in trainer: ...`, and again after a stop, until its outcome is no longer open.

    After any progress `state_dict` holds all it takes to go on exactly, in another process too. Chance (the order of
    pictures, their augmentation, dropout) follows from the seed and the place in the training, so that none of it
    needs to be kept: torch's, numpy's and Python's generators are seeded anew for each step.
    """

    def __init__(
        self, config: TrainingConfig, model: nn.Module, train_data: Pictures, valid_data: Pictures | None, task: Task
    ) -> None:
        self.config = config
        self.task = task
        self.train_data = train_data
        self.valid_data = valid_data
        self.hardware = Hardware(config.hardware)
        checks.check_splits(train_data, valid_data, self.hardware.processes)
        self.learner = Learner(config, model, task, self.hardware)
        self.score = create_score(config.best, task)
        self.schedule = Schedule(config.schedule, config.optimizer.learning_rate)
        self.reports = Reports(config.report_every or (1 if self.hardware.device.type == "cpu" else 10))
        self.divergence = checks.Divergence()
        self.epoch_pass = self._new_pass()
        self._course: Course | None = None
        self._clock = Clock()
        self._stop_requested = self._stop_agreed = False

    def __iter__(self) -> Iterator[Progress]:
        """Go on from where the training is; only the main process tells about it."""
        self._stop_requested = self._stop_agreed = False
        with self.hardware.settings(self.learner.model):
            for progress in self._advance():
                if self.hardware.is_main:
                    yield progress

    def stop(self) -> None:
        """End after the step at work; with several processes after the next one whose losses are read."""
        self._stop_requested = True

    @property
    def course(self) -> Course:
        """Where it is; with `batch: auto` the batch is found when this is first asked, unless a state told it."""
        if self._course is None:
            batch = self._find_batch() if self.config.batch == "auto" else self.config.batch
            self._course = self._make_course(batch, Position())
        return self._course

    @property
    def outcome(self) -> Literal["open", "early", "finished"]:
        """Whether there is more to do, or early stopping has ended the training, or all of it is done."""
        if self.course.epoch_over or self.course.validation_due or self.course.step_due:
            return "open"
        return "finished" if self.course.all_steps_done else "early"

    @property
    def evaluated_model(self) -> nn.Module:
        """The model that is validated and worth keeping: the moving average if there is one."""
        return self.learner.evaluated_model

    def state_dict(self) -> dict[str, Any]:
        """A copy on the CPU of all it takes to go on exactly from here; `torch.load` reads it with weights_only.

        One process may ask alone.
        """
        try:
            self.reports.check()
        except LossNotFiniteError as error:
            raise self._loss_not_finite(error, lambda things: things) from None
        return _on_cpu(
            {
                "position": asdict(self.course.position),
                "order": self.course.order._asdict(),
                "learner": self.learner.state_dict(),
                "schedule": self.schedule.state_dict(),
                "epoch_pass": self.epoch_pass.state_dict(),
                "reports": self.reports.losses,
                "divergence": vars(self.divergence),
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; epochs, rates and patience may have changed, in mid-epoch the pictures may not."""
        position = Position(**state["position"])
        before = state["order"]["pictures"]
        if position.picture and before != len(self.train_data):
            raise UserError(
                f"The training was left in mid-epoch with {before} pictures, and now there are "
                f"{len(self.train_data)}: give it the same ones, or start a new training from its model."
            )
        self.learner.load_state_dict(state["learner"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch_pass.load_state_dict(state["epoch_pass"])
        self.reports.restore([losses.to(self.hardware.device) for losses in state["reports"]])
        vars(self.divergence).update(state["divergence"])
        batch = state["order"]["batch"] if self.config.batch == "auto" else self.config.batch
        self._course = self._make_course(batch, position)

    # --- the way through a training ---

    def _advance(self) -> Iterator[Progress]:
        while self.outcome == "open" and not self._must_stop():
            if self.course.epoch_over:
                yield self._close_epoch()
            elif self.course.validation_due:
                yield from self._validate()
            else:
                yield from self._train()

    def _train(self) -> Iterator[Progress]:
        """Steps, until something else is due."""
        order, position = self.course.order, self.course.position
        if not position.picture:
            self._clock.begin_epoch()
        for step, batches in training_steps(self.train_data, order, position.epoch, position.picture, self.hardware):
            yield self._train_step(step, batches)
            if self._must_stop() or not self.course.step_due:
                return

    def _train_step(self, step: Step, batches: Iterator) -> Progress:
        started, waited = perf_counter(), Waited(batches)
        self.hardware.seed(self.config.seed, self.course.position.step)
        rate = self._learning_rate()
        of_step = self._guarded(self.learner.gradients, waited, len(step.batches), step.pictures)
        self.reports.add(of_step.mean_losses(), [int(number) for batch in step.batches for number in batch])
        losses, notes = self._report(list(of_step.losses), rate)
        self._guarded(self.learner.update, rate)
        self.epoch_pass.add_pass(of_step)
        self.course.take_step(step.pictures)
        self._clock.add(Took(1, step.pictures, perf_counter() - started, waited.seconds))
        took = self._clock.report() if losses else None
        return self._progress("train", rate, losses=losses, notes=notes, took=took)

    def _report(self, names: list[str], rate: float) -> tuple[dict[str, float], tuple[str, ...]]:
        """The mean losses since the last report, if one is due; read before the weights follow them."""
        if not self.reports.due:
            return {}, ()
        self._stop_agreed = self.hardware.any(self._stop_requested)
        losses = dict(zip(names, self._guarded(self.reports.read), strict=True))
        notes = self.divergence.see(losses["loss"], rate)
        return losses, (*self.hardware.notes(), *notes) if self.course.position.step < self.reports.every else notes

    def _close_epoch(self) -> Progress:
        losses, metrics = self.epoch_pass.numbers()
        first = self.course.position.epoch == 0
        notes = checks.classes_never_seen(self.epoch_pass.tally.sums["counts"], self.task) if first else ()
        told = self._progress(
            "train", self._learning_rate(), complete=True, losses=losses, metrics=metrics, notes=notes
        )
        self.course.close_epoch()
        self.epoch_pass = self._new_pass()
        return told

    def _validate(self) -> Iterator[Progress]:
        """All pictures once; stopped on the way, it is begun again the next time."""
        assert self.valid_data is not None
        self.hardware.equalise_buffers(self.evaluated_model)
        whole, done, rate = self._new_pass(), 0, self._learning_rate()
        for batch in validation_steps(self.valid_data, self.course.order.batch, self.hardware):
            self._guarded(self.learner.evaluate, batch, whole)
            done = min(done + self.course.order.batch * self.hardware.processes, len(self.valid_data))
            yield self._progress("valid", rate, done=done)
            if self._must_stop():
                return
        self.hardware.sum_up(whole)
        yield self._judge(*whole.numbers(), rate)

    def _judge(self, losses: dict[str, float], metrics: dict[str, float], rate: float) -> Progress:
        if not isfinite(losses["loss"]):
            raise self._validation_not_finite(losses["loss"])
        score = self.score({**metrics, "loss": losses["loss"]})
        best = self.course.judge(score)
        self.schedule.validated(losses["loss"])
        told = score if isfinite(score) else None
        return self._progress("valid", rate, complete=True, losses=losses, metrics=metrics, score=told, best=best)

    # --- where it is ---

    def _must_stop(self) -> bool:
        """At once when alone; several processes stop at the step at which they have agreed to."""
        return self._stop_requested if self.hardware.processes == 1 else self._stop_agreed

    def _learning_rate(self) -> float:
        course, position = self.course, self.course.position
        rate = self.schedule.learning_rate(position.step, course.total_steps, position.epoch, course.steps_per_epoch)
        return rate * (self.hardware.processes if self.config.optimizer.scale_learning_rate else 1)

    def _progress(self, split: Literal["train", "valid"], rate: float, **told: Any) -> Progress:
        course, position, training = self.course, self.course.position, split == "train"
        told.setdefault("done", position.picture if training else len(self.valid_data or ()))
        return Progress(
            split=split,
            epoch=position.epoch + (training or position.picture > 0),
            epochs=course.epochs,
            step=position.step,
            total_steps=course.total_steps,
            pictures=course.order.used if training else len(self.valid_data or ()),
            learning_rate=rate,
            images_per_second=self._clock.rate,
            **told,
        )

    def _new_pass(self) -> Pass:
        return Pass(self.task, self.hardware.device)

    def _make_course(self, batch: int, position: Position) -> Course:
        config, here = self.config, self.hardware
        pictures = len(self.train_data)
        order = Order(pictures, config.seed, batch, config.accumulation, config.remainder, here.processes, here.process)
        return Course(config, order, self.valid_data is not None, position)

    def _find_batch(self) -> int:
        batch = self.learner.find_batch(self.train_data[0], len(self.train_data))
        if not batch:
            raise self.learner.out_of_memory(self.train_data[0], 1)
        return batch

    # --- what goes wrong ---

    def _guarded(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """What the work gives; what is known to go wrong becomes a sentence."""
        try:
            return work(*arguments)
        except UserError:
            raise
        except LossNotFiniteError as error:
            raise self._loss_not_finite(error, self.hardware.together) from None
        except (RuntimeError, ValueError, MemoryError) as error:
            if sentence := checks.sentence_for(error):
                raise UserError(sentence) from error
            if not is_out_of_memory(error):
                raise
        # Out of memory, and out of the handler: the error's frames no longer hold on to it.
        raise self.learner.out_of_memory(self.train_data[0], self.course.order.batch)

    def _loss_not_finite(self, error: LossNotFiniteError, together: Callable[[list], list]) -> UserError:
        """`together` brings in what the other processes know, if they are where this one is."""
        samples = [self.train_data[number] for number in error.pictures]
        names = together([str(sample.name) for sample in samples])
        bad = together(checks.not_numbers(samples))
        step = self.course.position.step + 1 - error.steps_ago
        where = f"step {step} (epoch {self.course.position.epoch + 1})"
        return UserError(checks.loss_not_finite(error.loss, where, names, bad, self.learner.model))

    def _validation_not_finite(self, loss: float) -> UserError:
        valid = self.valid_data or ()
        bad = checks.not_numbers(valid[number] for number in range(len(valid)))
        where = f"the validation after step {self.course.position.step}"
        return UserError(checks.loss_not_finite(loss, where, (), bad, self.evaluated_model))


def _on_cpu(state: Any) -> Any:
    """A copy that later steps do not change."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: _on_cpu(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [_on_cpu(value) for value in state]
    return state

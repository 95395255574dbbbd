"""How fast a network is here: every back end at hand in turn, against plain float32 PyTorch, and training steps too."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workbench.config import Preprocessing
from workbench.errors import UserError, choices
from workbench.inference.backend import find_device, weight_bytes
from workbench.inference.backends import BACKENDS, installed_backends
from workbench.inference.bench_results import Bench, Row
from workbench.inference.machine import Peaks, describe_machine, memory_peak, peaks
from workbench.inference.timing import Timing, interleave, wait_for_devices
from workbench.models import SegmentationModel, count_multiply_adds, set_phase_form
from workbench.models.base import pad
from workbench.task import Task

PLAIN = "plain pytorch"
"""The network as its original calculates it: float32, channels outermost, nothing folded."""

TRAINING = {"training": torch.float32, "training-bf16": torch.bfloat16}
"""Forward, binary cross-entropy, backward and Adam; in bf16 by autocast, with channels innermost."""

Call = Callable[[Tensor], Any]


class Variant(NamedTuple):
    """One way to run the network."""

    name: str
    call: Call
    bytes: int
    setup: float

    @property
    def trains(self) -> bool:
        return self.name in TRAINING

    @property
    def numbers(self) -> torch.dtype:
        return torch.bfloat16 if self.name.endswith("bf16") else torch.float32


class First(NamedTuple):
    """What the first call of a variant at a batch showed."""

    memory: int
    difference: float | None


def bench(
    model: SegmentationModel,
    size: int = 256,
    batches: Sequence[int] = (1,),
    *,
    backends: Sequence[str] | None = None,
    train: bool = False,
    rounds: int = 10,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Bench:
    """Measure a network; `backends` are all that can run it here unless named. Its weights may mean nothing."""
    if not batches or min(*batches, rounds, size) < 1:
        raise UserError("A bench needs a size, at least one batch and a number of rounds, all of 1 or more.")
    where = find_device(device)
    names = _at_hand(where) if backends is None else list(backends)
    left_out: dict[str, str] | None = {} if backends is None else None
    for name in names:
        if name not in BACKENDS:
            raise choices("back end", name, BACKENDS)
    before = peaks(where)
    variants = []
    for variant in _variants(model, names, train, where, left_out):
        variants.append(variant)
        if progress:
            progress(0, len(batches) * rounds)
    measured: list[tuple[Tensor, dict[str, First], dict[str, Timing]]] = []
    for number, batch in enumerate(batches):

        def tell(done: int, total: int, number: int = number) -> None:
            if progress:
                progress(number * total + done, len(batches) * total)

        image = torch.randn(batch, model.in_channels, size, size, generator=torch.Generator().manual_seed(0))
        firsts = _first_calls(variants, image)
        timings = interleave({one.name: partial(one.call, image) for one in variants}, rounds, tell)
        measured.append((image, firsts, timings))
    at_best = {numbers: max(peak, before[numbers]) for numbers, peak in peaks(where).items()}
    rows = [
        _row(model, image, variant, firsts[variant.name], timings, at_best)
        for image, firsts, timings in measured
        for variant in variants
    ]
    return Bench(describe_machine(where, at_best), rows, left_out or {})


def _at_hand(device: torch.device) -> list[str]:
    """The runtimes that files are converted for work on the CPU."""
    return [name for name in installed_backends() if device.type == "cpu" or name.startswith("pytorch")]


def _variants(
    model: SegmentationModel,
    names: Sequence[str],
    train: bool,
    device: torch.device,
    left_out: dict[str, str] | None,
) -> Iterator[Variant]:
    """What refuses the network is noted in `left_out`, or raised without one."""
    makers: dict[str, Callable[[], tuple[Call, int]]] = {PLAIN: partial(_plain, model, device)}
    makers |= {name: partial(_of_backend, name, model, device) for name in names}
    if train:
        makers |= {name: partial(_training, model, device, dtype) for name, dtype in TRAINING.items()}
    for name, make in makers.items():
        start = perf_counter()
        try:
            call, size = make()
        except UserError as error:
            if left_out is None:
                raise
            left_out[name] = str(error)
        else:
            yield Variant(name, call, size, perf_counter() - start)


def _plain(model: SegmentationModel, device: torch.device) -> tuple[Call, int]:
    plain = copy.deepcopy(model).to(device).eval()
    set_phase_form(plain, False)

    def call(image: Tensor) -> Tensor:
        with torch.inference_mode():
            return plain(image.to(device)).logits

    return call, weight_bytes(plain)


def _of_backend(name: str, model: SegmentationModel, device: torch.device) -> tuple[Call, int]:
    classes = tuple(f"class {number}" for number in range(model.classes))
    task = Task(mode="multilabel", classes=classes)
    known = {"task": task, "preprocessing": Preprocessing(channels="as_is", resize="none")}
    backend = BACKENDS[name](model, str(device), **known)

    def call(image: Tensor) -> Any:
        height, width = image.shape[-2:]
        return backend(pad(image, model.size_multiple, model.smallest_size))[0][..., :height, :width]

    return call, backend.bytes


def _training(model: SegmentationModel, device: torch.device, dtype: torch.dtype) -> tuple[Call, int]:
    layout = torch.contiguous_format if dtype == torch.float32 else torch.channels_last
    trained = copy.deepcopy(model).to(device, memory_format=layout).train()  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(trained.parameters(), 1e-4)

    def call(image: Tensor) -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            logits = trained(image.to(device, memory_format=layout)).logits
        target = torch.ones_like(logits, dtype=torch.float32)
        torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), target).backward()
        optimizer.step()

    return call, weight_bytes(trained)


def _first_calls(variants: Sequence[Variant], image: Tensor) -> dict[str, First]:
    firsts = {}
    expected: Tensor | None = None
    for variant in variants:
        with memory_peak() as grown:
            result = variant.call(image)
            wait_for_devices()
        difference = None
        if not variant.trains:
            probabilities = torch.as_tensor(result).float().sigmoid().cpu()
            expected = probabilities if expected is None else expected
            difference = (probabilities - expected).abs().max().item()
        firsts[variant.name] = First(grown(), difference)
    return firsts


def _row(
    model: SegmentationModel,
    image: Tensor,
    variant: Variant,
    first: First,
    timings: dict[str, Timing],
    at_best: Peaks,
) -> Row:
    batch, _, height, width = image.shape
    timing = timings[variant.name]
    reference = timings[next(iter(TRAINING)) if variant.trains else PLAIN]
    work = batch * count_multiply_adds(model, height, width) * (3 if variant.trains else 1)
    return Row(
        model=model.spec.name if model.spec else "adapted",
        size=height,
        batch=batch,
        variant=variant.name,
        images_per_second=batch / timing.fastest,
        latency_median=timing.median,
        latency_95=timing.percentile_95,
        memory=first.memory,
        multiply_adds=work,
        share_of_peak=work / timing.fastest / at_best[variant.numbers],
        ratio=reference.fastest / timing.fastest,
        difference=first.difference,
        bytes=variant.bytes,
        setup=variant.setup,
    )

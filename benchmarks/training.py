"""Our training step against a plain textbook loop: how fast, in how much memory, and what metrics and records cost.

    python benchmarks/training.py [--rounds 7] [--compile] [--speed | --memory]

Speed: the variants take turns in one process and the fastest step of each counts. Memory: each variant trains alone in
a process of its own, and the peak above the built model counts. Give it the machine for itself, and quote ratios.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import torch
import torch.nn.functional as F
from timing import interleave, print_ratios
from torch import Tensor

from workbench.config import TrainingConfig
from workbench.data.sample import Sample
from workbench.knobs import override
from workbench.models import create_model
from workbench.task import Task
from workbench.training import Trainer
from workbench.training.passes import Pass


class Case(NamedTuple):
    """A model, the pictures it is trained on, and how their peak of memory is to compare."""

    model: str
    size: int
    batch: int
    memory_batch: int


CASES = {"U-Net": Case("unet", 128, 4, 8), "UNet++": Case("unetpp", 96, 8, 8)}
OURS = {
    "ours, float32": {},
    "ours, bf16": {"precision": "bf16"},
    "ours, bf16, checkpointing": {"precision": "bf16", "activation_checkpointing": True},
}
COMPILED = {"ours, bf16, compiled": {"precision": "bf16", "compile": True}}
TEXTBOOK = "textbook"
Step = Callable[[], object]


def textbook(case: Case, batch: int) -> Step:
    """float32, contiguous, Adam as it comes, and after each step the loss and seven scores as Python numbers."""
    torch.manual_seed(0)
    model = create_model(case.model).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    image, mask = pictures(case.size, batch)
    target = mask[:, None].float()

    def step() -> list[float]:
        logits = model(image).logits
        loss = F.binary_cross_entropy_with_logits(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return [loss.item(), *scores(torch.sigmoid(logits.detach()), target)]

    return step


def scores(found: Tensor, true: Tensor) -> Iterator[float]:
    """Seven scores, each of which starts from the probabilities again."""

    def counts() -> tuple[float, float, float, float]:
        f, t = found > 0.5, true == true.max()
        return (f & t).sum().item(), (f & ~t).sum().item(), (~f & t).sum().item(), (~f & ~t).sum().item()

    formulas: list[Callable[..., float]] = [
        lambda tp, fp, fn, tn: (tp + tn) / (tp + fp + fn + tn),
        lambda tp, fp, fn, tn: tp / (tp + fn + 1e-6),
        lambda tp, fp, fn, tn: tn / (tn + fp + 1e-6),
        lambda tp, fp, fn, tn: tp / (tp + fp + 1e-6),
        lambda tp, fp, fn, tn: 2 * tp / (2 * tp + fp + fn + 1e-6),
        lambda tp, fp, fn, tn: tp / (tp + fp + fn + 1e-6),
        lambda tp, fp, fn, tn: 2 * tp / (2 * tp + fp + fn + 1e-6),
    ]
    for formula in formulas:
        yield formula(*counts())


def ours(case: Case, batch: int, knobs: dict[str, object]) -> Step:
    """One step of the trainer, with all that it reads, counts and tells."""
    torch.manual_seed(0)
    image, mask = pictures(case.size, batch)
    data = [Sample(str(number), image[number], mask[number]) for number in range(batch)]
    config = TrainingConfig(epochs=10**6, batch=batch, loss={"terms": {"bce": 1}}, hardware={"devices": "cpu"})
    trainer = Trainer(override(config, knobs), create_model(case.model), data, None, Task())
    records = (progress for progress in trainer if not progress.complete)
    return lambda: next(records)


def pictures(size: int, count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    mask = torch.randint(0, 2, (count, size // 8, size // 8), generator=generator, dtype=torch.uint8)
    mask = mask.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return mask[:, None] + torch.randn((count, 3, size, size), generator=generator), mask


def step_of(name: str, case: Case, batch: int) -> Step:
    return textbook(case, batch) if name == TEXTBOOK else ours(case, batch, {**OURS, **COMPILED}[name])


def measure_speed(variants: list[str], rounds: int) -> None:
    for title, case in CASES.items():
        seconds = interleave({name: step_of(name, case, case.batch) for name in variants}, rounds)
        print_ratios(f"{title}, {case.size}x{case.size}, batch {case.batch}: one step", seconds)
        share = cost_of_records(case) / seconds["ours, float32"]
        print(f"  metrics and records: {share:.2%} of a float32 step")


def cost_of_records(case: Case) -> float:
    """Seconds that a step's counting, averaging and reading take."""
    _, mask = pictures(case.size, case.batch)
    logits = torch.randn(case.batch, 1, case.size, case.size)
    whole, fastest = Pass(Task(), torch.device("cpu")), float("inf")
    for _ in range(50):
        start = perf_counter()
        of_step = Pass(Task(), torch.device("cpu"))
        of_step.add({"loss": logits.new_ones(())}, logits, mask)
        of_step.mean_losses().tolist()
        whole.add_pass(of_step)
        fastest = min(fastest, perf_counter() - start)
    return fastest


def measure_memory(variants: list[str]) -> None:
    for title, case in CASES.items():
        print(f"\n{title}, {case.size}x{case.size}, batch {case.memory_batch}: peak above the built model")
        reference = 0.0
        for name in variants:
            command = [sys.executable, __file__, "--peak-of", title, name]
            peak = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
            reference = reference or peak
            print(f"  {name:<40} {peak:9.0f} MiB {peak / reference:6.2f}")


def print_peak(title: str, name: str) -> None:
    """Run alone: the model is built, then the largest memory in five steps counts."""
    case = CASES[title]
    create_model(case.model)  # what torch allocates once for all
    step = step_of(name, case, case.memory_batch)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    for _ in range(5):
        step()
    print(memory("VmHWM") - before)


def memory(name: str) -> float:
    """MiB of this process, as Linux counts them."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true", help="with the compiled variant, which takes minutes")
    parser.add_argument("--speed", action="store_true", help="only the speed")
    parser.add_argument("--memory", action="store_true", help="only the memory")
    parser.add_argument("--peak-of", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        print_peak(*arguments.peak_of)
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    variants = [TEXTBOOK, *OURS]
    if not arguments.memory:
        measure_speed(variants + (list(COMPILED) if arguments.compile else []), arguments.rounds)
    if not arguments.speed:
        measure_memory(variants)


if __name__ == "__main__":
    main()

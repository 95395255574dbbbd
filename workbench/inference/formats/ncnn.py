"""ncnn: a pair of files (NAME.ncnn.param and NAME.ncnn.bin) for CPUs and phones; its 3x3 convolutions are Winograd's.

It takes one picture at a time, so a batch is a loop.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from workbench.errors import UserError
from workbench.inference.formats.card import CARD, ExportCard, Opened, read_card_text
from workbench.inference.formats.graph import Graph, without_warnings

MARK = f"# {CARD} "
"""ncnn reads as many lines as the second one announces; the card stands behind them."""


def write(graph: Graph, card: ExportCard, path: Path) -> list[Path]:
    weights = path.with_suffix(".bin")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        traced = Path(folder, "traced.pt")
        small, large = graph.example(1), graph.example(1, more=1)
        with torch.no_grad(), without_warnings():
            torch.jit.trace(graph, small, check_trace=False).save(traced)
        _convert(traced, small, large, path, weights, graph.half_precision)
    path.write_text(f"{path.read_text()}{MARK}{card.model_dump_json()}\n")
    _refuse_crashes(path, small.shape[-2:])
    return [weights, path]


def _convert(traced: Path, small: torch.Tensor, large: torch.Tensor, path: Path, weights: Path, half: bool) -> None:
    """Two inputs of different sizes tell the converter that sizes are free."""
    import pnnx

    shapes = ["[" + ",".join(map(str, example.shape)) + "]f32" for example in (small, large)]
    command = [
        pnnx.EXEC_PATH,
        str(traced),
        f"inputshape={shapes[0]}",
        f"inputshape2={shapes[1]}",
        f"ncnnparam={path}",
        f"ncnnbin={weights}",
        f"fp16={int(half)}",
    ]
    result = subprocess.run(command, cwd=traced.parent, capture_output=True, text=True, check=False)
    if result.returncode or not (path.is_file() and weights.is_file()):
        last = (result.stderr.strip() or result.stdout.strip() or "it said nothing").splitlines()[-1]
        raise UserError(f"The converter to ncnn gave up on this network: {last}")


def _refuse_crashes(path: Path, size: Sequence[int]) -> None:
    """Some networks end the whole process in ncnn, so the first run is in another one."""
    words = [sys.executable, "-c", TRIAL, os.fspath(path), *map(str, size)]
    result = subprocess.run(words, capture_output=True, check=False)
    if result.returncode:
        raise UserError(f"ncnn cannot run this network (its process ended with {result.returncode}); take onnx.")


def try_out(path: str, height: str, width: str) -> None:
    """Run a file once, on a picture of nothing."""
    opened = open_ncnn(Path(path))
    opened.run(np.zeros((1, opened.card.in_channels, int(height), int(width)), np.float32))


TRIAL = "import sys; from workbench.inference.formats.ncnn import try_out; try_out(*sys.argv[1:])"


def open_ncnn(path: Path) -> Opened:
    """Calculates in float32, whatever the file holds."""
    import ncnn

    card = read_card_text(_card_text(path), path)
    net = ncnn.Net()
    net.opt.num_threads = torch.get_num_threads()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
        raise UserError(f"{path} cannot be read by ncnn; {path.with_suffix('.bin').name} must lie beside it.")

    def run_one(picture: np.ndarray) -> list[np.ndarray]:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(np.ascontiguousarray(picture)))
        results = [extractor.extract(f"out{number}") for number in range(len(card.outputs))]
        if any(status for status, _ in results):
            raise UserError(f"ncnn could not run {path} on {picture.shape[1]} x {picture.shape[2]} pixels.")
        return [np.asarray(mat).copy() for _, mat in results]

    def run(batch: np.ndarray) -> list[np.ndarray]:
        return [np.stack(maps) for maps in zip(*map(run_one, batch), strict=True)]

    return Opened(card, run, path.stat().st_size + path.with_suffix(".bin").stat().st_size)


def _card_text(path: Path) -> str | None:
    *_, last = path.read_text().splitlines() or [""]
    return last.removeprefix(MARK) if last.startswith(MARK) else None

"""OpenVINO: a pair of files (NAME.xml and NAME.bin) that is fast on CPUs; it also runs ONNX files."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workbench.inference.formats import onnx
from workbench.inference.formats.card import CARD, ExportCard, Opened, is_installed, read_card_text
from workbench.inference.formats.graph import Graph, without_warnings


def write(graph: Graph, card: ExportCard, path: Path) -> list[Path]:
    import openvino

    model = _convert(graph, card, path)
    model.set_rt_info(card.model_dump_json(), [CARD])
    openvino.save_model(model, path, compress_to_fp16=graph.half_precision)
    return [path.with_suffix(".bin"), path]


def _convert(graph: Graph, card: ExportCard, path: Path) -> Any:
    """From PyTorch directly, or what cannot be taken so by way of ONNX."""
    import openvino

    program = graph.exported()
    try:
        with without_warnings():
            return openvino.convert_model(program)
    except openvino.frontend.OpConversionFailure:
        if not all(map(is_installed, onnx.WRITES_WITH)):
            raise
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        (file,) = onnx.write(graph, card, Path(folder, "model.onnx"))
        return openvino.convert_model(file)


def open_openvino(path: Path, precision: str = "f32") -> Opened:
    """`precision` is what it calculates in, whatever the file holds."""
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    card = read_card_text(_card_text(model), path)
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = core.compile_model(model, "CPU", settings)

    def run(batch: np.ndarray) -> list[np.ndarray]:
        return list(compiled([batch]).values())

    files = [file for file in (path, path.with_suffix(".bin")) if file.is_file()]
    return Opened(card, run, sum(file.stat().st_size for file in files))


open_openvino_bf16 = partial(open_openvino, precision="bf16")


def _card_text(model: Any) -> str | None:
    """Own files say it at the top, files read from ONNX among what their framework said."""
    places = [place for place in ([CARD], ["framework", CARD]) if model.has_rt_info(place)]
    return str(model.get_rt_info(places[0]).value) if places else None

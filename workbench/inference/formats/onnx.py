"""ONNX: one file that ONNX Runtime, OpenVINO, TensorRT and others read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from workbench.inference.formats.card import CARD, ExportCard, Opened, read_card_text
from workbench.inference.formats.graph import Graph, without_warnings

OPSET = 18
WRITES_WITH = ("onnx", "onnxscript")


def write(graph: Graph, card: ExportCard, path: Path) -> list[Path]:
    with torch.no_grad(), without_warnings():
        program = torch.onnx.export(
            graph,
            (graph.example(),),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=graph.dynamic_shapes(),
            input_names=["image"],
            output_names=graph.outputs,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props[CARD] = card.model_dump_json()
    program.save(str(path), external_data=False)
    return [path]


def open_onnx(path: Path) -> Opened:
    """On the CPU; with the package onnxruntime-gpu on the accelerator that it finds."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    providers = [name for name in PROVIDERS if name in onnxruntime.get_available_providers()]
    session = onnxruntime.InferenceSession(os.fspath(path), options, providers=providers)
    card = read_card_text(session.get_modelmeta().custom_metadata_map.get(CARD), path)

    def run(batch: np.ndarray) -> list[np.ndarray]:
        return session.run(list(card.outputs), {"image": batch})

    return Opened(card, run, path.stat().st_size)


PROVIDERS = ("CUDAExecutionProvider", "CoreMLExecutionProvider", "CPUExecutionProvider")

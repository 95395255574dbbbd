"""Files that run a network elsewhere, one module a format: each writes its file, and opens it in its runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from workbench.inference.formats import ncnn, onnx, openvino, torch_archive
from workbench.inference.formats.card import ExportCard, Opened
from workbench.inference.formats.graph import Graph


class Format(NamedTuple):
    """A kind of file."""

    suffix: str
    write: Callable[[Graph, ExportCard, Path], list[Path]]
    """Writes the file of this path and those that belong to it; gives all of them, the one that is opened last."""
    packages: tuple[str, ...]
    """It takes these to write it."""


class Runtime(NamedTuple):
    """What runs a file."""

    suffixes: tuple[str, ...]
    """Of the files it reads; the first is that of its own format."""
    open: Callable[[Path], Opened]
    packages: tuple[str, ...]


FORMATS: dict[str, Format] = {
    "onnx": Format(".onnx", onnx.write, (*onnx.WRITES_WITH, "onnxruntime")),
    "torch": Format(".pt2", torch_archive.write, ()),
    "openvino": Format(".xml", openvino.write, ("openvino",)),
    "ncnn": Format(".ncnn.param", ncnn.write, ("ncnn", "pnnx")),
}

RUNTIMES: dict[str, Runtime] = {
    "torch": Runtime((".pt2",), torch_archive.open_archive, ()),
    "onnxruntime": Runtime((".onnx",), onnx.open_onnx, ("onnxruntime",)),
    "openvino": Runtime((".xml", ".onnx"), openvino.open_openvino, ("openvino",)),
    "openvino-bf16": Runtime((".xml", ".onnx"), openvino.open_openvino_bf16, ("openvino",)),
    "ncnn": Runtime((".ncnn.param",), ncnn.open_ncnn, ("ncnn",)),
}

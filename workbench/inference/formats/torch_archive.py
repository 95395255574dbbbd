"""torch.export's archive: runs in PyTorch without this package, and is what its compilers for devices start from.

Opening one may run code that somebody put into it, as PyTorch warns: open those of people you trust.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from workbench.inference.formats.card import CARD, ExportCard, Opened, read_card_text
from workbench.inference.formats.graph import Graph, without_warnings


def write(graph: Graph, card: ExportCard, path: Path) -> list[Path]:
    program = graph.exported()
    with without_warnings():
        torch.export.save(program, path, extra_files={CARD: card.model_dump_json()})
    return [path]


def open_archive(path: Path) -> Opened:
    extra = {CARD: ""}
    with without_warnings():
        program = torch.export.load(path, extra_files=extra)
    module = program.module()

    @torch.no_grad()
    def run(batch: np.ndarray) -> list[np.ndarray]:
        return [output.numpy() for output in module(torch.from_numpy(batch))]

    return Opened(read_card_text(extra[CARD], path), run, path.stat().st_size)

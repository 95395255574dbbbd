"""Runs to look at: trained for a moment in this process, the same every time."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from small_run import small_config

from workbench.runs import worker
from workbench.runs.exploring import Explorer
from workbench.runs.run import Run


def trained_run(runs: Path, name: str, mode: str = "binary", **knobs: Any) -> Run:
    """Two epochs on drawn pictures of 32 x 32."""
    run = Run.create(small_config(data__path=f"shapes:{mode}", **knobs), runs, name)
    assert worker.main(str(run.folder)) == 0
    return run


def question(explorer: Explorer, run: str, checkpoint: str = "best", place: int = 0, **more: Any) -> dict[str, Any]:
    """About one of the run's validation pictures."""
    key = explorer.list_pictures({"run": run})["validation"][place]
    return {
        "run": run,
        "checkpoint": checkpoint,
        "picture": {"source": "validation", "key": key, "run": run},
        **more,
    }


def sent(explorer: Explorer, name: str, data: bytes, piece: int | None = None) -> dict[str, Any]:
    """The last answer to a file that is sent as a browser does."""
    answer = explorer.send_picture({"name": name, "size": len(data)})
    key, step = answer["key"], piece or answer["piece"]
    for start in range(0, len(data), step):
        text = base64.b64encode(data[start : start + step]).decode()
        answer = explorer.send_picture({"key": key, "data": text})
    return answer


def pixels(address: str) -> np.ndarray:
    """What a browser decodes of a data address."""
    kind, _, text = address.partition(";base64,")
    assert kind in ("data:image/png", "data:image/webp")
    return np.array(Image.open(io.BytesIO(base64.b64decode(text))))

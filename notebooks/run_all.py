"""Runs the notebooks anew and keeps what they show: `make notebooks`, or with the names of some."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).absolute().parent
WIDGET = "application/vnd.jupyter.widget-view+json"
KEPT = ("image/png", "text/html", "application/vnd.plotly.v1+json", "text/markdown")
"""What can be seen without a kernel. A live view without one of them is left out of the file."""


def notebooks() -> list[Path]:
    """In the order of the chapters."""
    return sorted(FOLDER.glob("[0-9]*.ipynb"))


def executed(path: Path, seconds: int = 300) -> NotebookNode:
    """The notebook as it is after all of its cells; one that fails raises."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(FOLDER)}},
    )
    client.execute()
    return notebook


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """Without live views, which need a kernel: their stills stand in their places."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_still, cell.outputs) if output]
    return notebook


def _still(output: NotebookNode) -> NotebookNode | None:
    if "text" in output:
        output.text = _relative(output.text)
    data = output.get("data", {})
    data |= {kind: _relative(text) for kind, text in data.items() if isinstance(text, str)}
    if data.pop(WIDGET, None) is None:
        return output
    output.data = {kind: value for kind, value in data.items() if kind in KEPT}
    return output if output.data else None


def _relative(text: str) -> str:
    """Where this folder lies is nobody's business."""
    return text.replace(f"{FOLDER}/", "")


if __name__ == "__main__":
    for path in [FOLDER / f"{name}.ipynb" for name in sys.argv[1:]] or notebooks():
        start = time.monotonic()
        nbformat.write(cleaned(executed(path)), path)
        print(f"{path.stem}: {time.monotonic() - start:.0f} s, {path.stat().st_size / 1000:.0f} kB")

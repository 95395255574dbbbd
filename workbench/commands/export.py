"""Taking a model elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from workbench.commands.sources import weights_of


def export(
    model: Positional[Path],
    to: Literal["onnx", "torch", "openvino", "ncnn"] = "onnx",
    out: Path | None = None,
    attention: bool = False,
    half: bool = False,
    threshold: float = 0.5,
    pictures: tuple[Path, ...] = (),
    runs: Path = Path("runs"),
) -> None:
    """Write a model as a file that runs without this package, checked against PyTorch on the spot.

    The file takes any batch and any size that is a fitting multiple, and says inside how pictures become its input.
    `workbench predict` runs it like the weights.

    Args:
        model: A run (its name or folder), or a file of weights.
        to: onnx; torch (an archive of torch.export); openvino or ncnn, where these packages are installed.
        out: The file; by default beside the weights, and called as they are.
        attention: Give the gates' maps as further outputs.
        half: Store and calculate in float16: half the size, results nearly the same.
        threshold: From which probability on a pixel belongs to a class; the file says it to who predicts with it.
        pictures: Files to check it on beside noise; by default the preview pictures of the run, or drawn shapes.
        runs: The folder of all runs, where `model` is the name of one.
    """
    from workbench.data.reading import read_picture
    from workbench.inference.export import export_model
    from workbench.inference.formats import FORMATS
    from workbench.models import load_model
    from workbench.runs.takeaway.exporting import pictures_at_hand
    from workbench.tables import check_table

    weights = weights_of(model, runs)
    out = out or weights.with_name(weights.name.removesuffix(".safetensors") + FORMATS[to].suffix)
    network = load_model(weights)
    exported = export_model(
        network,
        out,
        to,
        attention=attention,
        half=half,
        pictures=[read_picture(path).array for path in pictures] or pictures_at_hand(weights, network),
        threshold=threshold,
    )
    print(check_table(exported))
    print(f"Wrote {out} ({exported.bytes / 1e6:.1f} MB); it differs from PyTorch by {exported.difference:.1e} at most.")

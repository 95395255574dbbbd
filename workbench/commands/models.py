"""Commands about models and their weights."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import Positional


def list_models(size: int = 256, smp: bool = False) -> None:
    """List the models with their parameters, multiply-adds, attention gates and sources.

    Args:
        size: Height and width of the picture that the multiply-adds are counted for.
        smp: List the architectures of segmentation-models-pytorch too.
    """
    from workbench.models import ARCHITECTURES, describe_models
    from workbench.tables import model_table

    names = [name for name in ARCHITECTURES if smp or not name.startswith("smp_")]
    print(model_table(describe_models(size, names), size))


def import_weights(file: Positional[Path], to: Path, recurrent_steps: int | None = None) -> None:
    """Turn a checkpoint of the original code bases into a safetensors file that `load_model` reads.

    Args:
        file: The .pkl or .pth file of the original.
        to: The safetensors file to write.
        recurrent_steps: What an R2 checkpoint was trained with; its file does not tell.
    """
    from workbench.models import import_weights

    import_weights(file, to, recurrent_steps=recurrent_steps)
    print(f"Wrote {to}.")

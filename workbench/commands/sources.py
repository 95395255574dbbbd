"""What a command is given to work on: a run by its name or folder, or a file."""

from __future__ import annotations

from pathlib import Path


def model_source(model: Path, runs: Path) -> Path:
    """The file itself, or the folder of the run."""
    from workbench.runs.run import find_run

    return model if model.is_file() else find_run(str(model), runs).folder


def weights_of(model: Path, runs: Path) -> Path:
    """The file itself, or the best weights of the run."""
    from workbench.inference.backend import find_weights

    return find_weights(model_source(model, runs))

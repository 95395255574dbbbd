"""What programs may ask the app over HTTP, with gradio's own client; the tabs add what is theirs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from workbench.errors import UserError
from workbench.runs.run import Run, list_runs
from workbench.ui.settings import Settings
from workbench.ui.told import told


def create_api(settings: Settings) -> None:
    """The endpoints `runs` and `status`."""

    def runs() -> list[dict[str, Any]]:
        """The runs, the newest first, each with its state and the score of its best model."""
        return [_line(run) for run in list_runs(settings.runs)]

    def status(run: str) -> dict[str, Any]:
        """All that is known of how a run is, and of its best model."""
        one = settings.run(run)
        return {"run": one.name, **asdict(one.status()), "best": one.best()}

    gr.api(told(runs), api_name="runs")
    gr.api(told(status), api_name="status")


def _line(run: Run) -> dict[str, Any]:
    try:
        status, best = run.status(), run.best()
    except UserError as error:  # one damaged run must not hide the others
        return {"run": run.name, "state": "unreadable", "error": str(error)}
    score = best.get("score") if best else None
    return {"run": run.name, "state": status.state, "epoch": status.epoch, "epochs": status.epochs, "score": score}

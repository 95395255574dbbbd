"""The live views of the app, in notebooks: a run's progress and previews, the devices, and the explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workbench.devices import read_devices
from workbench.page import table
from workbench.runs import live
from workbench.runs.machine import machine
from workbench.runs.preview_pictures import answer_maps, answer_previews, gates, shown_maps, shown_pictures
from workbench.runs.run import Run, list_runs
from workbench.tables import device_table
from workbench.widgets.still import Bundle, pictures
from workbench.widgets.view import LiveView

Question = dict[str, Any]


def progress(run: Run) -> LiveView:
    """How it is, how far, how fast, and the end of its log."""

    def progress(question: Question) -> Any:
        return live.progress(run, question["mark"])

    return LiveView("progress", (progress,), run=run.name, nudge=0)


def previews(run: Run) -> LiveView:
    """Its validation pictures with what the model of each epoch makes of them; a slider goes through the epochs."""

    def previews(question: Question) -> Any:
        return answer_previews(run, question["mark"])

    def maps(question: Question) -> Any:
        return answer_maps(run, question["epoch"], question["gate"], question["rescale"])

    return LiveView("previews", (previews, maps), lambda: still_of_previews(run), run=run.name)


def devices(runs: str | Path = "runs") -> LiveView:
    """What the devices do, and how fast the runs of a folder train."""

    def devices(question: Question) -> Any:
        return machine(runs, question.get("since") or 0.0, question.get("known") or ())

    return LiveView("devices", (devices,), still_of_devices)


def explorer(runs: str | Path = "runs", run: str | None = None) -> LiveView:
    """Pictures with the models of runs: masks, probabilities, every gate and Grad-CAM, under sliders."""
    from workbench.inference.exploration import colours
    from workbench.runs.exploring import Explorer

    asked = Explorer(runs)
    return LiveView("explorer", asked.answers, lambda: still_of_explorer(runs, run), colours=colours(), run=run)


def still_of_previews(run: Run) -> Bundle:
    """The previews of its last epoch, with the map of the finest gate; nothing while there are none."""
    epochs, found = run.previews.epochs, gates(run.previews)
    if not epochs:
        return {}
    finest = found[-1] if found else None
    shown: list[tuple[str, np.ndarray]] = []
    for picture, maps in zip(shown_pictures(run.previews), shown_maps(run.previews, epochs[-1], finest), strict=True):
        shown += [(picture.name, picture.picture), ("truth", picture.truth), ("prediction", maps.prediction)]
        if maps.attention is not None:
            shown.append((f"{finest}, {maps.legend}", maps.attention))
    return pictures(shown, f"{run.name}, epoch {epochs[-1]}", columns=4 if finest else 3).bundle


def still_of_explorer(runs: str | Path, name: str | None) -> Bundle:
    """The first preview of a run, or of the newest, with the maps of all gates."""
    run = next((run for run in list_runs(runs) if name in (None, run.name)), None)
    epochs = run.previews.epochs if run else []
    if not run or not epochs:
        return {}
    first = shown_pictures(run.previews)[0]
    shown = {"picture": first.picture, "prediction": shown_maps(run.previews, epochs[-1])[0].prediction}
    for gate in gates(run.previews):
        maps = shown_maps(run.previews, epochs[-1], gate)[0]
        if maps.attention is not None:
            shown[f"{gate}, {maps.legend}"] = maps.attention
    return pictures(shown, f"{run.name}, epoch {epochs[-1]}: {first.name}", columns=5).bundle


def still_of_devices() -> Bundle:
    """The table of `workbench devices`."""
    found = device_table(read_devices())
    return {"text/html": table(found.titles, found.texts)}

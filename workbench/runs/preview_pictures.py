"""The previews of a run in colours: picture and truth once, prediction and attention epoch by epoch."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np

from workbench.errors import choices
from workbench.overlays import attention_overlay, mask_overlay
from workbench.page import address_of
from workbench.runs.previews import Previews
from workbench.runs.run import Run

OPACITY = 0.45
NOTHING = "nothing"
"""The mark of previews that have no epoch yet."""


class Shown(NamedTuple):
    """One of the pictures, RGB uint8, as all epochs have it."""

    name: str
    picture: np.ndarray
    truth: np.ndarray


class ShownMaps(NamedTuple):
    """What the model of one epoch makes of it, RGB uint8."""

    prediction: np.ndarray
    attention: np.ndarray | None
    """None where the model has no gate."""
    legend: str
    """What the darkest and the lightest colour of the attention stand for."""


def shown_pictures(previews: Previews) -> list[Shown]:
    """Each picture, and its true mask over it."""
    task = previews.task
    pictures = [previews.picture(number) for number in range(len(previews.names))]
    return [Shown(p.name, p.image, mask_overlay(p.image, p.mask, task, opacity=OPACITY)) for p in pictures]


def gates(previews: Previews) -> list[str]:
    """The names of the attention gates that there are maps of, the coarsest first."""
    epochs = previews.epochs
    attention = previews.maps(epochs[-1], 0).attention if epochs and previews.names else {}
    return sorted(attention, key=lambda gate: attention[gate].size)


def shown_maps(previews: Previews, epoch: int, gate: str | None = None, rescale: bool = False) -> list[ShownMaps]:
    """One a picture; the attention is on its scale of 0 to 1 unless it is to be rescaled to what it spans."""
    return [_shown_maps(previews, epoch, number, gate, rescale) for number in range(len(previews.names))]


def _shown_maps(previews: Previews, epoch: int, number: int, gate: str | None, rescale: bool) -> ShownMaps:
    maps, image = previews.maps(epoch, number), previews.picture(number).image
    prediction = mask_overlay(image, maps.labels, previews.task, opacity=OPACITY)
    if gate is None or not maps.attention:
        return ShownMaps(prediction, None, "")
    if gate not in maps.attention:
        raise choices("gate", gate, maps.attention)
    size = image.shape[1], image.shape[0]
    attention = cv2.resize(maps.attention[gate].astype(np.float32) / 255, size, interpolation=cv2.INTER_LINEAR)
    scaled = attention_overlay(image, attention, opacity=0.6, rescale=rescale)
    return ShownMaps(prediction, scaled.rgb, scaled.legend)


def answer_previews(run: Run, mark: str = "") -> dict[str, Any]:
    """For live views: the epochs, with the first also pictures and gates; the mark alone if nothing is new."""
    previews = run.previews
    epochs = previews.epochs
    new = f"{len(epochs)}-{previews.changed}" if epochs else NOTHING
    if new == mark:
        return {"mark": mark}
    answer: dict[str, Any] = {"mark": new, "epochs": epochs}
    if epochs and mark in ("", NOTHING):
        answer["gates"] = gates(previews)
        answer["pictures"] = [
            {"name": shown.name, "picture": address_of(shown.picture), "truth": address_of(shown.truth)}
            for shown in shown_pictures(previews)
        ]
    return answer


def answer_maps(run: Run, epoch: int, gate: str | None = None, rescale: bool = False) -> list[dict[str, Any]]:
    """For live views: prediction and attention of each picture."""
    return [
        {
            "prediction": address_of(shown.prediction),
            "attention": None if shown.attention is None else address_of(shown.attention),
            "legend": shown.legend,
        }
        for shown in shown_maps(run.previews, epoch, gate, rescale)
    ]

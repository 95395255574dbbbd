"""Looking into a model: what its gates let through, and what made it give a region its class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from workbench.commands.sources import weights_of
from workbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np


def attention(
    model: Positional[Path],
    picture: Positional[Path],
    out: Path | None = None,
    truth: Path | None = None,
    effects: bool = False,
    sanity: bool = False,
    runs: Path = Path("runs"),
) -> None:
    """Show what the attention gates of a model let through of a picture, in figures and as overlays.

    Args:
        model: A run (its name or folder), or a file of weights.
        picture: Any picture file.
        out: A folder to write an overlay of every gate into, on the true scale from 0 to 1.
        truth: A mask of class ids at the picture's size, to say how much of the attention lies inside it.
        effects: Predict again with each gate opened, and with its map shuffled, and tell what changes.
        sanity: Tell whether the maps depend on what the model has learned, by shuffling its weights.
        runs: The folder of all runs, where `model` is the name of one.
    """
    from workbench.data.reading import read_labels, read_picture
    from workbench.inference.attention import attention_maps
    from workbench.inference.gate_effects import gate_effects
    from workbench.inference.sanity import sanity_check, verdict
    from workbench.models import load_model
    from workbench.tables import effect_table, gate_table

    network = load_model(weights_of(model, runs))
    array = read_picture(picture).array
    mask = read_labels(truth) if truth else None
    maps = attention_maps(network, array, truth=mask)
    if not maps:
        raise UserError("This model has no attention gates; `workbench attribute` explains any model.")
    print(gate_table(maps.values()))
    if effects:
        print(f"\n{effect_table(gate_effects(network, array, truth=mask))}")
    if sanity:
        rows = sanity_check(network, lambda other: {name: g.raw for name, g in attention_maps(other, array).items()})
        print("", *verdict(rows), sep="\n")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        for name, gate in maps.items():
            _write_overlay(array, gate.map, out / f"{picture.stem}_{name}.png")
        print(f"Wrote {len(maps)} overlays into {out}.")


def film(
    run: Positional[str],
    to: Path,
    gate: str | None = None,
    picture: int = 1,
    seconds: float = 0.5,
    runs: Path = Path("runs"),
) -> None:
    """Animate the attention on a preview picture of a run through its epochs.

    Args:
        run: Its name, or its folder.
        to: The .webp or .gif file to write.
        gate: The gate's name; by default the one of the finest map.
        picture: Which of the preview pictures, from 1.
        seconds: How long each epoch is shown.
        runs: The folder of all runs.
    """
    from workbench.errors import choices
    from workbench.inference.animation import Frame, save_animation
    from workbench.runs.run import find_run

    previews = find_run(run, runs).previews
    if not 1 <= picture <= len(previews.names):
        raise UserError(f"{run} has {len(previews.names)} preview pictures, and no number {picture}.")
    image = previews.picture(picture - 1).image
    by_epoch = {epoch: previews.maps(epoch, picture - 1).attention for epoch in previews.epochs}
    gates = [*next(iter(by_epoch.values()), {})]
    if not gates:
        raise UserError(f"{run} has no previews of attention: its model has no gates, or no epoch is done yet.")
    if gate is not None and gate not in gates:
        raise choices("gate", gate, gates)
    save_animation([Frame(epoch, image, maps[gate or gates[-1]]) for epoch, maps in by_epoch.items()], to, seconds)
    print(f"Wrote {to}: {gate or gates[-1]} through {len(by_epoch)} epochs.")


def attribute(
    model: Positional[Path],
    picture: Positional[Path],
    out: Path,
    target: str | None = None,
    pixel: tuple[int, int] | None = None,
    box: tuple[int, int, int, int] | None = None,
    method: Literal["seg_grad_cam", "grad_cam_plus_plus"] = "seg_grad_cam",
    layer: str | None = None,
    runs: Path = Path("runs"),
) -> None:
    """Show which parts of a picture made a model give a region its class; works for every model.

    Args:
        model: A run (its name or folder), or a file of weights.
        picture: Any picture file.
        out: The .png file to write: the map, divided by its largest value, over the picture.
        target: The class; by default the one that the model predicts most in the region.
        pixel: Row and column of the one pixel to explain.
        box: Top, left, height and width of the box to explain; without pixel and box it is all that is predicted.
        method: How channels are weighed.
        layer: Whose features are looked at; by default the deepest.
        runs: The folder of all runs, where `model` is the name of one.
    """
    from workbench.data.reading import read_picture
    from workbench.inference.attribution import attribute as explain
    from workbench.models import load_model

    if pixel and box:
        raise UserError("Give a pixel or a box, not both.")
    if out.suffix != ".png" or not out.parent.is_dir():
        raise UserError(f"{out} must be a .png file in a folder that exists.")
    network = load_model(weights_of(model, runs))
    array = read_picture(picture).array
    found = explain(network, array, target=target, region=pixel or box, method=method, layer=layer)
    _write_overlay(array, found.normalised, out)
    pixels = f"{max(1, round(found.pixels)):,} pixels of the model's input"
    print(
        f"{found.method} of {found.target} on {pixels}, by the features of {found.layer}: "
        f"raw values from {found.low:.3g} to {found.high:.3g}. Wrote {out}."
    )


def _write_overlay(picture: np.ndarray, map_: np.ndarray, path: Path) -> None:
    from PIL import Image

    from workbench.data.reading import to_display
    from workbench.files import whole
    from workbench.overlays import attention_overlay

    with whole(path) as part:
        Image.fromarray(attention_overlay(to_display(picture), map_).rgb).save(part, "PNG")

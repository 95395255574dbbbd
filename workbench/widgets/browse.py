"""Pictures that follow sliders: any function of some values that gives a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets
import numpy as np

from workbench.data.reading import to_display
from workbench.data.source import Source
from workbench.data.transforms import PRESETS, create_transform, sample_generator
from workbench.overlays import OKABE_ITO, edges
from workbench.widgets.still import Still, pictures
from workbench.widgets.view import with_still

FIELD = {"style": {"description_width": "7rem"}, "layout": {"width": "28rem"}}


class Browser(ipywidgets.VBox):
    """Controls above, and below what `draw` makes of their values; drawn anew when one moves."""

    def __init__(self, draw: Callable[..., Still], controls: dict[str, Any]) -> None:
        self.draw = draw
        self.controls = {name: _control(name, value) for name, value in controls.items()}
        self.picture = ipywidgets.Image(format="png", layout={"max_width": "100%", "object_fit": "contain"})
        super().__init__([*self.controls.values(), self.picture])
        for control in self.controls.values():
            control.observe(self._draw, "value")
        self._draw()

    @property
    def asked(self) -> dict[str, Any]:
        """What the controls say."""
        return {name: control.value for name, control in self.controls.items()}

    def _draw(self, _: Any = None) -> None:
        self.picture.value = self.draw(**self.asked).bundle["image/png"]

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return with_still(super()._repr_mimebundle_(**options), {"image/png": bytes(self.picture.value)})


def _control(name: str, value: Any) -> ipywidgets.Widget:
    """(least, most) or (least, most, first) gives a slider, of whole numbers where they are; a list a choice."""
    about = {"description": name.replace("_", " "), **FIELD}
    if isinstance(value, list):
        return ipywidgets.Dropdown(options=value, **about)
    least, most, first = value if len(value) == 3 else (*value, value[0])
    if all(isinstance(number, int) for number in value):
        return ipywidgets.IntSlider(value=first, min=least, max=most, **about)
    return ipywidgets.FloatSlider(value=first, min=least, max=most, step=0.01, **about)


def browse(draw: Callable[..., Still], **controls: Any) -> Browser:
    """`browse(draw, gate=[...], opacity=(0.0, 1.0, 0.5))`: a list to choose from and a slider from 0 to 1, now 0.5.

    `draw(gate=..., opacity=...)` gives a `Still`, as `pictures` does.
    """
    return Browser(draw, controls)


def browse_augmentations(source: Source, names: Sequence[str] = tuple(PRESETS), count: int = 5) -> Browser:
    """Sliders through the samples and the seeds: each as it is, and as training might see it."""

    def draw(preset: str, sample: int, seed: int, strength: float) -> Still:
        item = source.items[sample]
        image, mask = source.read_image(item).array, source.read_raw_mask(item)
        transform = create_transform(preset, strength)
        shown = {f"{item.name}, as it is": _outlined(image, mask)}
        for number in range(count):
            rng = sample_generator(seed, number, sample)
            changed = (image, mask) if transform is None else transform(image, mask.astype(np.uint8), rng)
            shown[f"seed {seed}, epoch {number + 1}"] = _outlined(*changed)
        return pictures(shown, f"augmentation {preset}, strength {strength:g}", columns=count + 1, side=1.7)

    samples = (0, len(source.items) - 1)
    return browse(draw, preset=list(names), sample=samples, seed=(0, 20), strength=(0.0, 2.0, 1.0))


def _outlined(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with the borders of all classes in it."""
    shown, mask = to_display(image).copy(), np.ascontiguousarray(mask, np.uint8)
    shown[(edges(mask) > 0) & (mask > 0)] = OKABE_ITO[0]
    return shown

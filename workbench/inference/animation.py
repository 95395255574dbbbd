"""Attention over time: the same picture's map through the epochs as one animation, on the true 0..1 scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from workbench.errors import UserError, choices
from workbench.files import whole
from workbench.overlays import attention_overlay, coloured_map

FORMATS = {".gif": "GIF", ".webp": "WEBP"}
SMALLEST_SIDE, STRIP = 256, 24
"""Small pictures are shown larger; the strip below tells the epoch and the scale."""


class Frame(NamedTuple):
    """What one epoch made of the picture."""

    epoch: int
    image: np.ndarray
    """uint8 RGB [h, w, 3], the same in all frames."""
    attention: np.ndarray
    """0..1 [h', w'] at any resolution, or uint8 0..255 as previews keep it."""


def save_animation(frames: Sequence[Frame], path: str | Path, seconds: float = 0.5, opacity: float = 0.5) -> None:
    """Write a GIF or WebP that runs for ever, `seconds` a frame; whole or not at all."""
    path = Path(path)
    if path.suffix not in FORMATS:
        raise choices("kind of animation", path.suffix, FORMATS)
    if not frames:
        raise UserError("There are no epochs to animate yet.")
    if not path.parent.is_dir():
        raise UserError(f"Cannot write {path}: the folder {path.parent} does not exist.")
    first, *others = [draw_frame(frame, opacity) for frame in frames]
    options = {"save_all": True, "append_images": others, "duration": round(1000 * seconds), "loop": 0}
    with whole(path) as part:
        first.save(part, FORMATS[path.suffix], **options)


def draw_frame(frame: Frame, opacity: float = 0.5) -> Image.Image:
    """The map over the picture, and below it the epoch and the scale."""
    height, width = frame.image.shape[:2]
    factor = max(1, -(-SMALLEST_SIDE // min(height, width)))
    size = (width * factor, height * factor)
    image = cv2.resize(frame.image, size, interpolation=cv2.INTER_NEAREST)
    attention = frame.attention.astype(np.float32) / (255 if frame.attention.dtype == np.uint8 else 1)
    shown = attention_overlay(image, cv2.resize(attention, size, interpolation=cv2.INTER_LINEAR), opacity=opacity)
    canvas = Image.new("RGB", (size[0], size[1] + STRIP), "white")
    canvas.paste(Image.fromarray(shown.rgb))
    _draw_strip(canvas, f"epoch {frame.epoch}")
    return canvas


def _draw_strip(canvas: Image.Image, text: str) -> None:
    width, height = canvas.size
    draw, font, middle = ImageDraw.Draw(canvas), ImageFont.load_default(14), height - STRIP // 2
    draw.text((6, middle), text, "black", font, anchor="lm")
    length = min(96, width // 3)
    ramp = np.tile(np.linspace(0, 1, length, dtype=np.float32), (STRIP // 2, 1))
    left, top = width - length - 20, height - STRIP * 3 // 4
    canvas.paste(Image.fromarray(coloured_map(ramp).rgb), (left, top))
    draw.text((left - 4, middle), "0", "black", font, anchor="rm")
    draw.text((left + length + 4, middle), "1", "black", font, anchor="lm")

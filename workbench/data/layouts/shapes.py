"""Synthetic pictures of discs, boxes and triangles, drawn when they are asked for: nothing to download, any number.

A picture depends on (seed, number) and the options alone. `difficulty` goes from 0 (bright objects on a plain ground)
to 1 (small, faint, textured objects under uneven light and noise, among bars that hide them and rings that are none).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from workbench.config import is_drawn
from workbench.data.reading import Facts, Picture
from workbench.data.source import Item, Layout, Size, Source
from workbench.errors import UserError, choices

KINDS = ("disc", "box", "triangle")
CLASSES = {
    "binary": ("background", "shape"),
    "multiclass": ("background", *KINDS),
    "multilabel": KINDS,
}


@dataclass(frozen=True)
class Drawing:
    """What all pictures of a source have in common."""

    mode: str
    size: int
    difficulty: float
    seed: int


def find(path: Path) -> Path | None:
    """`shapes` or `shapes:MODE`."""
    return path if is_drawn(path) else None


def open_shapes(root: Path, count: int = 200, size: int = 128, difficulty: float = 0.25, seed: int = 0) -> Source:
    """`count` pictures of `size` x `size` pixels."""
    mode = str(root).partition(":")[2] or "binary"
    if mode not in CLASSES:
        raise choices("kind of shapes", mode, CLASSES)
    if count < 1 or size < 16 or not 0 <= difficulty <= 1 or seed < 0:
        raise UserError(
            f"Shapes need a count of at least 1, a size of at least 16, a difficulty of 0 to 1 and a seed that is not "
            f"negative, not count={count}, size={size}, difficulty={difficulty}, seed={seed}."
        )
    drawing = Drawing(mode, size, difficulty, seed)
    return Source(
        "shapes",
        root,
        tuple(Item(f"shape_{number:05d}", None, (), index=number) for number in range(count)),
        f"shapes: {count} synthetic {mode} pictures of {size}x{size}, difficulty {difficulty}, seed {seed}.",
        classes=CLASSES[mode],
        multilabel=mode == "multilabel",
        values=() if mode == "multilabel" else tuple((i, i) for i in range(len(CLASSES[mode]))),
        picture_reader=partial(_picture, drawing),
        mask_reader=partial(_mask, drawing),
    )


def _picture(drawing: Drawing, item: Item, at_least: Size | None = None) -> Picture:
    picture, _ = draw(drawing, item.index)
    return Picture(picture.copy(), Facts(drawing.size, drawing.size, 3, 8, "drawn"))


def _mask(drawing: Drawing, item: Item) -> np.ndarray:
    return draw(drawing, item.index)[1].copy()


@lru_cache(maxsize=4)
def draw(drawing: Drawing, number: int) -> tuple[np.ndarray, np.ndarray]:
    """RGB uint8 [h, w, 3] and the mask: class ids [h, w], or 0/1 [kinds, h, w] for multilabel."""
    rng = np.random.default_rng((drawing.seed, number))
    size, hard = drawing.size, drawing.difficulty
    overlap = drawing.mode == "multilabel"
    contrast, texture = _between(100, 20, hard), _between(3, 24, hard)
    ground = rng.uniform(50, 130, 3).astype(np.float32)
    picture = _texture(rng, (size, size), rng.uniform(4, 10), texture) + _light(rng, size, 90 * hard) + ground
    away = rng.choice([-1.0, 1.0], 3) if hard > 0.5 else np.ones(3)
    planes = np.zeros((len(KINDS), size, size), np.uint8)
    for _ in range(_about(rng, 2, 7, hard)):
        kind = int(rng.integers(len(KINDS)))
        shape = _shape(rng, KINDS[kind], size, hard)
        box = _paint(
            rng, picture, shape, ground + away * rng.uniform(0.8, 1.2, 3) * contrast, texture, 0.6 if overlap else 1
        )
        if not overlap:
            _cover(planes, shape, box)
        planes[kind][box][shape[box] > 0] = 1
    for _ in range(_about(rng, 0, 4, hard)):
        ring = _ring(rng, size)
        _cover(planes, ring, _paint(rng, picture, ring, ground + away * contrast))
    for _ in range(_about(rng, 0, 3, hard)):
        bar = _bar(rng, size)
        _cover(planes, bar, _paint(rng, picture, bar, rng.uniform(20, 200, 3)))
    picture += rng.standard_normal((size, size, 1), np.float32) * np.float32(_between(2, 22, hard))
    drawn = np.clip(picture, 0, 255).astype(np.uint8)
    if overlap:
        return drawn, planes
    if drawing.mode == "binary":
        return drawn, planes.max(0)
    return drawn, (planes * np.arange(1, len(KINDS) + 1, dtype=np.uint8)[:, None, None]).max(0)


def _between(easy: float, hard: float, difficulty: float) -> float:
    return easy + (hard - easy) * difficulty


def _about(rng: np.random.Generator, easy: float, hard: float, difficulty: float) -> int:
    """A number near the one that the difficulty asks for; at least 1 where the easy number is."""
    middle = _between(easy, hard, difficulty)
    return max(int(easy > 0), round(rng.uniform(0.5, 1.5) * middle))


def _texture(rng: np.random.Generator, size: Size, cells: float, amplitude: float) -> np.ndarray:
    """Smooth noise [h, w, 1] with about `cells` bumps along a side."""
    coarse = rng.standard_normal((int(cells) + 2, int(cells) + 2), np.float32) * np.float32(amplitude)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)[..., None]


def _light(rng: np.random.Generator, size: int, amplitude: float) -> np.ndarray:
    """Light that falls off across the picture, [h, w, 1]."""
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    slope = np.float32(np.cos(angle)) * ramp[None] + np.float32(np.sin(angle)) * ramp[:, None]
    return slope[..., None] * np.float32(amplitude)


def _shape(rng: np.random.Generator, kind: str, size: int, hard: float) -> np.ndarray:
    radius = max(2, rng.uniform(_between(0.12, 0.035, hard), _between(0.26, 0.18, hard)) * size)
    centre, turn, aspect = rng.uniform(0.1, 0.9, 2) * size, rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1)
    if kind == "box":
        corners = np.array([[-1, -aspect], [1, -aspect], [1, aspect], [-1, aspect]]) * 0.85
    else:
        angles = np.linspace(0, 2 * np.pi, 40 if kind == "disc" else 3, endpoint=False)
        corners = np.stack([np.cos(angles), np.sin(angles) * aspect], 1)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    canvas = np.zeros((size, size), np.uint8)
    cv2.fillPoly(canvas, [np.round(corners * radius @ rotation + centre).astype(np.int32)], (255,))
    return canvas


def _ring(rng: np.random.Generator, size: int) -> np.ndarray:
    """It has an object's colour, but is none."""
    canvas = np.zeros((size, size), np.uint8)
    x, y = rng.uniform(0.1, 0.9, 2) * size
    cv2.circle(canvas, (int(x), int(y)), max(3, int(rng.uniform(0.06, 0.15) * size)), (255,), max(1, size // 64))
    return canvas


def _bar(rng: np.random.Generator, size: int) -> np.ndarray:
    canvas = np.zeros((size, size), np.uint8)
    start, end = ((int(x), int(y)) for x, y in rng.uniform(0, size, (2, 2)))
    cv2.line(canvas, start, end, (255,), max(1, int(rng.uniform(0.01, 0.05) * size)))
    return canvas


Box = tuple[slice, slice]


def _paint(
    rng: np.random.Generator,
    picture: np.ndarray,
    shape: np.ndarray,
    colour: np.ndarray,
    texture: float = 0.0,
    opacity: float = 1.0,
) -> Box:
    """Fill a shape in place, with an edge one pixel soft; returns the box that holds it."""
    left, top, width, height = cv2.boundingRect(shape)
    box = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
    if not width:
        return box
    alpha = cv2.blur(shape[box], (3, 3)).astype(np.float32)[..., None] * np.float32(opacity / 255)
    surface = colour.astype(np.float32)
    if texture:
        surface = surface + _texture(rng, alpha.shape[:2], rng.uniform(3, 8), texture)
    picture[box] += (surface - picture[box]) * alpha
    return box


def _cover(planes: np.ndarray, shape: np.ndarray, box: Box) -> None:
    """What lies under a shape is hidden, so it is in no mask."""
    for plane in planes:
        plane[box][shape[box] > 0] = 0


LAYOUT = Layout("shapes", "synthetic pictures: shapes, shapes:multiclass or shapes:multilabel", find, open_shapes)

"""One HTML file that needs nothing else: pictures and charts are inside, texts are escaped, nothing is fetched."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

import cv2
import numpy as np

STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #5b6b7b; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0; } p { margin: .3rem 0; }
figure { display: inline-block; margin: .7rem 1rem .3rem 0; vertical-align: top; max-width: 100%; }
figure div { display: flex; gap: 4px; flex-wrap: wrap; }
img { height: 144px; max-width: 100%; object-fit: contain; background: #8882; }
figcaption { font-size: .8rem; opacity: .8; overflow-wrap: anywhere; max-width: 30rem; }
details { font-size: .85rem; } details code { overflow-wrap: anywhere; } summary { cursor: pointer; }
pre { overflow-x: auto; font-size: .85rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; } th { font-weight: 600; }
td { overflow-wrap: anywhere; } td.number { text-align: right; white-space: nowrap; }
tr { border-bottom: 1px solid var(--line); }
svg { max-width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: currentColor; } svg .grid { stroke: var(--line); } svg .line { fill: none; stroke-width: 2; }
"""

COLOURS = ("#0072b2", "#e66101", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#7f5f9f", "#5b6b7b")
"""Of lines, in turn; they can be told apart by those who do not see red and green."""


def document(title: str, body: str, style: str = "") -> str:
    """The whole file; `body` is HTML, the title is text."""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body>{body}</body></html>\n"
    )


def image(picture: np.ndarray, description: str = "") -> str:
    """RGB [h, w, 3] as an element."""
    return f'<img alt="{escape(description)}" src="{address_of(picture)}">'


def address_of(picture: np.ndarray) -> str:
    """RGB [h, w, 3] as an address that holds it, the smaller one of PNG, for masks, and JPEG."""
    colours = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    coded = [
        (kind, cv2.imencode(f".{kind}", colours, options)[1])
        for kind, options in (("png", []), ("jpeg", [cv2.IMWRITE_JPEG_QUALITY, 85]))
    ]
    kind, data = min(coded, key=lambda pair: len(pair[1]))
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}"


def figure(pictures: Iterable[np.ndarray], caption: str) -> str:
    """Pictures side by side over a caption."""
    return (
        f"<figure><div>{''.join(image(picture) for picture in pictures)}</div>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(titles: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> str:
    """Texts and numbers; numbers to four digits behind the point, and a dash for what is not known."""
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _cell(value: str | float | None) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    text = "–" if value is None else str(value) if isinstance(value, int) else f"{value:.4f}"
    return f'<td class="number">{text}</td>'


class Line(NamedTuple):
    """A curve of a chart; points whose y is not finite are left out."""

    name: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray


WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 440, 280, 46, 40, 12


def line_chart(lines: Sequence[Line], x_title: str, y_title: str, unit_square: bool = False) -> str:
    """Curves as SVG; over 0..1 both ways, or over what the values span. Lines are named below, each with its colour."""
    points = [_finite(line) for line in lines]
    everything = np.concatenate([*points, np.zeros((0, 2))])
    if not len(everything):
        return "<p>There is nothing to draw.</p>"
    low, high = (np.zeros(2), np.ones(2)) if unit_square else (everything.min(0), everything.max(0))
    span = np.where(high > low, high - low, 1.0)

    def place(values: np.ndarray) -> np.ndarray:
        share = (values - low) / span
        across = LEFT + share[:, 0] * (WIDTH - LEFT - TOP)
        return np.stack([across, HEIGHT - BOTTOM - share[:, 1] * (HEIGHT - BOTTOM - TOP)], -1)

    parts = [_axes(low, low + span, x_title, y_title)]
    for number, values in enumerate(points):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in place(values))
        parts.append(f'<polyline class="line" stroke="{COLOURS[number % len(COLOURS)]}" points="{path}"/>')
    names = " ".join(
        f'<span style="color:{COLOURS[number % len(COLOURS)]}">&#9632;</span> {escape(line.name)}'
        for number, line in enumerate(lines)
    )
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">{"".join(parts)}</svg>'
    return f"<figure>{svg}<figcaption>{names}</figcaption></figure>"


def _finite(line: Line) -> np.ndarray:
    points = np.stack([np.asarray(line.x, float), np.asarray(line.y, float)], -1)
    return points[np.isfinite(points).all(1)]


def _axes(low: np.ndarray, high: np.ndarray, x_title: str, y_title: str) -> str:
    right, floor, parts = WIDTH - TOP, HEIGHT - BOTTOM, []
    for share in np.linspace(0, 1, 5):
        x, y = LEFT + share * (right - LEFT), floor - share * (floor - TOP)
        x_value, y_value = low + share * (high - low)
        parts += [
            f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<text x="{x:.1f}" y="{floor + 16}" text-anchor="middle">{x_value:.3g}</text>',
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{y_value:.3g}</text>',
        ]
    middle = (TOP + floor) / 2
    parts += [
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_title)}</text>',
        f'<text x="10" y="{middle}" text-anchor="middle" transform="rotate(-90 10 {middle})">{escape(y_title)}</text>',
    ]
    return "".join(parts)

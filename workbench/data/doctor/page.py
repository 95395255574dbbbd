"""A report as one HTML file that needs nothing else: pictures are inside, every name is escaped, nothing is fetched."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

import cv2
import numpy as np

from workbench.data.doctor.findings import Finding, Illustration, listed, short
from workbench.data.doctor.report import Report

STYLE = """
:root { color-scheme: light dark; --line: #8884; --error: #c62828; --warning: #b26a00; --note: #5b6b7b; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
section { border-left: .3rem solid var(--colour); padding: .1rem 0 .1rem 1rem; margin: 1.5rem 0; }
.error { --colour: var(--error); } .warning { --colour: var(--warning); } .note { --colour: var(--note); }
h3 { font-size: 1rem; margin: 0; } p { margin: .3rem 0; } .severity { color: var(--colour); }
.refusal { border: 2px solid var(--error); border-radius: .5rem; padding: .5rem 1rem; }
figure { display: inline-table; margin: .7rem 1rem .3rem 0; vertical-align: top; }
figure div { display: flex; gap: 4px; flex-wrap: wrap; }
img { height: 144px; max-width: 100%; object-fit: contain; background: #8882; }
figcaption { display: table-caption; caption-side: bottom; font-size: .8rem; opacity: .8; overflow-wrap: anywhere; }
details { font-size: .85rem; } details code { overflow-wrap: anywhere; } summary { cursor: pointer; }
table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0; }
td { overflow-wrap: anywhere; } tr { border-bottom: 1px solid var(--line); } th { font-weight: 600; }
"""


def as_html(report: Report) -> str:
    """The page."""
    refusal = f'<p class="refusal">{escape(report.refusal)}</p>' if report.refusal else ""
    findings = "".join(map(_section, report.findings)) or "<p>Nothing to find fault with.</p>"
    rows = "".join(
        f"<tr><th>{escape(title)}</th><td>{escape(text)}</td></tr>" for title, text in report.summary.lines()
    )
    gallery = f"<h2>As training will see them</h2>{_figures(report.gallery)}" if report.gallery else ""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Data check: {escape(report.config.path)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(report.headline)}</h1>{refusal}{findings}"
        f"<h2>The data set</h2><table>{rows}</table>{gallery}</body></html>\n"
    )


def _section(finding: Finding) -> str:
    parts = [f'<h3><span class="severity">{finding.severity}</span> {escape(finding.title)}</h3>']
    parts += [f"<p>{escape(finding.explanation)}</p>"] if finding.explanation else []
    if finding.mend:
        parts.append(f"<p><b>Mend</b> (by <code>--fix</code>): {escape(finding.mend.sentence)}</p>")
    if finding.advice:
        parts.append(f"<p><b>{'Or by hand' if finding.mend else 'Mend'}</b>: {escape(finding.advice)}</p>")
    parts.append(_figures(finding.illustrations))
    if finding.files:
        parts.append(_names(finding))
    return f'<section class="{finding.severity}">{"".join(parts)}</section>'


def _names(finding: Finding) -> str:
    if finding.groups:
        names = "<br>".join(f"<code>{escape(', '.join(group))}</code>" for group in finding.groups)
    else:
        names = "<br>".join(f"<code>{escape(name)}</code>" for name in finding.files)
    return f"<details><summary>{escape(listed(map(short, finding.files), 3))}</summary>{names}</details>"


def _figures(illustrations: Iterable[Illustration]) -> str:
    return "".join(
        f"<figure><div>{''.join(map(_image, pictures))}</div><figcaption>{escape(caption)}</figcaption></figure>"
        for caption, pictures in illustrations
    )


def _image(picture: np.ndarray) -> str:
    """The smaller one of PNG, for masks, and JPEG."""
    colours = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    coded = [
        (kind, cv2.imencode(f".{kind}", colours, options)[1])
        for kind, options in (("png", []), ("jpeg", [cv2.IMWRITE_JPEG_QUALITY, 85]))
    ]
    kind, data = min(coded, key=lambda pair: len(pair[1]))
    return f'<img alt="" src="data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}">'

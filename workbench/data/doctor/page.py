"""A report as one HTML file."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from workbench.data.counting import named, short
from workbench.data.doctor.findings import Finding, Illustration
from workbench.data.doctor.report import Report
from workbench.page import document, figure

STYLE = """
:root { --error: #c62828; --warning: #b26a00; }
section { border-left: .3rem solid var(--colour); padding: .1rem 0 .1rem 1rem; margin: 1.5rem 0; }
.error { --colour: var(--error); } .warning { --colour: var(--warning); } .note { --colour: var(--quiet); }
.severity { color: var(--colour); }
.refusal { border: 2px solid var(--error); border-radius: .5rem; padding: .5rem 1rem; }
figure { display: inline-table; } figcaption { display: table-caption; caption-side: bottom; }
"""


def as_html(report: Report) -> str:
    """The page: what is wrong, what the data set is like, and how it looks."""
    refusal = f'<p class="refusal">{escape(report.refusal)}</p>' if report.refusal else ""
    findings = "".join(map(_section, report.findings))
    rows = "".join(
        f"<tr><th>{escape(title)}</th><td>{escape(text)}</td></tr>" for title, text in report.summary.lines()
    )
    gallery = f"<h2>As training will see them</h2>{_figures(report.gallery)}" if report.gallery else ""
    body = f"<h1>{escape(report.headline)}</h1>{refusal}{findings}<h2>The data set</h2><table>{rows}</table>{gallery}"
    return document(f"Data check: {report.config.path}", body, STYLE)


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
    """The first few, and all of them when asked; those that belong together in a line."""
    lines = [", ".join(group) for group in finding.groups] or finding.files
    names = "<br>".join(f"<code>{escape(line)}</code>" for line in lines)
    return f"<details><summary>{escape(named(map(short, finding.files), 3))}</summary>{names}</details>"


def _figures(illustrations: Iterable[Illustration]) -> str:
    return "".join(figure(pictures, caption) for caption, pictures in illustrations)

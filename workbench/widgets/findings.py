"""What the doctor found, with its pictures, and a box to tick for each mend."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets

from workbench.data.doctor import Finding, Report
from workbench.page import figure
from workbench.widgets.view import with_still

COLOURS = {"error": "#b04400", "warning": "#8a6d00", "note": "#5b6b7b"}
SHOWN = 4
"""So many names of files stand beside a finding."""


class Findings(ipywidgets.VBox):
    """The gravest first; `chosen` is the report with the mends that are ticked, all of them at first."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.ticks = {
            number: ipywidgets.Checkbox(True, description=finding.mend.sentence, indent=False, layout={"width": "auto"})
            for number, finding in enumerate(report.findings)
            if finding.mend
        }
        rows: list[ipywidgets.Widget] = [ipywidgets.HTML(f"<b>{escape(report.headline)}</b>")]
        for number, finding in enumerate(report.findings):
            rows.append(ipywidgets.HTML(as_html(finding)))
            if number in self.ticks:
                rows.append(self.ticks[number])
        super().__init__(rows)

    @property
    def chosen(self) -> Report:
        """The report with the ticked mends alone; its `write_mends` gives the configuration."""
        findings = [
            finding if number not in self.ticks or self.ticks[number].value else replace(finding, mend=None)
            for number, finding in enumerate(self.report.findings)
        ]
        return replace(self.report, findings=tuple(findings))

    def _repr_mimebundle_(self, **options: Any) -> Any:
        html = "".join(as_html(finding, mend=True) for finding in self.report.findings)
        still = {"text/html": f"<b>{escape(self.report.headline)}</b>{html}"}
        return with_still(super()._repr_mimebundle_(**options), still)


def as_html(finding: Finding, mend: bool = False) -> str:
    """One finding in a few lines, with its pictures."""
    names = ", ".join(finding.files[:SHOWN]) + (f" and {finding.count - SHOWN} more" if finding.count > SHOWN else "")
    advice = finding.mend.sentence if mend and finding.mend else finding.advice
    lines = [finding.explanation, names, f"Mend: {advice}" if advice else ""]
    shown = "".join(figure(each.pictures, each.caption) for each in finding.illustrations)
    return (
        f'<div style="border-left:4px solid {COLOURS[finding.severity]};padding-left:10px;margin-top:10px">'
        f"<b>{finding.severity}: {escape(finding.title)}</b>"
        + "".join(f"<div>{escape(line)}</div>" for line in lines if line)
        + f"{shown}</div>"
    )

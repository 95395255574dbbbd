"""What the doctor found, all together: to be read as text, JSON or a page, and to be applied to a config."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

from workbench.config import DataConfig
from workbench.data.counting import named, plural, short
from workbench.data.doctor.findings import SEVERITIES, Finding, Illustration, Mend
from workbench.data.doctor.mending import mended, write_mends
from workbench.data.doctor.summary import Summary
from workbench.data.source import TOLERATED

HOPELESS = {"not_finite", "nothing_marked", "one_class", "only_ignored", "refused_masks"}
"""Findings that leave nothing to train on, or nan, even if they are the only ones."""
WIDTH = 100
INDENT = 9


@dataclass(frozen=True)
class Report:
    """The findings, the gravest first, and the numbers."""

    config: DataConfig
    """What was examined."""
    findings: tuple[Finding, ...]
    summary: Summary
    gallery: tuple[Illustration, ...] = ()

    @property
    def mends(self) -> tuple[Finding, ...]:
        """The findings that a change of the config mends."""
        return tuple(finding for finding in self.findings if finding.mend)

    @property
    def refusal(self) -> str:
        """Why training could only give nan or nothing; empty where it could give more."""
        before, after = self._reason(self.findings), self.refusal_after_mends
        if before == after:
            return before
        return f"{before} --fix mends {'some of it' if after else 'it'}."

    @property
    def refusal_after_mends(self) -> str:
        """The same once the mends are in the config."""
        return self._reason(tuple(finding for finding in self.findings if not finding.mend))

    def _reason(self, findings: Sequence[Finding]) -> str:
        for finding in findings:
            if finding.code in HOPELESS:
                return f"{finding.title} {finding.explanation}"
        unusable = {name for finding in findings if finding.severity == "error" for name in finding.files}
        if len(unusable) <= TOLERATED * self.summary.pictures:
            return ""
        return (
            f"{len(unusable):,} of {plural(self.summary.pictures, 'picture')} cannot be used as they are, and training "
            "does not begin where it is more than one in twenty."
        )

    def mended(self, config: DataConfig) -> DataConfig:
        """The config with all mends, but for the files that they name."""
        return mended(config, self._mends)

    def write_mends(self, config: DataConfig, beside: Path) -> DataConfig:
        """The mended config, with the files that it names written beside a file (NAME.groups.json, ...)."""
        return write_mends(config, self._mends, beside)

    @property
    def _mends(self) -> list[Mend]:
        return [finding.mend for finding in self.findings if finding.mend]

    def as_text(self) -> str:
        """For a terminal."""
        parts = [self.headline]
        for severity in SEVERITIES:
            parts += [_finding_text(finding) for finding in self.findings if finding.severity == severity]
        sentences = dict.fromkeys(finding.mend.sentence for finding in self.mends if finding.mend)
        if sentences:
            parts.append("\n".join(["What --fix would write:", *(_hanging("  - ", text) for text in sentences)]))
        lines = self.summary.lines()
        width = max(len(title) for title, _ in lines)
        parts.append("\n".join(_hanging(f"{title:{width}}  ", text) for title, text in lines))
        return "\n\n".join(parts)

    @property
    def headline(self) -> str:
        """How many findings there are of each severity."""
        counts = Counter(finding.severity for finding in self.findings)
        told = named(plural(counts[severity], severity) for severity in SEVERITIES if counts[severity])
        return f"{self.config.path}: {told or 'nothing to find fault with'}."

    def as_json(self) -> str:
        """For programs; without the pictures."""
        return json.dumps(
            {
                "path": self.config.path,
                "refusal": self.refusal,
                "findings": [_finding_json(finding) for finding in self.findings],
                "summary": asdict(self.summary),
            },
            indent=1,
        )


def _hanging(start: str, text: str) -> str:
    lines = wrap(text, WIDTH - len(start)) or [""]
    return start + ("\n" + " " * len(start)).join(lines)


def _finding_text(finding: Finding) -> str:
    start = f"{finding.severity:{INDENT}}"
    if finding.severity == "note":
        return _hanging(start, " ".join(filter(None, (finding.title, finding.explanation, finding.advice))))
    details = [finding.explanation]
    if finding.files:
        details.append(f"Which: {named(map(short, finding.files))}.")
    if finding.mend:
        details.append("Mend: --fix does it, see below." + (f" Or: {finding.advice}" if finding.advice else ""))
    elif finding.advice:
        details.append(f"Mend: {finding.advice}")
    return "\n".join([_hanging(start, finding.title), *(_hanging(" " * INDENT, detail) for detail in details)])


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "title": finding.title,
        "explanation": finding.explanation,
        "advice": finding.advice,
        "count": finding.count,
        "files": list(finding.files),
        "groups": [list(group) for group in finding.groups],
        "mend": asdict(finding.mend) if finding.mend else None,
    }


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The gravest first; otherwise as they were made."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))

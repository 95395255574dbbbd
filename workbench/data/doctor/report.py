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
from workbench.data.doctor.findings import SEVERITIES, Finding, Illustration, listed, plural
from workbench.data.doctor.summary import Summary
from workbench.data.splits import Splits, write_groups, write_splits

WIDTH = 100
INDENT = 9
LONG = 24
"""Longer names are cut in text; JSON and the page have all of them."""


@dataclass(frozen=True)
class Report:
    """The findings, the gravest first, and the numbers."""

    config: DataConfig
    """What was examined."""
    findings: tuple[Finding, ...]
    summary: Summary
    refusal: str
    """Why training could not give anything; empty where it could."""
    gallery: tuple[Illustration, ...] = ()

    @property
    def mends(self) -> tuple[Finding, ...]:
        """The findings that a change of the config mends."""
        return tuple(finding for finding in self.findings if finding.mend)

    def mended(self, config: DataConfig, groups: str | None = None, splits: str | None = None) -> DataConfig:
        """The config with all mends; group and split files, if they were written, by their paths."""
        changes: dict[str, Any] = {}
        for finding in self.mends:
            assert finding.mend
            for knob, value in finding.mend.changes.items():
                changes[knob] = _merged(changes.get(knob), value)
        if "preprocessing" in changes:
            changes["preprocessing"] = config.preprocessing.model_dump() | changes["preprocessing"]
        if groups:
            changes["group_file"] = groups
        if splits:
            changes["split_file"] = splits
        return DataConfig(**(config.model_dump() | changes))

    def write_mends(self, config: DataConfig, beside: Path) -> DataConfig:
        """The mended config, with the files that it names written beside a file (NAME.groups.json, ...)."""
        groups, splits = self._of_mends("groups"), self._of_mends("splits")
        groups_file, splits_file = (beside.with_name(f"{beside.stem}.{what}.json") for what in ("groups", "splits"))
        if groups:
            write_groups(groups_file, groups)
        if splits:
            members = {split: [name for name, its in splits.items() if its == split] for split in Splits._fields}
            write_splits(splits_file, Splits(**{split: tuple(names) for split, names in members.items()}))
        return self.mended(config, str(groups_file) if groups else None, str(splits_file) if splits else None)

    def _of_mends(self, what: str) -> dict[str, str]:
        merged: dict[str, str] = {}
        for finding in self.mends:
            merged |= getattr(finding.mend, what)
        return merged

    def as_text(self) -> str:
        """For a terminal."""
        parts = [self.headline]
        for severity in SEVERITIES:
            parts += [_finding_text(finding) for finding in self.findings if finding.severity == severity]
        lines = self.summary.lines()
        width = max(len(title) for title, _ in lines)
        parts.append("\n".join(_hanging(f"{title:{width}}  ", text) for title, text in lines))
        return "\n\n".join(parts)

    @property
    def headline(self) -> str:
        """How many findings there are of each severity."""
        counts = Counter(finding.severity for finding in self.findings)
        told = listed(plural(counts[severity], severity) for severity in SEVERITIES if counts[severity])
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


def _merged(before: Any, after: Any) -> Any:
    return before | after if isinstance(before, dict) and isinstance(after, dict) else after


def _hanging(start: str, text: str) -> str:
    lines = wrap(text, WIDTH - len(start)) or [""]
    return start + ("\n" + " " * len(start)).join(lines)


def _finding_text(finding: Finding) -> str:
    start = f"{finding.severity:{INDENT}}"
    if finding.severity == "note":
        return _hanging(start, f"{finding.title} {finding.explanation}".rstrip())
    details = [finding.explanation]
    if finding.files:
        details.append(f"Which: {listed(map(_short, finding.files))}.")
    if finding.advice:
        details.append(f"By hand: {finding.advice}")
    if finding.mend:
        details.append(f"--fix: {finding.mend.sentence}")
    return "\n".join([_hanging(start, finding.title), *(_hanging(" " * INDENT, detail) for detail in details)])


def _short(name: str) -> str:
    return name if len(name) <= LONG else f"{name[: LONG - 1]}…"


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

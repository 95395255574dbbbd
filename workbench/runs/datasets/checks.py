"""What the doctor found in a data set: told to a view, and kept in a file, so that it outlives the app."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench.page import address_of
from workbench.runs.datasets.legend import spread_told
from workbench.runs.files import full_disk_told, read_json, write_json
from workbench.task import Task

if TYPE_CHECKING:
    from workbench.data.doctor import Finding, Illustration, Mend, Report, Summary

Json = dict[str, Any]

MOST_FILES = 200
"""Names that are told beside a finding."""


class Contents(NamedTuple):
    """What a folder holds, as far as a quick look tells."""

    entries: int
    newest: int
    """When the latest change of a file or folder was, in nanoseconds since 1970."""


def contents_of(path: str) -> Contents:
    """Of all files and folders below; of what needs no folder it is always the same."""
    times = [os.stat(path).st_mtime_ns] if os.path.isdir(path) else []
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            with suppress(FileNotFoundError):  # deleted just now
                times.append(os.lstat(os.path.join(folder, name)).st_mtime_ns)
    return Contents(len(times), max(times, default=0))


def keep_check(file: Path, report: Report, contents: Contents) -> None:
    """Keep a report of what a folder held."""
    mends = [finding.mend and asdict(finding.mend) for finding in report.findings]
    told = {"checked": time.time(), **report_told(report)}
    with full_disk_told(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"contents": contents, "told": told, "mends": mends})


def kept_check(file: Path, path: str) -> Json:
    """For a view: what was kept, when it was `checked`, and whether the folder has `changed` since; or nothing."""
    kept = read_json(file)
    return kept["told"] | {"changed": tuple(kept["contents"]) != contents_of(path)} if kept else {}


def kept_mends(file: Path) -> list[Mend | None] | None:
    """The mend of each finding that was kept, where there is one; None where nothing was kept."""
    from workbench.data.doctor import Mend

    kept = read_json(file)
    return [mend and Mend.from_json(mend) for mend in kept["mends"]] if kept else None


def report_told(report: Report) -> Json:
    """A report for a view."""
    training = ""
    if report.refusal_after_mends:
        training = f"Training could not begin with it. {report.refusal_after_mends}"
    elif report.refusal:
        training = "Training could not begin with it as it is; the mends below make it possible."
    return {
        "headline": report.headline,
        "refusal": training,
        "findings": [_finding_told(finding) for finding in report.findings],
        "summary": report.summary.lines(),
        "spread": _spread_told(report.summary),
        "gallery": [_illustration_told(each) for each in report.gallery],
    }


def _spread_told(summary: Summary) -> Json | None:
    if summary.spread is None:
        return None
    task = Task.model_validate({"mode": summary.mode, "classes": tuple(share.name for share in summary.classes)})
    return spread_told(task, summary.spread)


def _finding_told(finding: Finding) -> Json:
    together = [", ".join(group) for group in finding.groups] or list(finding.files)
    return {
        **{what: getattr(finding, what) for what in ("code", "severity", "title", "explanation", "advice", "count")},
        "mend": finding.mend.sentence if finding.mend else "",
        "files": together[:MOST_FILES],
        "more": max(0, len(together) - MOST_FILES),
        "illustrations": [_illustration_told(each) for each in finding.illustrations],
    }


def _illustration_told(illustration: Illustration) -> Json:
    return {"caption": illustration.caption, "pictures": [address_of(picture) for picture in illustration.pictures]}

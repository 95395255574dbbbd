"""Runs: folders that a training fills and everybody else reads."""

from workbench.runs.records import Record, current
from workbench.runs.run import Run, find_run, list_runs
from workbench.runs.status import Status

__all__ = ["Record", "Run", "Status", "current", "find_run", "list_runs"]

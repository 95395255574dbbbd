"""What the app may reach. Whatever a page names is looked up here, so that no path of a browser is ever opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.errors import UserError
from workbench.runs.datasets.known import Datasets
from workbench.runs.run import Run, list_runs


@dataclass(frozen=True)
class Settings:
    """The folders of one app."""

    runs: Path = Path("runs")
    """The folder of all runs; prepared data lies there too."""
    data_roots: tuple[Path, ...] = ()
    """The folders in and below which data may be named."""

    @property
    def datasets(self) -> Datasets:
        """The data sets that may be named."""
        return Datasets(self.runs, self.data_roots)

    def run(self, name: object) -> Run:
        """The run of this name among those that are listed, and no other folder."""
        known = {run.name: run for run in list_runs(self.runs)}
        if not isinstance(name, str) or name not in known:
            raise UserError(f"There is no run {name!r} here (any more): choose another one.")
        return known[name]

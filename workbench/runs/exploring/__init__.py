"""Looking at pictures with the models of runs: what the app's explorer and the notebooks' widget ask."""

from workbench.runs.exploring.explorer import Explorer

__all__ = ["Explorer"]

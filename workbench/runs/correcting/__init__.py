"""Correcting labels with the help of a model, and training on from it: what the app's Correct tab asks."""

from workbench.runs.correcting.desk import Correcting

__all__ = ["Correcting"]

"""From a model and data sets to Progress, step by step."""

from workbench.training.loop import Trainer
from workbench.training.progress import Progress

__all__ = ["Progress", "Trainer"]

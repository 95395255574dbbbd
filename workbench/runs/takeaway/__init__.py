"""What is taken away from a run: a model for elsewhere, how fast it is here, pictures predicted, all of its files."""

from workbench.runs.takeaway.desk import Takeaway

__all__ = ["Takeaway"]

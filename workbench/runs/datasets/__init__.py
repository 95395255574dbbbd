"""The data sets of an app: which there are, what was decided about each, and the work that is done on them."""

from workbench.runs.datasets.desk import Desk
from workbench.runs.datasets.known import Datasets

__all__ = ["Datasets", "Desk"]

"""Live views for notebooks. Each carries a still of itself, for where no widgets are: on GitHub, in print."""

from workbench.widgets.browse import browse, browse_augmentations
from workbench.widgets.curves import Curves, curves
from workbench.widgets.findings import Findings
from workbench.widgets.knob_form import KnobForm
from workbench.widgets.still import Still, pictures, show
from workbench.widgets.view import LiveView
from workbench.widgets.views import devices, explorer, previews, progress

__all__ = [
    "Curves",
    "Findings",
    "KnobForm",
    "LiveView",
    "Still",
    "browse",
    "browse_augmentations",
    "curves",
    "devices",
    "explorer",
    "pictures",
    "previews",
    "progress",
    "show",
]

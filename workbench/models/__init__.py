"""Networks: an image in, a ModelOutput out. They know nothing of data or training."""

from workbench.models.adapter import adapt
from workbench.models.base import ModelSpec, SegmentationModel
from workbench.models.facts import ModelFacts, count_multiply_adds, count_parameters, describe_models
from workbench.models.gates import changed_gates
from workbench.models.inference_form import optimize_for_inference, set_phase_form
from workbench.models.output import ModelOutput
from workbench.models.table import ARCHITECTURES, Architecture, create_model
from workbench.models.weights import ModelCard, import_weights, load_model, model_from_config, read_card, save_model

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "ModelCard",
    "ModelFacts",
    "ModelOutput",
    "ModelSpec",
    "SegmentationModel",
    "adapt",
    "changed_gates",
    "count_multiply_adds",
    "count_parameters",
    "create_model",
    "describe_models",
    "import_weights",
    "load_model",
    "model_from_config",
    "optimize_for_inference",
    "read_card",
    "save_model",
    "set_phase_form",
]

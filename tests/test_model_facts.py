"""The table against figures that are known from elsewhere."""

import pytest
import torch

from workbench.models import ARCHITECTURES, count_multiply_adds, count_parameters, create_model, describe_models

KNOWN = {
    "unet": (34.527, 65.35),
    "attention_unet": (34.879, 66.43),
    "r2unet": (39.091, 152.5),
    "r2_attention_unet": (39.443, 153.6),
    "bilinear_unet": (7.853, 13.95),
    "unetpp": (9.163, 34.49),
    "smp_unet": (24.436, 7.81),
}


def test_parameters_and_multiply_adds_of_the_originals():
    """Millions and thousand millions at 256 x 256, measured on the original code."""
    for facts in describe_models(256, list(KNOWN)):
        parameters, multiply_adds = KNOWN[facts.name]
        assert facts.parameters / 1e6 == pytest.approx(parameters, abs=1e-3)
        assert facts.multiply_adds / 1e9 == pytest.approx(multiply_adds, rel=1e-3)


def test_every_row_of_the_table_is_described():
    rows = describe_models(64)
    assert [row.name for row in rows] == list(ARCHITECTURES)
    gates = {row.name: row.attention_gates for row in rows}
    assert gates["attention_unet"] == gates["r2_attention_unet"] == 4
    assert gates["unet"] == 0
    assert all(row.summary and row.source and row.multiply_adds for row in rows)


def test_smps_architectures_are_all_there():
    import segmentation_models_pytorch as library

    ours = {name.removeprefix("smp_") for name in ARCHITECTURES if name.startswith("smp_")}
    assert ours == set(library.MODEL_ARCHITECTURES_MAPPING)


def test_counting_leaves_the_model_as_it_was():
    model = create_model("attention_unet", width=4).train()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    assert count_multiply_adds(model, 32, 48) > count_parameters(model)
    assert model.training
    assert all(stage.upsampling.phase_form is None for stage in model.trunk.decoder)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())

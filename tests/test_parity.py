"""Our networks against what the original code computes, with the weights going through the importer.

tests/data/parity.npz holds the originals' outputs for weights made by a formula from the name of each key.
"""

import copy
import json
import zlib
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.models import load_model, set_phase_form
from workbench.models.weights import import_weights

DATA = Path(__file__).parent / "data"
EXPECTED = np.load(DATA / "parity.npz")
KEYS = json.loads((DATA / "parity_keys.json").read_text())
GATES = {"Att5": "stride_8", "Att4": "stride_4", "Att3": "stride_2", "Att2": "stride_1"}


def formula(key: str, shape: list[int]) -> torch.Tensor:
    rng = np.random.default_rng(zlib.crc32(("parity/" + key).encode()))
    if key.endswith("num_batches_tracked"):
        return torch.ones(shape, dtype=torch.int64)
    if key.endswith("running_var"):
        values = 0.5 + rng.random(shape)
    elif key.endswith(("running_mean", "bias")):
        values = 0.1 * rng.standard_normal(shape)
    elif len(shape) == 4:
        values = rng.standard_normal(shape) * sqrt(2 / (shape[1] * shape[2] * shape[3]))
    else:
        values = 0.5 + rng.random(shape)
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def picture() -> torch.Tensor:
    rng = np.random.default_rng(zlib.crc32(b"parity/input"))
    return torch.from_numpy(rng.standard_normal((2, 3, 64, 64)).astype(np.float32))


@pytest.fixture(scope="module", params=list(KEYS))
def imported(request, tmp_path_factory):
    """A parity model's name, and our model with its weights."""
    name = request.param
    folder = tmp_path_factory.mktemp("parity")
    checkpoint = folder / "checkpoint.pth"
    torch.save({key: formula(key, shape) for key, shape in KEYS[name].items()}, checkpoint)
    import_weights(checkpoint, folder / "model.safetensors", recurrent_steps=2 if name.startswith("R2") else None)
    checkpoint.unlink()
    return name, load_model(folder / "model.safetensors")


def outputs(name: str, model) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """In the originals' order: deep supervision shallowest first, the FCN's main head before the auxiliary one."""
    output = model.core(picture())
    if name == "NestedUNet_deep_supervision":
        return [*output.auxiliary, output.logits], output.attention
    return [output.logits, *output.auxiliary], output.attention


def assert_near(ours: torch.Tensor, expected: np.ndarray, relative: float = 1e-4) -> None:
    assert tuple(ours.shape) == expected.shape
    difference = np.abs(ours.detach().numpy() - expected).max()
    assert difference <= relative * np.abs(expected).max()


def expected_outputs(name: str, mode: str) -> list[np.ndarray]:
    keys = sorted(key for key in EXPECTED if key.startswith(f"{name}/{mode}/"))
    assert keys
    return [EXPECTED[key] for key in keys]


def assert_all_near(ours: list[torch.Tensor], expected: list[np.ndarray]) -> None:
    assert len(ours) == len(expected)
    for our, their in zip(ours, expected, strict=True):
        assert_near(our, their)


def assert_gate_near(model, stride: str, ours: np.ndarray, expected: np.ndarray) -> None:
    """Equal on two threads, as the originals ran. Otherwise a pixel does not count where exact arithmetic is no nearer
    to the original: the formula's weights make one of R2AttU_Net's so steep that float64 lands 0.05 away."""
    apart = np.abs(ours - expected) > 1e-4
    if apart.any():
        with torch.no_grad():
            exact = copy.deepcopy(model).double().core(picture().double()).attention[stride].numpy()
        steep = np.abs(exact - expected) > 1e-4
        assert steep.sum() <= 1
        assert not (apart & ~steep).any()


def test_evaluation_and_gates(imported):
    name, model = imported
    set_phase_form(model.eval(), False)
    with torch.no_grad():
        ours, gates = outputs(name, model)
    assert_all_near(ours, expected_outputs(name, "eval"))
    for original, stride in GATES.items():
        if f"{name}/gate/{original}" in EXPECTED:
            assert_gate_near(model, stride, gates[stride].numpy(), EXPECTED[f"{name}/gate/{original}"])
    assert len(gates) == (4 if name in ("AttU_Net", "R2AttU_Net") else 0)


def test_the_phase_form_gives_the_same_outputs(imported):
    """Outputs only: the formula's weights make R2AttU_Net's gates so steep that float64 itself is 0.05 away."""
    name, model = imported
    set_phase_form(model.eval(), True)
    with torch.no_grad():
        ours, _ = outputs(name, model)
    assert_all_near(ours, expected_outputs(name, "eval"))


def test_training_mode_and_gradient_norm(imported):
    """Last, because it moves the running statistics."""
    name, model = imported
    set_phase_form(model.train(), None)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.0
    ours, _ = outputs(name, model)
    assert_all_near(ours, expected_outputs(name, "train"))
    sum((output**2).mean() for output in ours).backward()
    norm = torch.sqrt(sum((p.grad.double() ** 2).sum() for p in model.parameters()))
    assert float(norm) == pytest.approx(EXPECTED[f"{name}/gradnorm"].item(), rel=1e-3)


def test_the_list_of_eight_is_whole():
    assert len(KEYS) == 8
    assert {key.split("/")[0] for key in EXPECTED} == set(KEYS)

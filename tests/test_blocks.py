"""The parts against their definitions."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from workbench.models.attention_gate import AttentionGate
from workbench.models.blocks import RecurrentUnit, UpConvolution, phase_weight
from workbench.models.inference_form import set_phase_form


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4), (7, 7)])
def test_the_phase_form_is_equal_with_borders_and_odd_sizes(size):
    torch.manual_seed(0)
    x, weight, bias = torch.randn(2, 3, *size), torch.randn(4, 3, 3, 3), torch.randn(4)
    expected = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, bias, padding=1)
    ours = F.conv_transpose2d(x, phase_weight(weight), bias, stride=2, padding=1)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_the_phase_form_has_the_same_gradients():
    torch.manual_seed(0)
    plain = UpConvolution(6, 4).train()
    phased = copy.deepcopy(plain)
    phased.phase_form = True
    x = torch.randn(2, 6, 5, 7)
    for layer in (plain, phased):
        layer.input = x.clone().requires_grad_()
        (layer(layer.input) ** 2).sum().backward()
    torch.testing.assert_close(phased.input.grad, plain.input.grad, rtol=1e-4, atol=1e-4)
    for (name, ours), expected in zip(phased.named_parameters(), plain.parameters(), strict=True):
        scale = max(1.0, expected.grad.abs().max().item())
        assert (ours.grad - expected.grad).abs().max() <= 1e-4 * scale, name


@pytest.fixture
def transposed(monkeypatch):
    """A list that grows with each transposed convolution."""
    calls, original = [], F.conv_transpose2d
    monkeypatch.setattr(F, "conv_transpose2d", lambda *a, **k: calls.append(1) or original(*a, **k))
    return calls


@pytest.mark.parametrize(("side", "device", "phased"), [(4, "cpu", True), (1, "cpu", False), (4, "meta", False)])
def test_training_takes_the_phase_form_on_cpus_where_pixels_are_many(transposed, side, device, phased):
    layer = UpConvolution(3, 2).to(device).train()
    layer(torch.randn(2, 3, side, side, device=device))
    assert bool(transposed) == phased


def test_the_phase_form_is_on_in_evaluation_unless_chosen(transposed):
    layer, calls = UpConvolution(3, 2), transposed
    x = torch.randn(2, 3, 1, 1)
    expected = {}
    for training in (True, False):
        for choice in (None, True, False):
            set_phase_form(layer.train(training), choice)
            calls.clear()
            layer(x)
            expected[training, choice] = bool(calls)
    assert expected == {
        (True, None): False,
        (True, True): True,
        (True, False): False,
        (False, None): True,
        (False, True): True,
        (False, False): False,
    }


def test_the_forms_share_their_parameters():
    layer = UpConvolution(3, 2)
    plain = set(layer.state_dict())
    set_phase_form(layer, True)
    assert set(layer.state_dict()) == plain


def test_the_gate_is_the_papers_formula():
    torch.manual_seed(0)
    gate = AttentionGate(skip_channels=6, gating_channels=4, inner_channels=3).eval()
    skip, gating = torch.randn(2, 6, 5, 5), torch.randn(2, 4, 5, 5)
    gated, attention = gate(skip, gating)

    def conv_and_norm(layers: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
        conv, norm = layers
        y = torch.einsum("nchw,oc->nohw", x, conv.weight[..., 0, 0]) + conv.bias[:, None, None]
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return (y - norm.running_mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]

    agreement = (conv_and_norm(gate.from_gating, gating) + conv_and_norm(gate.from_skip, skip)).clamp(min=0)
    expected = 1 / (1 + torch.exp(-conv_and_norm(gate.score, agreement)))
    torch.testing.assert_close(attention, expected)
    torch.testing.assert_close(gated, skip * expected)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_recurrent_unit_runs_once_more_than_its_steps(steps):
    unit, calls = RecurrentUnit(2, steps), []
    unit.unit.register_forward_hook(lambda *_: calls.append(1))
    unit(torch.randn(2, 2, 4, 4))
    assert len(calls) == steps + 1

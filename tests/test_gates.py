"""Changing gates: what comes out, and that nothing stays behind."""

import pytest
import torch
from networks import lively, small

from workbench.errors import UserError
from workbench.models import changed_gates

GATED = {
    "attention_unet": {},
    "r2_attention_unet": {},
    "smp_unet": {"decoder_attention_type": "scse"},
    "smp_unetplusplus": {"decoder_attention_type": "scse"},
}


def picture() -> torch.Tensor:
    return torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def hooks(model) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


@pytest.mark.parametrize("name", GATED)
def test_a_changed_gate_is_used_and_returned_and_forgotten(name):
    model = lively(name, **GATED[name])
    before = hooks(model)
    with torch.no_grad():
        plain = model(picture())
        assert set(plain.attention) <= set(model.gates())  # smp's last stage has a module that it never asks
        for gate in plain.attention:
            with changed_gates(model, {gate: torch.ones_like}):
                changed = model(picture())
            assert changed.attention[gate].eq(1).all()
            assert not torch.equal(changed.logits, plain.logits)
        again = model(picture())
    assert torch.equal(again.logits, plain.logits)
    assert hooks(model) == before


def test_a_change_into_the_same_changes_nothing():
    model = small("attention_unet").eval()
    with torch.no_grad(), changed_gates(model, dict.fromkeys(model.gates(), torch.clone)):
        changed = model(picture())
    with torch.no_grad():
        assert torch.equal(changed.logits, model(picture()).logits)


def test_nothing_stays_after_an_error():
    model = small("attention_unet").eval()

    def broken(attention):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"), changed_gates(model, {"stride_1": broken}):
        model(picture())
    wrong = changed_gates(model, {"stride_8": torch.clone, "stride_3": torch.clone})
    with pytest.raises(UserError, match=r"Unknown gate 'stride_3'. Choose one of: stride_1, stride_2"), wrong:
        pass
    assert hooks(model) == 0


def test_a_model_without_gates_says_so():
    with pytest.raises(UserError, match="has no attention gates"), changed_gates(small("unet"), {"stride_1": abs}):
        pass

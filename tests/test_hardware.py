"""Precision, layout, memory and algorithms: what they change, and what they must not."""

import shutil

import pytest
import torch
from small_training import Discs, SmallNet, trainer, weights
from torch import nn

from workbench.config import HardwareConfig
from workbench.errors import UserError
from workbench.models import create_model
from workbench.training.activations import checkpointed
from workbench.training.batch_finder import saved_bytes
from workbench.training.hardware import Hardware


def losses_and_model(model=None, **knobs):
    training = trainer(model, **knobs)
    return [p.losses["loss"] for p in training if p.split == "train"], training


def small_unet(name="unet"):
    torch.manual_seed(0)
    return create_model(name, in_channels=3, classes=1, width=4, depth=3)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_follows_full_precision(precision):
    torch.manual_seed(0)
    full, _ = losses_and_model(SmallNet(dropout=0.0))
    torch.manual_seed(0)
    half, training = losses_and_model(SmallNet(dropout=0.0), precision=precision)
    assert half == pytest.approx(full, rel=0.02)
    assert half != full
    assert all(parameter.dtype == torch.float32 for parameter in training.evaluated_model.parameters())


def test_the_model_calculates_in_the_precision_that_was_asked_for():
    seen = []

    class Spy(SmallNet):
        def forward(self, image):
            output = super().forward(image)
            seen.append(output.logits.dtype)
            return output

    for precision, dtype in [("float32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]:
        seen.clear()
        list(trainer(Spy(), epochs=1, precision=precision))
        assert set(seen) == {dtype}


def test_a_dynamic_loss_scale_falls_at_an_overflow_and_skips_the_step():
    training = trainer(epochs=1, precision="fp16")
    scaler = training.hardware.scaler
    scaler.load_state_dict({**scaler.state_dict(), "scale": 2.0**60})
    before = weights(training.evaluated_model.head)
    next(iter(training))
    assert torch.equal(weights(training.evaluated_model.head), before)
    assert scaler.get_scale() == 2.0**59


def test_a_fixed_loss_scale_stays():
    training = trainer(epochs=1, precision="fp16", loss_scale="1024")
    list(training)
    assert training.hardware.scaler.get_scale() == 1024


def test_channels_last_is_another_layout_of_the_same():
    plain, training = losses_and_model(small_unet(), channels_last=False)
    other, other_training = losses_and_model(small_unet(), channels_last=True)
    assert plain == pytest.approx(other, rel=1e-4)
    first = next(m for m in training.evaluated_model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3))
    assert first.weight.is_contiguous()
    weight = other_training.evaluated_model.get_parameter(
        next(name for name, p in training.evaluated_model.named_parameters() if p is first.weight)
    )
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["attention_unet", "r2_attention_unet", "unetpp", "unet_fcn"])
def test_activation_checkpointing_learns_the_same_in_less_memory(name):
    plain, training = losses_and_model(small_unet(name))
    less, other = losses_and_model(small_unet(name), activation_checkpointing=True)
    assert less == pytest.approx(plain, rel=1e-5)
    torch.testing.assert_close(weights(other.evaluated_model), weights(training.evaluated_model), rtol=1e-4, atol=1e-4)
    model, image = small_unet(name), torch.rand(2, 3, 32, 32)
    plain_bytes = saved_bytes(lambda: model(image).logits.sum().backward())
    with checkpointed(model):
        assert saved_bytes(lambda: model(image).logits.sum()) < 0.6 * plain_bytes
    assert saved_bytes(lambda: model(image).logits.sum().backward()) == plain_bytes
    assert not any("forward" in vars(module) for module in model.modules())


def test_deterministic_holds_as_long_as_the_training_runs():
    training = trainer(epochs=1, deterministic=True)
    steps = iter(training)
    next(steps)
    assert torch.are_deterministic_algorithms_enabled()
    steps.close()
    assert not torch.are_deterministic_algorithms_enabled()


def test_devices():
    assert Hardware(HardwareConfig(devices="cpu")).device == torch.device("cpu")
    with pytest.raises(UserError, match="a process for each device"):
        Hardware(HardwareConfig(devices="0,1"))
    many = torch.accelerator.device_count()
    with pytest.raises(UserError, match=f"devices = cuda:{many}, but torch sees"):
        Hardware(HardwareConfig(devices=f"cuda:{many}"))


def test_compile_without_a_compiler_is_one_sentence(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="needs a C\\+\\+ compiler"):
        trainer(compile=True)


def test_compile_and_checkpointing_do_not_go_together():
    with pytest.raises(UserError, match="decides by itself"):
        trainer(compile=True, activation_checkpointing=True)


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="needs a C++ compiler")
def test_a_compiled_model_learns_the_same():
    torch.manual_seed(0)
    plain, _ = losses_and_model(SmallNet(dropout=0.0), train=Discs(8))
    torch.manual_seed(0)
    compiled, training = losses_and_model(SmallNet(dropout=0.0), train=Discs(8), compile=True)
    assert compiled == pytest.approx(plain, rel=1e-4)
    assert set(training.evaluated_model.state_dict()) == set(SmallNet().state_dict())

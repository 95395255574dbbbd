"""One contract that every network of the table passes."""

import math
import shutil

import pytest
import torch
from networks import LIBRARY, OWN, POOLED, small

from workbench.errors import UserError
from workbench.models import (
    ARCHITECTURES,
    ModelOutput,
    create_model,
    load_model,
    optimize_for_inference,
    save_model,
    set_phase_form,
)
from workbench.models.base import Core, pad

GATED = {"attention_unet": {}, "r2_attention_unet": {}, "smp_unet": {"decoder_attention_type": "scse"}}
every_network = pytest.mark.parametrize("name", ARCHITECTURES)


def picture(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_equal_within(ours: torch.Tensor, expected: torch.Tensor, relative: float = 1e-4) -> None:
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() <= relative * expected.abs().max()


@every_network
def test_trains_at_odd_sizes_with_any_channels_and_classes(name):
    torch.manual_seed(0)
    model = small(name, in_channels=5, classes=4).train()
    output = model(picture(2, 5, 75, 93))
    assert isinstance(output, ModelOutput)
    assert output.logits.shape == (2, 4, 75, 93)
    assert all(logits.shape == (2, 4, 75, 93) for logits in output.auxiliary)
    sum((logits**2).mean() for logits in (output.logits, *output.auxiliary)).backward()
    without = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    # smp's encoders keep stages that a shallower decoder never asks for
    assert not [key for key in without if not key.startswith("network.encoder.")]
    assert next(model.parameters()).grad is not None


@every_network
@pytest.mark.parametrize("size", [(1, 1), (33, 47)])
def test_one_picture_of_any_size_in_evaluation(name, size):
    with torch.no_grad():
        output = small(name).eval()(picture(1, 3, *size))
    assert output.logits.shape == (1, 2, *size)
    assert output.logits.isfinite().all()


@pytest.mark.parametrize("name", POOLED)
def test_a_batch_of_one_is_refused_in_a_sentence_where_it_cannot_train(name):
    with pytest.raises(UserError, match=r"cannot train on 1 picture of .* use a larger batch"):
        small(name).train()(picture(1, 3, 64, 64))


@pytest.mark.parametrize("name", OWN)
def test_a_single_pixel_cannot_train_either(name):
    with pytest.raises(UserError, match="cannot train on 1 picture"):
        small(name).train()(picture(1, 3, 16, 16))


@every_network
def test_bf16_autocast_stays_close(name):
    """Networks with random weights only tell that it runs and is no other function."""
    model = small(name).eval()
    image = picture(1, 3, 64, 64)
    with torch.no_grad():
        exact = model(image).logits
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = model(image)
    assert output.logits.isfinite().all()
    assert_equal_within(output.logits.float(), exact, relative=0.1)


@every_network
def test_channels_last_equals_contiguous(name):
    model = small(name).eval()
    image = picture(2, 3, 50, 70)
    with torch.no_grad():
        expected = model(image).logits
        model.to(memory_format=torch.channels_last)
        ours = model(image.contiguous(memory_format=torch.channels_last)).logits
    assert_equal_within(ours, expected)


@every_network
def test_saved_and_loaded_is_the_same(name, tmp_path):
    model = small(name, in_channels=4, classes=3).eval()
    image = picture(1, 4, 40, 56)
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors")
    assert again.spec == model.spec
    assert not again.training
    with torch.no_grad():
        assert torch.equal(again(image).logits, model(image).logits)


@every_network
def test_the_inference_form_is_equal(name):
    torch.manual_seed(1)
    model = small(name)
    shake_statistics(model)
    image = picture(2, 3, 50, 70)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    fast = optimize_for_inference(model)
    set_phase_form(model.eval(), False)
    with torch.no_grad():
        expected, ours = model(image), fast(image)
    assert_equal_within(ours.logits, expected.logits)
    assert ours.attention.keys() == expected.attention.keys()
    for gate in expected.attention:
        assert_equal_within(ours.attention[gate], expected.attention[gate])
    assert ours.auxiliary == ()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", [*OWN, *(pytest.param(name, marks=pytest.mark.slow) for name in LIBRARY)])
def test_the_core_exports_with_any_batch_and_size(name):
    """The rule for sizes is the model's size_multiple; a picture of another size and batch gives the same."""
    model = small(name).eval()
    least = math.ceil(model.smallest_size / model.size_multiple)
    multiple, height, width = model.size_multiple, max(3, least + 1), max(4, least + 2)
    batch, tall, wide = torch.export.Dim("batch"), *(torch.export.Dim(n, min=least, max=64) for n in ("tall", "wide"))
    exported = torch.export.export(
        Core(model),
        (picture(2, 3, multiple * height, multiple * width),),
        dynamic_shapes=({0: batch, 2: multiple * tall, 3: multiple * wide},),
    )
    image = picture(1, 3, multiple * (height + 2), multiple * height)
    with torch.no_grad():
        ours, expected = exported.module()(image), model.core(image)
    assert_equal_within(ours.logits, expected.logits)
    assert ours.attention.keys() == expected.attention.keys()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler on the CPU")
@pytest.mark.parametrize("name", ["unet", "attention_unet", "r2unet", "r2_attention_unet"])
def test_compiles(name):
    model = small(name).eval()
    image = picture(1, 3, 32, 48)
    with torch.no_grad():
        expected = model(image)
        ours = torch.compile(model)(image)
    assert_equal_within(ours.logits, expected.logits)
    assert ours.attention.keys() == expected.attention.keys()


@pytest.mark.parametrize("name", GATED)
def test_attention_is_a_map_in_0_to_1_at_the_documented_size(name):
    model = small(name, **GATED[name]).eval()
    with torch.no_grad():
        attention = model(picture(2, 3, 75, 93)).attention
    assert len(attention) == (9 if name == "smp_unet" else 4)
    for gate, values in attention.items():
        assert values.shape[:2] == (2, 1)
        assert values.min() >= 0
        assert values.max() <= 1
        if gate.startswith("stride_"):
            stride = int(gate.removeprefix("stride_"))
            assert values.shape[2:] == (math.ceil(75 / stride), math.ceil(93 / stride))


def test_gates_are_named_deepest_first():
    with torch.no_grad():
        attention = small("attention_unet").eval()(picture(1, 3, 32, 32)).attention
    assert list(attention) == ["stride_8", "stride_4", "stride_2", "stride_1"]


def test_a_gate_of_ones_makes_an_attention_unet_a_unet():
    """Opened gates let the skip through, so the rest of the network is a plain U-Net."""
    gated, plain = small("attention_unet").eval(), small("unet").eval()
    plain.load_state_dict({key: value for key, value in gated.state_dict().items() if ".gate." not in key})
    for stage in gated.trunk.decoder:
        score = stage.gate.score[1]
        torch.nn.init.zeros_(score.weight)
        torch.nn.init.constant_(score.bias, 50.0)
    image = picture(1, 3, 48, 48)
    with torch.no_grad():
        assert_equal_within(gated(image).logits, plain(image).logits)


@every_network
def test_every_knob_changes_something(name):
    """Another value of a knob gives other parameters, or in training another output for the same weights."""
    other = {
        "width": 6,
        "depth": 3 if name == "smp_dpt" else 4,
        "dropout": 0.5,
        "recurrent_steps": 3,
        "deep_supervision": True,
        "auxiliary_head": False,
        "encoder": "tu-vit_small_patch16_224" if name == "smp_dpt" else "resnet18",
    }
    changeable = [knob for knob in ARCHITECTURES[name].options if knob not in ("encoder_weights", "options")]
    assert {"width", "depth", "dropout"} <= set(changeable) or name in LIBRARY
    plain = small(name)
    for knob in changeable:
        changed = small(name, **{knob: other[knob]})
        assert shapes(changed) != shapes(plain) or not torch.equal(trained(changed, plain), trained(plain, plain)), knob


def shapes(model) -> dict:
    return {key: value.shape for key, value in model.state_dict().items()}


def trained(model, weights) -> torch.Tensor:
    model.load_state_dict(weights.state_dict())
    torch.manual_seed(0)
    with torch.no_grad():
        return model.train()(picture(2, 3, 64, 64)).logits


def shake_statistics(model) -> None:
    """Running statistics that are not those of a fresh network, so that folding them is no empty act."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            if module.affine:
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.uniform_(module.bias, -0.2, 0.2)


def test_dropout_is_off_in_evaluation():
    model = small("unet", dropout=0.9).eval()
    image = picture(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model(image).logits, model(image).logits)


def test_a_tiny_attention_unet_exists():
    tiny = create_model("attention_unet", width=8)
    assert sum(p.numel() for p in tiny.parameters()) < 600_000
    assert len(tiny(picture(2, 3, 32, 32)).attention) == 4


def test_padding_repeats_the_border_and_keeps_what_fits():
    image = picture(1, 1, 5, 8)
    padded = pad(image, 4)
    assert padded.shape == (1, 1, 8, 8)
    assert torch.equal(padded[..., 5:, :], image[..., 4:, :].expand(-1, -1, 3, -1))
    assert pad(image, 1) is image
    assert pad(image, 4, 16).shape == (1, 1, 16, 16)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "unett"}, "Unknown model 'unett'. Choose one of: attention_unet, bilinear_unet"),
        ({"name": "unet", "classes": 0}, "classes must be a whole number from 1 to 1024, not 0"),
        ({"name": "unet", "classes": 2.5}, "classes must be a whole number"),
        ({"name": "unet", "in_channels": True}, "in_channels must be a whole number"),
        ({"name": "unet", "width": 0}, "width must be a whole number"),
        ({"name": "unet", "depth": 1}, "depth must be a whole number from 2 to 8"),
        ({"name": "unet", "dropout": 1.0}, "dropout must be a number"),
        ({"name": "unet", "recurrent_steps": 2}, "Unknown option of unet 'recurrent_steps'. Choose one of: depth,"),
        ({"name": "unet_fcn", "depth": 2}, "An auxiliary head needs depth >= 3"),
        ({"name": "smp_unet", "encoder": "resnet19"}, "Unknown encoder 'resnet19'. Choose one of: .*resnet18.*tu-NAME"),
        ({"name": "smp_unet", "encoder": "tu-resnt18"}, "The nearest are: tu-resnet18"),
        ({"name": "smp_unet", "width": 8}, "Unknown option of smp_unet 'width'"),
        ({"name": "smp_unet", "decoder_atention_type": "scse"}, "Choose one of: decoder_attention_type"),
        ({"name": "smp_unet", "activation": "sigmoid"}, "Unknown option of smp_unet 'activation'"),
        ({"name": "smp_unet", "depth": 7}, "smp_unet refuses these options .*encoder_depth=7.*range"),
        ({"name": "smp_unetplusplus", "encoder": "mit_b0"}, "smp_unetplusplus refuses"),
        ({"name": "smp_unet", "encoder_weights": "nonsense"}, "smp_unet refuses .*imagenet"),
    ],
)
def test_mistakes_get_one_sentence_with_the_choices(arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        create_model(**arguments)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (torch.zeros(3, 32, 32), r"four dimensions .* not 3 \[3, 32, 32\]"),
        (torch.zeros(1, 1, 32, 32), "takes 3 channels, but the image has 1"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "floating-point numbers, not torch.uint8"),
    ],
)
def test_a_wrong_input_gets_one_sentence(image, sentence):
    with pytest.raises(UserError, match=sentence):
        small("unet")(image)

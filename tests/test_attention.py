"""Gate maps, what gates do, and whether their maps depend on the weights."""

from functools import cache

import numpy as np
import pytest
import torch
from networks import lively, small

from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.inference.attention import GateMap, attention_maps, shares
from workbench.inference.gate_effects import gate_effects
from workbench.inference.sanity import Likeness, rank_correlation, sanity_check, shuffled_weights, ssim, verdict
from workbench.models import ModelOutput, adapt
from workbench.task import IGNORE, Task

BINARY = Task()
THREE = Task(mode="multiclass", classes=("background", "disc", "ring"))
OWN_SIZE = Preprocessing(resize="none")


def picture(height: int = 50, width: int = 70) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


class OneGate(torch.nn.Module):
    """Its map is the red channel at half the resolution, its logit red minus green."""

    def forward(self, image):
        attention = torch.nn.functional.avg_pool2d(image[:, :1], 2).clamp(0, 1)
        return ModelOutput(image[:, :1] - image[:, 1:2], {"red": attention}, ())


def one_gate():
    model = adapt(OneGate(), size_multiple=4)
    model.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    return model


UNIT = Preprocessing(resize="none", mean=(0.0,), std=(1.0,))


def test_a_map_keeps_its_scale_place_and_own_resolution():
    red = picture(10, 14) * 0
    red[2:4, 4:8, 0] = 255
    red[6:8, 0:2, 0] = 51
    (gate,) = attention_maps(one_gate(), red, task=BINARY, preprocessing=UNIT).values()
    expected = np.zeros((5, 7))
    expected[1, 2:4], expected[3, 0] = 1, 0.2
    np.testing.assert_allclose(gate.raw, expected, atol=1e-6)
    assert gate.map.shape == (10, 14)
    assert gate.map[3, 6] == pytest.approx(0.75**2 + 0.75 * 0.25, abs=0.2)
    assert (gate.low, gate.high) == (0, 1)


def test_shares_of_the_mass_inside_the_predicted_and_the_true_mask():
    red = picture(8, 8) * 0
    red[:4, :, 0] = 255
    truth = np.zeros((8, 8), np.uint8)
    truth[:, :4] = 1
    (gate,) = attention_maps(one_gate(), red, truth=truth, task=BINARY, preprocessing=UNIT, threshold=0.6).values()
    assert gate.predicted["foreground"].area == 0.5
    assert gate.predicted["foreground"].mass > 0.85
    assert gate.true["foreground"] == pytest.approx((0.5, 0.5))
    assert list(gate.predicted) == ["foreground"]


def test_pixels_to_ignore_count_nowhere():
    truth = np.array([[1, 0], [IGNORE, 0]], np.uint8)
    assert shares(np.array([[0.5, 0.25], [1.0, 0.25]]), truth, BINARY)["foreground"] == (0.5, pytest.approx(1 / 3))
    classes = shares(np.ones((1, 4)), np.array([[0, 1, 2, 2]], np.uint8), THREE)
    assert {name: share.mass for name, share in classes.items()} == {"background": 0.25, "disc": 0.25, "ring": 0.5}


@pytest.mark.parametrize(
    ("raw", "entropy"),
    [(np.full((4, 4), 0.3), 1), (np.eye(4)[:1] / 2, 0), (np.zeros((3, 3)), 0), ([[1.0, 1, 0, 0]], 0.5)],
)
def test_entropy_tells_even_from_peaked(raw, entropy):
    assert GateMap("gate", np.asarray(raw), np.asarray(raw), {}, {}).entropy == pytest.approx(entropy)


@cache
def three_classes(name, **options):
    return lively(name, classes=3, **options)


@pytest.mark.parametrize("resize", ["none", "stretch", "letterbox", "shorter_side", "width"])
@pytest.mark.parametrize(
    ("name", "options"), [("attention_unet", {}), ("smp_unet", {"decoder_attention_type": "scse"})]
)
def test_maps_have_the_picture_s_size_under_every_rule(name, options, resize):
    model = three_classes(name, **options)
    rule = Preprocessing(resize=resize, size=(48, 64), multiple=16)
    maps = attention_maps(model, picture(53, 37), task=THREE, preprocessing=rule)
    assert maps.keys() <= model.gates().keys()
    assert maps
    for gate in maps.values():
        assert gate.map.shape == (53, 37)
        assert gate.map.dtype == gate.raw.dtype == np.float32
        assert 0 <= gate.low < gate.high <= 1
        assert gate.low - 1e-6 <= gate.map.min() <= gate.map.max() <= gate.high + 1e-6
        assert sum(share.area for share in gate.predicted.values()) == pytest.approx(1)
        assert 0 < gate.entropy <= 1


def test_models_without_gates_have_no_maps_and_keep_their_mode():
    model = small("unet", classes=1).train()
    model.head.eval()
    assert attention_maps(model, picture(), task=BINARY, preprocessing=OWN_SIZE) == {}
    assert model.training
    assert not model.head.training


def test_mistakes_are_sentences():
    model = small("attention_unet", classes=1)
    with pytest.raises(UserError, match="Nothing was saved with the weights"):
        attention_maps(model, picture())
    with pytest.raises(UserError, match=r"The true mask has the shape \[3, 3\]"):
        attention_maps(model, picture(), truth=np.zeros((3, 3), np.uint8), task=BINARY, preprocessing=OWN_SIZE)
    with pytest.raises(UserError, match=r"Unknown change of a gate 'closed'. Choose one of: opened, shuffled"):
        gate_effects(model, picture(), changes=["closed"], task=BINARY, preprocessing=OWN_SIZE)
    with pytest.raises(UserError, match="has no attention gates"):
        gate_effects(small("unet", classes=1), picture(), task=BINARY, preprocessing=OWN_SIZE)


def test_effects_of_gates_are_measured_and_repeatable():
    model = lively("attention_unet", classes=1)
    truth = (np.arange(70) < 35).astype(np.uint8) * np.ones((50, 1), np.uint8)
    options = {"truth": truth, "task": BINARY, "preprocessing": OWN_SIZE}
    rows = gate_effects(model, picture(), **options)
    assert [(row.gate, row.change) for row in rows[:3]] == [
        ("stride_8", "opened"),
        ("stride_8", "shuffled"),
        ("stride_4", "opened"),
    ]
    assert len(rows) == 8
    for row in rows:
        assert row.labels.shape == (50, 70)
        assert row.probability_change > 0
        assert 0 <= row.dice_between <= 1
        assert (row.pixels == 0) == (row.dice_between == 1)
    assert any(row.pixels for row in rows)
    assert any(row.score_change for row in rows)
    again = gate_effects(model, picture(), **options)
    other = gate_effects(model, picture(), seed=1, **options)
    assert [row.probability_change for row in again] == [row.probability_change for row in rows]
    differs = {row.change for row, changed in zip(rows, other, strict=True) if row[4] != changed[4]}
    assert differs == {"shuffled"}
    (one,) = gate_effects(model, picture(), gates=["stride_1"], changes=["opened"], task=BINARY, preprocessing=OWN_SIZE)
    assert (one.gate, one.score, one.score_change) == ("stride_1", None, None)


def test_a_gate_that_is_open_anyway_does_nothing():
    model = lively("attention_unet", classes=1)
    with torch.no_grad():
        norm = model.trunk.decoder[0].gate.score[1]
        norm.weight.zero_()
        norm.bias.fill_(100)
    rows = gate_effects(model, picture(), gates=["stride_8"], task=BINARY, preprocessing=OWN_SIZE)
    assert [(row.pixels, row.probability_change, row.dice_between) for row in rows] == [(0, 0, 1)] * 2


def test_shuffled_weights_keep_their_values_and_the_model_its_own():
    model = lively("attention_unet")
    state = {key: value.clone() for key, value in model.state_dict().items()}
    whole, half = shuffled_weights(model, 1.0).state_dict(), shuffled_weights(model, 0.5).state_dict()
    for key, value in state.items():
        assert torch.equal(model.state_dict()[key], value)
        assert torch.equal(whole[key].flatten().sort().values, value.flatten().sort().values)
    moved = [key for key in state if not torch.equal(half[key], state[key])]
    assert "head.conv.weight" in moved
    assert not any(key.startswith("trunk.encoder.0") for key in moved)
    assert 0.3 < len(moved) / len([key for key in state if not torch.equal(whole[key], state[key])]) < 0.7


def test_the_sanity_check_tells_maps_that_depend_on_the_weights_from_those_that_do_not():
    model = lively("attention_unet", classes=1)

    def maps(model):
        gate = attention_maps(model, picture(), task=BINARY, preprocessing=OWN_SIZE)["stride_1"].map
        return {"gate": gate, "edges": np.abs(np.gradient(picture()[..., 0].astype(float) / 255)[0])}

    rows = sanity_check(model, maps)
    assert {row.shuffled for row in rows} == {0.25, 0.5, 0.75, 1.0}
    first, second = verdict(rows)
    assert first.startswith("gate depends on the weights")
    assert second.startswith("edges hardly depends on the weights")
    assert next(row for row in rows if row.name == "edges")[2:] == (pytest.approx(1), pytest.approx(1))
    assert len(sanity_check(model, maps, cascade=False, draws=1)) == 2
    assert verdict([Likeness("map", 0.75, 1, 1)]) == []


def test_rank_correlation_and_structural_similarity():
    random = np.random.default_rng(0)
    one, other = random.random((9, 12)), random.random((9, 12))
    assert rank_correlation(one, one**3) == pytest.approx(1)
    assert rank_correlation(one, -one) == pytest.approx(-1)
    assert rank_correlation(one, np.full_like(one, 0.5)) == 0
    assert ssim(one, one) == pytest.approx(1)
    assert ssim(one, one * 0.9) > ssim(one, other)
    assert ssim(np.zeros((9, 9)), np.ones((9, 9))) < 1e-3

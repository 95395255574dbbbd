"""Class activation maps of every network, against formulas done by hand."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from networks import OWN, discs, lively, small, trained
from torch import nn

from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.inference.attribution import METHODS, attribute, region_mask
from workbench.inference.layers import default_layer
from workbench.models import ARCHITECTURES, adapt
from workbench.task import Task

BINARY = Task()
TWO = Task(mode="multilabel", classes=("red", "blue"))
QUICK = (*OWN, "smp_unet", "smp_pan", "smp_dpt")
UNIT = Preprocessing(resize="none", mean=(0.0,), std=(1.0,))


def picture(height: int = 50, width: int = 70) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def signs(model) -> tuple:
    """All that an attribution must leave as it was."""
    modules = list(model.modules())
    return (
        [module.training for module in modules],
        [list(module._forward_hooks.values()) + list(module._backward_hooks.values()) for module in modules],
        [(parameter.requires_grad, parameter.grad) for parameter in model.parameters()],
        {key: value.clone() for key, value in model.state_dict().items()},
    )


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES]
)
def test_every_network_is_explained_without_naming_a_layer(name):
    model = (lively if name in OWN else small)(name, classes=1).train()
    next(model.parameters()).requires_grad_(False)
    before = signs(model)
    for method in METHODS:
        result = attribute(model, picture(), region=(10, 20, 20, 25), task=BINARY, preprocessing=UNIT, method=method)
        assert result.map.shape == (50, 70)
        assert result.map.dtype == np.float32
        assert np.isfinite(result.raw).all()
        assert result.raw.any()
        assert result.map.min() >= 0
        assert max(result.raw.shape) < 70
        assert result.pixels == 500
    modes, hooks, gradients, state = signs(model)
    assert (modes, hooks, gradients) == before[:3]
    assert all(torch.equal(value, state[key]) for key, value in before[3].items())


def disc() -> tuple[np.ndarray, np.ndarray]:
    """A picture that the trained network has not seen, and its mask."""
    images, masks = discs(1, seed=1000)
    return (images[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8), masks[0].numpy()


@pytest.mark.parametrize("method", METHODS)
def test_bf16_gives_nearly_the_same_map(method):
    array, _ = disc()
    options = {"task": BINARY, "preprocessing": UNIT, "target": "foreground", "method": method}
    exact = attribute(trained(), array, **options)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = attribute(trained(), array, **options)
    half = attribute(copy.deepcopy(trained()).bfloat16(), array, **options)
    for other in (mixed, half):
        assert np.corrcoef(exact.raw.ravel(), other.raw.ravel())[0, 1] > 0.98
        assert other.high == pytest.approx(exact.high, rel=0.2)


def test_a_trained_network_looks_at_what_it_finds():
    array, mask = disc()
    result = attribute(trained(), array, target="foreground", task=BINARY, preprocessing=UNIT)
    inside, outside = result.map[mask == 1].mean(), result.map[mask == 0].mean()
    assert inside > 3 * outside


class Colours(nn.Module):
    """Two features, red and blue at half the resolution; a logit a class from one of them each."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 2, 2, 2, bias=False)
        self.up = nn.Upsample(scale_factor=2)
        self.head = nn.Conv2d(2, 2, 1)
        with torch.no_grad():
            self.features.weight.zero_()
            self.features.weight[0, 0] = self.features.weight[1, 2] = 0.25
            self.head.weight.copy_(torch.tensor([[4.0, -1.0], [-1.0, 4.0]])[..., None, None])
            self.head.bias.fill_(-2)

    def forward(self, image):
        return self.head(self.up(self.features(image)))


def spots() -> np.ndarray:
    array = np.zeros((12, 16, 3), np.uint8)
    array[2:6, 2:6, 0] = 255
    array[6:10, 8:14, 2] = 255
    return array


def test_seg_grad_cam_is_the_formula():
    model = adapt(Colours(), classes=2, size_multiple=2)
    result = attribute(model, spots(), target="blue", task=TWO, preprocessing=UNIT)
    assert (result.layer, result.target, result.pixels) == ("network.features", "blue", 24)
    features = (spots()[::2, ::2] / 255)[..., [0, 2]]
    weights = np.array([-1, 4]) * 24 / (6 * 8)  # the gradient is the head's weight at every pixel of the region
    np.testing.assert_allclose(result.raw, features @ weights, atol=1e-6)
    assert (result.low, result.high) == pytest.approx((-0.5, 2))
    assert result.normalised.max() == 1
    assert result.map[8, 11] > 0 == result.map[4, 4]


def test_grad_cam_plus_plus_is_the_formula():
    model = adapt(Colours(), classes=2, size_multiple=2)
    result = attribute(
        model, spots(), target="red", region=(2, 2, 4, 6), method="grad_cam_plus_plus", task=TWO, preprocessing=UNIT
    )
    features = np.moveaxis((spots()[::2, ::2] / 255)[..., [0, 2]], -1, 0)
    gradients = np.zeros((2, 6, 8))
    gradients[0, 1:3, 1:4], gradients[1, 1:3, 1:4] = 4 * 4, -1 * 4  # four pixels of the region a cell
    expected = np.zeros((6, 8))
    for feature, gradient in zip(features, gradients, strict=True):
        weight = sum(g**2 / (2 * g**2 + feature.sum() * g**3) * max(g, 0) for g in gradient.ravel() if g)
        expected += weight * feature
    np.testing.assert_allclose(result.raw, expected, rtol=1e-5, atol=1e-6)


def test_gradients_are_those_of_the_whole_network():
    """A second way: keep the whole graph and the layer's own gradient."""
    torch.manual_seed(0)
    model = small("attention_unet", classes=1).eval()
    image = torch.from_numpy(picture(48, 64)).permute(2, 0, 1)[None].float() / 255
    kept = []
    with model.trunk.encoder[4].register_forward_hook(lambda module, inputs, output: kept.append(output)):
        logits = model(image).logits
    (gradients,) = torch.autograd.grad(logits[0, 0, 5:25, 7:30].sum(), kept)
    expected = (gradients.mean((2, 3), keepdim=True) * kept[0]).sum(1)[0].detach()
    result = attribute(model, picture(48, 64), region=(5, 7, 20, 23), task=BINARY, preprocessing=UNIT)
    assert result.layer == "trunk.encoder.4"
    np.testing.assert_allclose(result.raw, expected, rtol=1e-4, atol=1e-5 * expected.abs().max().item())


def test_the_region_may_be_predicted_a_box_a_pixel_or_a_mask():
    model = adapt(Colours(), classes=2, size_multiple=2)

    def of(region, **options):
        return attribute(model, spots(), region=region, task=TWO, preprocessing=UNIT, **options)

    whole = of(None)
    assert (whole.target, whole.pixels) == ("blue", 24)  # the larger of the two
    pixel = of((4, 4))
    assert (pixel.target, pixel.pixels) == ("red", 1)
    assert pixel.map[4, 4] > 0
    box, mask = of((4, 4, 1, 1)), of(region_mask((4, 4), (12, 16)))
    assert np.array_equal(box.raw, pixel.raw)
    assert np.array_equal(mask.raw, pixel.raw)
    assert of((4, 4), target="blue").map[4, 4] == 0


def test_a_pixel_of_a_large_picture_is_not_lost_when_it_is_scaled_down():
    rule = Preprocessing(resize="letterbox", size=(32, 32))
    result = attribute(small("unet", classes=1), picture(333, 500), region=(332, 499), task=BINARY, preprocessing=rule)
    assert result.map.shape == (333, 500)
    assert 0 < result.pixels < 1


@pytest.mark.parametrize(
    ("task", "targets"),
    [
        (BINARY, ["background", "foreground"]),
        (Task(mode="multiclass", classes=("background", "disc", "ring")), ["background", "disc", "ring"]),
        (TWO, ["red", "blue"]),
    ],
)
def test_every_class_of_every_mode_has_a_map_of_its_own(task, targets):
    torch.manual_seed(0)
    model = small("unet", classes=task.channels, width=8)
    raws = [
        attribute(model, picture(), target=target, region=(5, 5, 20, 20), task=task, preprocessing=UNIT).raw
        for target in targets
    ]
    assert all(not np.allclose(one, other) for one, other in pairwise(raws))


def test_another_layer_by_name():
    model = small("unet", classes=1)
    options = {"region": (5, 5, 20, 20), "task": BINARY, "preprocessing": UNIT}
    assert attribute(model, picture(), layer="trunk.decoder.2", **options).raw.shape == (25, 35)
    # its first convolution is followed by a ReLU that works in place
    assert attribute(model, picture(), layer="trunk.encoder.1.0.norm", **options).raw.shape == (25, 35)


def test_it_works_inside_inference_mode():
    model = small("unet", classes=1)
    with torch.inference_mode():
        result = attribute(model, picture(), region=(3, 3), task=BINARY, preprocessing=UNIT)
    assert np.isfinite(result.raw).all()


def test_an_adapted_network_s_layer_is_found_by_the_sizes_of_its_maps():
    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fine = nn.Conv2d(3, 8, 3, 2, 1)
            self.coarse = nn.Conv2d(8, 16, 3, 2, 1)
            self.after = nn.ReLU(inplace=True)
            self.thin = nn.Conv2d(16, 2, 1)
            self.pooled = nn.AdaptiveAvgPool2d(1)
            self.wide = nn.Conv2d(16, 64, 1)

        def forward(self, x):
            x = self.after(self.coarse(self.fine(x)))
            x = x + self.wide(self.pooled(x)).sum()
            return nn.functional.interpolate(self.thin(x), scale_factor=4)

    model = adapt(Pyramid(), classes=2, size_multiple=4).eval()
    assert default_layer(model, torch.zeros(1, 3, 32, 32)) == "network.after"
    assert attribute(model, picture(), region=(3, 3), task=TWO, preprocessing=UNIT).raw.shape == (13, 18)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "lime"}, "Unknown attribution method 'lime'. Choose one of: grad_cam_plus_plus, seg_grad_cam"),
        ({"target": "cat"}, "Unknown class 'cat'. Choose one of: background, foreground"),
        ({"layer": "trunk.encoder.9"}, r"Unknown layer 'trunk.encoder.9'. Choose .* trunk.encoder.4.* did you mean"),
        ({"layer": ""}, "Unknown layer ''"),
        ({"region": (50, 0)}, r"The region \(50, 0\) does not lie in the picture of 50 rows and 70 columns"),
        ({"region": (0, 0, 10, 71)}, "does not lie in the picture"),
        ({"region": (1, 2, 3)}, "A region is a pixel"),
        ({"region": np.zeros((3, 3))}, r"mask is \[3, 3\], but the picture \[50, 70\]"),
        ({"region": np.zeros((50, 70))}, "The region holds no pixel"),
        ({"threshold": 1.0}, "predicts no pixel of background|predicts no pixel of foreground"),
    ],
)
def test_mistakes_are_sentences(options, sentence):
    model = small("unet", classes=1)
    target = {"target": "foreground"} if "threshold" in options else {}
    with pytest.raises(UserError, match=sentence):
        attribute(model, picture(), **{"task": BINARY, "preprocessing": UNIT, **target, **options})
    assert not any(module._forward_hooks for module in model.modules())


def test_layers_that_cannot_be_explained_are_refused():
    class Idle(Colours):
        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Conv2d(3, 3, 1)
            self.ignored = nn.Conv2d(3, 3, 1)
            self.flat = nn.Flatten()

        def forward(self, image):
            self.ignored(image)
            self.flat(image)
            return super().forward(image)

    model = adapt(Idle(), classes=2, size_multiple=2)
    for layer, sentence in [("unused", "takes no part"), ("ignored", "does not depend"), ("flat", "gives no maps")]:
        with pytest.raises(UserError, match=sentence):
            attribute(model, spots(), layer=f"network.{layer}", task=TWO, preprocessing=UNIT)

"""Somebody else's network as one of ours."""

import pytest
import torch
from networks import small
from torch import nn

from workbench.errors import UserError
from workbench.models import ModelOutput, adapt, optimize_for_inference


class Returns(nn.Module):
    """Applies a convolution and hands its output over in some shape."""

    def __init__(self, wrap):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)
        self.wrap = wrap

    def forward(self, x):
        return self.wrap(self.conv(x))


@pytest.mark.parametrize(
    ("wrap", "auxiliary"),
    [
        (lambda y: y, 0),
        (lambda y: [y, y + 1], 1),
        (lambda y: {"out": y, "aux": y}, 1),
        (lambda y: {"out": y}, 0),
        (lambda y: ModelOutput(y, {"mine": y[:, :1].sigmoid()}, ()), 0),
    ],
)
def test_the_usual_ways_to_return_logits(wrap, auxiliary):
    network = Returns(wrap)
    image = torch.randn(2, 3, 17, 19)
    output = adapt(network, classes=2)(image)
    assert torch.equal(output.logits, network.conv(image))
    assert len(output.auxiliary) == auxiliary


def test_pictures_are_padded_to_what_the_network_needs():
    network = nn.Sequential(nn.AvgPool2d(8), nn.Conv2d(3, 1, 1), nn.Upsample(scale_factor=8))
    assert adapt(network, size_multiple=8)(torch.randn(1, 3, 30, 41)).logits.shape == (1, 1, 30, 41)


def test_low_resolution_logits_are_brought_to_the_pictures_size():
    network = nn.Conv2d(3, 1, 4, stride=4)
    assert adapt(network, size_multiple=4)(torch.randn(1, 3, 30, 41)).logits.shape == (1, 1, 30, 41)


def test_our_own_networks_stay_what_they_are():
    model = small("unet")
    assert adapt(model) is model


def test_an_adapted_network_is_folded_too():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1)).eval()
    network[1].running_var.fill_(3.0)
    image = torch.randn(1, 3, 16, 16)
    fast = optimize_for_inference(adapt(network))
    assert isinstance(fast.network[1], nn.Identity)
    torch.testing.assert_close(fast(image).logits, network(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("wrap", "classes", "sentence"),
    [
        (lambda y: "nonsense", 2, "returned a str"),
        (lambda y: y.mean((2, 3)), 2, r"must return logits \[N, classes, h, w\], not \[1, 2\]"),
        (lambda y: y, 5, "gives 2 logits a pixel, but adapt.. was told classes=5"),
    ],
)
def test_what_is_no_logits_is_told_in_a_sentence(wrap, classes, sentence):
    with pytest.raises(UserError, match=sentence):
        adapt(Returns(wrap), classes=classes)(torch.randn(1, 3, 8, 8))

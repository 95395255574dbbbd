"""Upsampling for compiled trainings: the same pictures and the same gradients as torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from workbench.models.upsampling import bilinear, nearest

WAYS = {
    "nearest": (nearest, {"mode": "nearest"}),
    "bilinear": (lambda x: bilinear(x, align_corners=False), {"mode": "bilinear", "align_corners": False}),
    "bilinear, aligned": (lambda x: bilinear(x, align_corners=True), {"mode": "bilinear", "align_corners": True}),
}


@pytest.fixture(autouse=True)
def compiled_anew():
    torch.compiler.reset()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(5, 8), (1, 3), (24, 24)])
def test_compiled_it_gives_what_torch_gives(way, size):
    ours, options = WAYS[way]
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weights = torch.randn(2, 3, 2 * size[0], 2 * size[1], generator=torch.Generator().manual_seed(1))
    seen = []
    compiled = torch.compile(ours, backend="aot_eager")
    for upsample in (compiled, lambda x: F.interpolate(x, scale_factor=2, **options)):
        result = upsample(x)
        (gradient,) = torch.autograd.grad((result * weights).sum(), x)
        seen.append((result, gradient))
    torch.testing.assert_close(*seen, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_no_gradient_is_scattered(way):
    graphs = []

    def keep(graph, _inputs):
        graphs.append(graph.code)
        return graph

    from torch._dynamo.backends.common import aot_autograd

    x = torch.randn(1, 2, 4, 4, requires_grad=True)
    torch.compile(WAYS[way][0], backend=aot_autograd(fw_compiler=keep, bw_compiler=keep))(x).sum().backward()
    assert len(graphs) == 2
    assert "index_put" not in graphs[1]
    assert "interpolate" not in graphs[1]
    assert "upsample" not in graphs[1]

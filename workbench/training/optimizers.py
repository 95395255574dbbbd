"""Optimizers by name, fused into one kernel where the device has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer

from workbench.config import OptimizerConfig


def _averages(config: OptimizerConfig) -> dict[str, Any]:
    return {"betas": config.betas, "eps": config.epsilon}


def _momentum(config: OptimizerConfig) -> dict[str, Any]:
    return {"momentum": config.momentum, "nesterov": config.nesterov}


OPTIMIZERS: dict[str, tuple[Callable[..., Optimizer], Callable[[OptimizerConfig], dict[str, Any]]]] = {
    "adam": (Adam, _averages),
    "adamw": (AdamW, _averages),
    "sgd": (SGD, _momentum),
}


FUSED_ON = ("cpu", "cuda", "mps", "xpu")
"""Devices for which every torch that we allow has fused kernels of all three."""


def create_optimizer(config: OptimizerConfig, parameters: Iterable[Parameter]) -> Optimizer:
    """The optimizer of a config over those parameters that are to be trained."""
    make, arguments = OPTIMIZERS[config.name]
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    fused = all(parameter.device.type in FUSED_ON for parameter in trained)
    return make(trained, lr=config.learning_rate, weight_decay=config.weight_decay, fused=fused, **arguments(config))


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group of parameters this rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate

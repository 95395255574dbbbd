"""Learning rates against torch's own schedulers and the originals' loops; optimizers against what a config asks."""

from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from workbench.config import OptimizerConfig, ScheduleConfig
from workbench.training.optimizers import OPTIMIZERS, create_optimizer, set_learning_rate
from workbench.training.schedules import SCHEDULES, Schedule

RATE, EPOCHS, STEPS = 0.01, 12, 5


def epoch_rates(**config):
    schedule = Schedule(ScheduleConfig(**config), RATE)
    return [schedule.learning_rate(epoch * STEPS, EPOCHS * STEPS, epoch, STEPS) for epoch in range(EPOCHS)]


def step_rates(**config):
    schedule = Schedule(ScheduleConfig(**config), RATE)
    return [schedule.learning_rate(step, EPOCHS * STEPS, step // STEPS, STEPS) for step in range(EPOCHS * STEPS)]


def torch_rates(make, count):
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=RATE)
    scheduler = make(optimizer)
    rates = []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_constant():
    assert epoch_rates(name="constant") == [RATE] * EPOCHS


def test_linear_is_the_loop_of_the_original():
    rates, rate, last = [], RATE, 7
    for epoch in range(EPOCHS):
        rates.append(rate)
        if epoch + 1 > EPOCHS - last:
            rate -= RATE / last
    assert epoch_rates(name="linear", decay_epochs=last) == pytest.approx(rates)


def test_linear_falls_over_the_second_half_unless_told():
    assert epoch_rates(name="linear") == pytest.approx(epoch_rates(name="linear", decay_epochs=EPOCHS // 2))


def test_cosine_is_torchs():
    expected = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS, 1e-5), EPOCHS)
    assert epoch_rates(name="cosine", minimum=1e-5) == pytest.approx(expected)


def test_poly_is_torchs_at_each_step():
    expected = torch_rates(lambda o: lr_scheduler.PolynomialLR(o, EPOCHS * STEPS, 0.9), EPOCHS * STEPS)
    assert step_rates(name="poly") == pytest.approx(expected)
    with_minimum = [1e-4 + (RATE - 1e-4) * (1 - step / 60) ** 0.9 for step in range(60)]
    assert step_rates(name="poly", minimum=1e-4) == pytest.approx(with_minimum)


def test_multistep_is_torchs():
    expected = torch_rates(lambda o: lr_scheduler.MultiStepLR(o, [3, 7], 0.5), EPOCHS)
    assert epoch_rates(name="multistep", milestones=(3, 7), factor=0.5) == pytest.approx(expected)


def test_plateau_is_torchs():
    losses = [1.0, 0.9, 0.9, 0.91, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.49999]
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=RATE)
    torchs = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.2, patience=2, min_lr=1e-4)
    config = ScheduleConfig(name="plateau", factor=0.2, patience=2, minimum=1e-4)
    ours = Schedule(config, RATE)
    rates = []
    for loss in losses:
        torchs.step(loss)
        ours.validated(loss)
        rates.append(ours.learning_rate(1, 60, 0, STEPS))
        assert rates[-1] == pytest.approx(optimizer.param_groups[0]["lr"])
        resumed = Schedule(config, RATE)
        resumed.load_state_dict(ours.state_dict())
        ours = resumed
    assert rates[-1] < RATE


@pytest.mark.parametrize("name", SCHEDULES)
def test_warmup_goes_before_any(name):
    config = {"name": name, "milestones": (1,)}
    plain, warm = step_rates(**config), step_rates(**config, warmup_steps=8, warmup_start=0.2)
    assert warm[0] == pytest.approx(0.2 * plain[0])
    assert warm[4] == pytest.approx(0.6 * plain[4])
    assert warm[8:] == plain[8:]


@pytest.mark.parametrize("name", ["linear", "cosine", "poly"])
def test_by_epoch_or_by_step(name):
    by_epoch, by_step = (step_rates(name=name, every=every) for every in ("epoch", "step"))
    assert by_epoch[::STEPS] == pytest.approx(by_step[::STEPS])
    assert len(set(by_epoch[-STEPS:])) == 1
    assert all(later < earlier for earlier, later in pairwise(by_step[-STEPS:]))


def test_a_training_shorter_than_an_epoch_has_a_rate():
    for name in SCHEDULES:
        schedule = Schedule(ScheduleConfig(name=name), RATE)
        assert 0 < schedule.learning_rate(2, 3, 0, 100) <= RATE


def test_the_tables_have_what_the_knobs_offer():
    assert set(SCHEDULES) == set(get_args(ScheduleConfig.model_fields["name"].annotation))
    assert set(OPTIMIZERS) == set(get_args(OptimizerConfig.model_fields["name"].annotation))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"name": "adam", "betas": (0.5, 0.999), "epsilon": 1e-6}, {"betas": (0.5, 0.999), "eps": 1e-6}),
        ({"name": "adamw", "weight_decay": 0.1}, {"weight_decay": 0.1}),
        ({"name": "sgd", "momentum": 0.5, "nesterov": True}, {"momentum": 0.5, "nesterov": True}),
    ],
)
def test_optimizers_get_their_parameters(config, expected):
    optimizer = create_optimizer(OptimizerConfig(**config, learning_rate=0.5), nn.Linear(2, 2).parameters())
    assert {name: optimizer.param_groups[0][name] for name in (*expected, "lr", "fused")} == {
        **expected,
        "lr": 0.5,
        "fused": True,
    }
    set_learning_rate(optimizer, 0.25)
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_frozen_parameters_are_left_out_and_a_device_without_a_fused_kernel_is_served_too():
    model = nn.Linear(2, 2, device="meta")
    model.bias.requires_grad_(False)
    optimizer = create_optimizer(OptimizerConfig(), model.parameters())
    assert optimizer.param_groups[0]["params"] == [model.weight]
    assert not optimizer.param_groups[0]["fused"]

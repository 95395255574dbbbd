"""Losses against formulas written down again, and what every loss must hold for every task that it fits."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from workbench.config import LossConfig
from workbench.errors import UserError
from workbench.models.output import ModelOutput
from workbench.task import IGNORE, Task
from workbench.training.losses import LOSSES, Loss

TASKS = {
    "binary": Task(),
    "multiclass": Task(mode="multiclass", classes=("sky", "road", "car")),
    "multilabel": Task(mode="multilabel", classes=("nucleus", "membrane")),
}
FITTING = [(name, mode) for name, kind in LOSSES.items() for mode in kind.modes]


def batch(mode, pictures=3, seed=0, ignored=0.0):
    task = TASKS[mode]
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn((pictures, task.channels, 6, 5), generator=generator, requires_grad=True)
    shape = (pictures, 2, 6, 5) if mode == "multilabel" else (pictures, 6, 5)
    mask = torch.randint(0, 2 if mode != "multiclass" else 3, shape, generator=generator, dtype=torch.uint8)
    mask[torch.rand(shape, generator=generator) < ignored] = IGNORE
    return logits, mask


def value(name, mode, logits, mask, **config):
    loss = Loss(LossConfig(terms={name: 1.0}, **config), TASKS[mode])
    return loss(ModelOutput(logits, {}, ()), mask)["loss"]


def ignored_logits(mask, mode):
    return (
        (mask == IGNORE) if mode == "multilabel" else (mask == IGNORE)[:, None].expand(-1, TASKS[mode].channels, 6, 5)
    )


@pytest.mark.parametrize(("name", "mode"), FITTING)
def test_ignored_pixels_change_nothing_and_carry_no_gradient(name, mode):
    logits, mask = batch(mode, ignored=0.3)
    loss = value(name, mode, logits, mask)
    loss.backward()
    there = ignored_logits(mask, mode)
    assert there.any()
    assert (logits.grad[there] == 0).all()
    assert (logits.grad[~there] != 0).any()
    other = torch.where(there, logits + 5, logits)
    assert torch.equal(value(name, mode, other, mask), loss)


@pytest.mark.parametrize(("name", "mode"), FITTING)
def test_pictures_without_anything_to_learn_cost_nothing(name, mode):
    logits, mask = batch(mode, ignored=1.0)
    assert (mask == IGNORE).all()
    loss = value(name, mode, logits, mask)
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(("name", "mode"), FITTING)
def test_ignoring_a_strip_is_cutting_it_off(name, mode):
    logits, mask = batch(mode)
    mask[..., 4:] = IGNORE
    cut = value(name, mode, logits[..., :4], mask[..., :4])
    assert value(name, mode, logits, mask).item() == pytest.approx(cut.item(), rel=1e-5)


@pytest.mark.parametrize(("name", "mode"), FITTING)
def test_a_right_answer_costs_less_than_a_wrong_one(name, mode):
    _, mask = batch(mode)
    right = mask if mode == "multilabel" else mask[:, None]
    if mode == "multiclass":
        right = F.one_hot(mask.long(), 3).permute(0, 3, 1, 2)
    right = 40 * right.float() - 20
    losses = [value(name, mode, sharpness * right, mask).item() for sharpness in (1, 0.01, -0.01, -1)]
    assert all(better < worse for better, worse in pairwise(losses))
    assert losses[0] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("name", "mode"), FITTING)
def test_half_precision_logits_are_taken_in_full_precision(name, mode):
    logits, mask = batch(mode)
    low = logits.detach().bfloat16()
    assert value(name, mode, low, mask) == value(name, mode, low.float(), mask)


def masked(target, logits):
    return target[target != IGNORE], logits[target != IGNORE]


def test_bce_is_torchs_over_the_pixels_that_count():
    for mode in ("binary", "multilabel"):
        logits, mask = batch(mode, ignored=0.2)
        target, logits = masked(mask if mode == "multilabel" else mask[:, None], logits)
        expected = F.binary_cross_entropy_with_logits(logits, target.float())
        assert value("bce", mode, *batch(mode, ignored=0.2)).item() == pytest.approx(expected.item(), rel=1e-6)


def test_bce_class_weights():
    logits, mask = batch("binary", ignored=0.2)
    target, chosen = masked(mask[:, None], logits)
    weights = torch.where(target == 1, 3.0, 0.5)
    each = F.binary_cross_entropy_with_logits(chosen, target.float(), reduction="none")
    expected = (each * weights).sum() / weights.sum()
    assert value("bce", "binary", logits, mask, class_weights=(0.5, 3)).item() == pytest.approx(expected.item())


@pytest.mark.parametrize(("class_weights", "smoothing"), [((), 0.0), ((), 0.1), ((1.0, 2.0, 0.25), 0.0)])
def test_cross_entropy_is_torchs(class_weights, smoothing):
    logits, mask = batch("multiclass", ignored=0.2)
    config = {"class_weights": class_weights, "options": {"cross_entropy": {"smoothing": smoothing}}}
    expected = F.cross_entropy(
        logits,
        mask.long(),
        torch.tensor(class_weights) if class_weights else None,
        ignore_index=IGNORE,
        label_smoothing=smoothing,
    )
    assert value("cross_entropy", "multiclass", logits, mask, **config).item() == pytest.approx(expected.item())


def test_bce_dice_is_that_of_pytorch_nested_unet():
    logits, mask = batch("binary")
    x, target = logits.detach().numpy().astype(np.float64)[:, 0], mask.numpy().astype(np.float64)
    found = 1 / (1 + np.exp(-x))
    bce = -(target * np.log(found) + (1 - target) * np.log(1 - found)).mean()
    dice = [(2 * (f * t).sum() + 1e-5) / (f.sum() + t.sum() + 1e-5) for f, t in zip(found, target, strict=True)]
    assert value("bce_dice", "binary", logits, mask).item() == pytest.approx(0.5 * bce + 1 - np.mean(dice), rel=1e-6)


def lovasz_hinge(logits, labels):
    """The hinge on one flat picture from the paper's text: errors, sorted, against the steps of the Jaccard loss."""
    errors = 1 - logits * (2.0 * labels - 1)
    order = np.argsort(-errors, kind="stable")
    total, wrong_found, missed, loss, before = labels.sum(), 0, 0, 0.0, 0.0
    for at in order:
        missed, wrong_found = missed + labels[at], wrong_found + 1 - labels[at]
        jaccard_loss = 1 - (total - missed) / (total + wrong_found)
        loss += max(errors[at], 0) * (jaccard_loss - before)
        before = jaccard_loss
    return loss


def test_lovasz_per_picture_is_the_mean_over_pictures_and_lovasz_that_of_the_batch():
    logits, mask = batch("binary")
    x, target = logits.detach().numpy().astype(np.float64)[:, 0], mask.numpy().astype(np.float64)
    pictures = [lovasz_hinge(a.ravel(), b.ravel()) for a, b in zip(x, target, strict=True)]
    assert value("lovasz_per_picture", "binary", logits, mask).item() == pytest.approx(np.mean(pictures), rel=1e-5)
    whole = lovasz_hinge(x.ravel(), target.ravel())
    assert value("lovasz", "binary", logits, mask).item() == pytest.approx(whole, rel=1e-5)
    assert whole != pytest.approx(np.mean(pictures), rel=1e-3)


def test_a_picture_that_is_ignored_does_not_silence_the_others():
    logits, mask = batch("multiclass")
    mask[0] = IGNORE
    alone = value("lovasz_per_picture", "multiclass", logits[1:], mask[1:])
    assert value("lovasz_per_picture", "multiclass", logits, mask).item() == pytest.approx(alone.item() * 2 / 3)


@pytest.mark.parametrize("name", ["dice", "jaccard", "tversky"])
def test_overlap_losses_over_the_batch(name):
    logits, mask = batch("binary", ignored=0.2)
    target, x = masked(mask[:, None], logits)
    found, target = x.sigmoid(), target.float()
    both = torch.minimum(found, target).sum()
    only_found, only_true = found.sum() - both, target.sum() - both
    prices = {"dice": (0.5, 0.5), "jaccard": (1, 1), "tversky": (0.3, 0.7)}[name]
    expected = 1 - both / (both + prices[0] * only_found + prices[1] * only_true)
    options = {"options": {"tversky": {"alpha": 0.3, "beta": 0.7}}} if name == "tversky" else {}
    assert value(name, "binary", logits, mask, **options).item() == pytest.approx(expected.item(), rel=1e-5)


def test_focal_by_channel():
    for mode in TASKS:
        logits, mask = batch(mode, ignored=0.2)
        expected = []
        for channel in range(TASKS[mode].channels):
            if mode == "multilabel":
                target = mask[:, channel]
            else:
                target = torch.where(mask == IGNORE, IGNORE, (mask == (1 if mode == "binary" else channel)).byte())
            target, x = masked(target, logits[:, channel])
            probability = torch.where(target == 1, x.sigmoid(), 1 - x.sigmoid())
            expected.append((-((1 - probability) ** 3) * probability.log()).mean())
        given = value("focal", mode, logits, mask, options={"focal": {"gamma": 3}})
        assert given.item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-5)


@pytest.mark.parametrize(("name", "mode"), [(n, m) for n, kind in LOSSES.items() for m in kind.weighs_classes])
def test_class_weights_matter_only_in_proportion(name, mode):
    logits, mask = batch(mode)
    classes = len(TASKS[mode].classes)
    plain = value(name, mode, logits, mask).item()
    alike, uneven = [
        value(name, mode, logits, mask, class_weights=weights).item()
        for weights in ((2.0,) * classes, (1.0, 5.0, 2.0)[:classes])
    ]
    assert alike == pytest.approx(plain, rel=1e-6)
    assert uneven != pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "option"), [(name, option) for name, kind in LOSSES.items() for option in kind.options]
)
def test_every_option_changes_something(name, option):
    mode = LOSSES[name].modes[0]
    logits, mask = batch(mode)
    changed = value(name, mode, logits, mask, options={name: {option: 0.3}})
    assert changed.item() != pytest.approx(value(name, mode, logits, mask).item(), rel=1e-3)


@pytest.mark.parametrize("name", ["bce_dice", "lovasz_per_picture"])
def test_losses_per_picture_are_the_same_from_parts_of_a_batch(name):
    logits, mask = batch("binary", pictures=5, ignored=0.2)
    parts = sum(value(name, "binary", logits[at], mask[at]) * len(logits[at]) for at in (slice(0, 3), slice(3, 5)))
    assert parts.item() / 5 == pytest.approx(value(name, "binary", logits, mask).item(), rel=1e-6)


def test_terms_add_up_with_their_weights():
    output, mask = batch("binary")
    told = Loss(LossConfig(terms={"bce": 0.5, "dice": 2.0}), Task())(ModelOutput(output, {}, ()), mask)
    assert list(told) == ["loss", "bce", "dice"]
    assert told["bce"] == value("bce", "binary", output, mask)
    assert told["loss"].item() == pytest.approx((0.5 * told["bce"] + 2 * told["dice"]).item())


def test_without_terms_the_task_decides():
    assert Loss(LossConfig(), TASKS["binary"]).weights == {"bce_dice": 1.0}
    assert Loss(LossConfig(), TASKS["multiclass"]).weights == {"cross_entropy": 1.0, "dice": 1.0}


def test_auxiliary_outputs_as_deep_supervision_and_as_a_head_of_their_own():
    outputs = [batch("binary", seed=seed)[0] for seed in range(4)]
    mask = batch("binary")[1]
    each = [value("bce_dice", "binary", output, mask).item() for output in outputs]
    output = ModelOutput(outputs[0], {}, tuple(outputs[1:]))
    mean = Loss(LossConfig(), Task())(output, mask)
    assert mean["loss"].item() == pytest.approx(np.mean(each), rel=1e-6)
    assert mean["auxiliary"].item() == pytest.approx(np.mean(each[1:]), rel=1e-6)
    head = Loss(LossConfig(auxiliary_weight=0.4), Task())(ModelOutput(outputs[0], {}, (outputs[1],)), mask)
    assert head["loss"].item() == pytest.approx(each[0] + 0.4 * each[1], rel=1e-6)


@pytest.mark.parametrize(
    ("mode", "config", "words"),
    [
        ("binary", {"terms": {"hinge": 1}}, ["'hinge'", "bce", "lovasz"]),
        ("binary", {"terms": {"cross_entropy": 1}}, ["cross_entropy does not fit a binary task", "bce"]),
        ("multiclass", {"terms": {"bce_dice": 1}}, ["bce_dice does not fit a multiclass task", "dice"]),
        ("binary", {"terms": {"bce": 1}, "options": {"focal": {"gamma": 1}}}, ["focal", "terms bce"]),
        ("binary", {"terms": {"focal": 1}, "options": {"focal": {"delta": 1}}}, ["'delta'", "alpha, gamma"]),
        ("binary", {"class_weights": (1,)}, ["class_weights", "background, foreground"]),
        ("binary", {"class_weights": (0, 0)}, ["class_weights", "not all of them 0"]),
        ("binary", {"terms": {"dice": 1}, "class_weights": (1, 2)}, ["changes nothing", "bce"]),
        ("multiclass", {"terms": {"lovasz": 1}, "class_weights": (1, 2, 3)}, ["changes nothing", "cross_entropy"]),
    ],
)
def test_what_makes_no_sense_is_one_sentence(mode, config, words):
    with pytest.raises(UserError) as caught:
        Loss(LossConfig(**config), TASKS[mode])
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_model_for_another_task_is_one_sentence():
    logits, mask = batch("multiclass")
    with pytest.raises(UserError, match=r"gives 3 channels.*needs 1: create it with classes=1"):
        Loss(LossConfig(), Task())(ModelOutput(logits, {}, ()), mask)
    logits, mask = batch("multilabel")
    with pytest.raises(UserError, match=r"masks of a batch are \[3, 6, 5\]"):
        Loss(LossConfig(), TASKS["multilabel"])(ModelOutput(logits, {}, ()), mask[:, 0])

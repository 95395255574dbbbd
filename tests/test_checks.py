"""What goes wrong in a training is said in a sentence that names where, and what to try."""

import numpy as np
import pytest
import torch
from small_training import MULTICLASS, Discs, SmallNet, trainer
from torch import nn

from workbench.data.sample import Sample
from workbench.errors import UserError
from workbench.task import IGNORE, Task
from workbench.training import Trainer
from workbench.training.checks import Divergence, check_masks


class Changed(Discs):
    """Discs of which some are not as they should be."""

    def __init__(self, count, change, **options):
        super().__init__(count, **options)
        self.change = change

    def __getitem__(self, index):
        return self.change(index, super().__getitem__(index))


def broken_picture(index, sample):
    return sample._replace(image=torch.full_like(sample.image, torch.nan)) if index == 7 else sample


@pytest.mark.parametrize("report_every", [1, 3])
def test_a_picture_of_nan_is_named(report_every):
    training = trainer(train=Changed(12, broken_picture), report_every=report_every)
    with pytest.raises(UserError) as caught:
        list(training)
    assert "The loss became nan in step" in str(caught.value)
    assert "disc-7 hold values that are not numbers" in str(caught.value)
    assert "disc-1 hold" not in str(caught.value)


def test_the_step_of_a_nan_is_told_and_the_weights_are_still_whole():
    training = trainer(train=Changed(12, broken_picture), batch=2)
    records = []
    with pytest.raises(UserError) as caught:
        records.extend(training)
    told = [p for p in training.learner.model.parameters() if not p.isfinite().all()]
    assert not told
    assert f"in step {training.course.position.step + 1} (epoch 1)" in str(caught.value)


def test_no_state_is_handed_out_whose_losses_are_nan_but_not_read_yet():
    training = trainer(train=Changed(12, broken_picture), report_every=100)
    with pytest.raises(UserError, match="loss became nan"):
        [training.state_dict() for _ in training]


def test_a_picture_of_nan_in_the_validation_is_named():
    with pytest.raises(UserError, match=r"nan in the validation after step 3: disc-7 hold values that are not numbers"):
        list(trainer(valid=Changed(9, broken_picture)))


def test_a_learning_rate_that_breaks_the_weights():
    training = trainer(optimizer__name="sgd", learning_rate=1e30, epochs=5)
    with pytest.raises(UserError, match=r"loss became (nan|inf) in step \d+.*learning_rate"):
        list(training)


def test_a_training_that_diverges_says_so_once():
    records = list(trainer(train=40, terms={"bce": 1}, optimizer__name="sgd", learning_rate=200.0, epochs=3))
    notes = [note for progress in records for note in progress.notes]
    assert len(notes) == 1
    assert "the training diverges" in notes[0]
    assert "learning rate than 2e+02" in notes[0]


def test_a_training_that_learns_says_nothing():
    assert not any(progress.notes for progress in trainer(train=40, epochs=3))
    divergence = Divergence()
    assert not any(divergence.see(loss, 0.1) for loss in np.linspace(1, 0.01, 50))


def test_a_class_that_is_never_seen():
    task = MULTICLASS

    def without_ring(_, sample):
        return sample._replace(mask=torch.where(sample.mask == 2, 0, sample.mask))

    training = trainer(SmallNet(3), train=Changed(8, without_ring, task=task), task=task, epochs=2)
    notes = [(p.epoch, note) for p in training for note in p.notes]
    assert [epoch for epoch, _ in notes] == [1]
    assert "no mask had a pixel of the class ring" in notes[0][1]


@pytest.mark.parametrize("task", [Task(), MULTICLASS, Task(mode="multilabel", classes=("a", "b"))])
def test_mask_values_that_are_no_class(task):
    highest = len(task.classes) - 1 if task.mode == "multiclass" else 1
    shape = (2, 2, 4, 4) if task.mode == "multilabel" else (2, 4, 4)
    mask = torch.full(shape, highest, dtype=torch.uint8)
    mask[0, ..., 0, 0] = IGNORE
    check_masks(Sample(["good", "bad"], None, mask), task)
    mask[1, ..., 1, 1] = 254
    mask[1, ..., 2, 2] = highest + 1
    with pytest.raises(UserError, match=f"mask of bad holds {highest + 1}, 254, but the classes are 0 to {highest}"):
        check_masks(Sample(["good", "bad"], None, mask), task)


def test_masks_of_0_and_200_stop_the_training_before_it_learns_nothing():
    def bright(_, sample):
        return sample._replace(mask=sample.mask * 200)

    with pytest.raises(UserError, match=r"holds 200.*data.mask_values"):
        list(trainer(train=Changed(4, bright)))


def test_pictures_of_different_sizes():
    def taller(index, sample):
        return Sample(sample.name, sample.image[:, index:], sample.mask[index:])

    with pytest.raises(UserError, match=r"differ in size.*data.preprocessing.resize"):
        list(trainer(train=Changed(8, taller)))


def test_batch_norm_with_a_single_value():
    class Pooled(SmallNet):
        def __init__(self):
            super().__init__()
            self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6))

        def forward(self, image):
            output = super().forward(image)
            return output._replace(logits=output.logits + self.pooled(image).mean(1, keepdim=True))

    with pytest.raises(UserError, match=r"training.batch 2 or more"):
        list(trainer(Pooled(), batch=1))
    assert list(trainer(Pooled(), train=9, batch=4))


def test_a_layer_without_a_deterministic_form():
    class Refusing(SmallNet):
        def forward(self, image):
            raise RuntimeError("upsample_backward_cuda does not have a deterministic implementation, but ...")

    with pytest.raises(UserError, match=r"hardware.deterministic off"):
        list(trainer(Refusing(), deterministic=True))


class Hungry(SmallNet):
    """A model whose device is full with more than so many pictures."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def forward(self, image):
        if len(image) > self.most:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {len(image)} GiB.")
        return super().forward(image)


def test_out_of_memory_tells_the_batch_that_fits():
    with pytest.raises(UserError) as caught:
        list(trainer(Hungry(3), train=40, batch=8))
    assert "8 pictures of 16 x 16 pixels and 3 channels do not fit" in str(caught.value)
    assert "training.batch 2 (with training.accumulation 4" in str(caught.value)


def test_out_of_memory_with_a_single_picture():
    with pytest.raises(UserError, match=r"A single picture fits no batch.*activation_checkpointing"):
        list(trainer(Hungry(0), batch=1))


def test_other_errors_are_not_hidden():
    class Faulty(SmallNet):
        def forward(self, image):
            raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        list(trainer(Faulty()))
    with pytest.raises(ZeroDivisionError):
        list(Trainer(trainer().config, SmallNet(), Changed(4, lambda *_: 1 / 0), None, Task()))

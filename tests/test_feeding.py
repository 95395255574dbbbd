"""Data sets as steps of batches: prepared ones as they are, in this process or in others."""

import pytest
import torch
from small_training import Discs

from workbench.config import DataConfig, HardwareConfig
from workbench.data.dataset import evaluation_dataset, training_dataset
from workbench.data.prepare import prepare
from workbench.training.feeding import training_steps, validation_steps
from workbench.training.hardware import Hardware
from workbench.training.order import Order


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    config = DataConfig(path="shapes", options={"count": 14}, preprocessing={"size": (32, 32)}, augmentation="flips")
    return config, prepare(config, tmp_path_factory.mktemp("shapes") / "prepared", workers=1)


@pytest.mark.parametrize("workers", [0, 2])
def test_prepared_pictures_come_as_their_data_set_gives_them(prepared, workers):
    config, pictures = prepared
    dataset = training_dataset(pictures, config)
    order = Order(len(dataset), seed=0, batch=4)
    hardware = Hardware(HardwareConfig(devices="cpu", workers=workers))
    seen = []
    for step, batches in training_steps(dataset, order, epoch=2, position=0, hardware=hardware):
        for numbers, batch in zip(step.batches, batches, strict=True):
            dataset.set_epoch(2)
            for at, number in enumerate(numbers):
                wanted = dataset[int(number)]
                assert batch.name[at] == wanted.name
                assert torch.equal(batch.image[at], wanted.image)
                assert torch.equal(batch.mask[at], wanted.mask)
                seen.append(wanted.name)
    assert len(set(seen)) == len(seen) == len(dataset)


def test_another_epoch_shows_other_pictures(prepared):
    config, pictures = prepared
    dataset = training_dataset(pictures, config)
    hardware = Hardware(HardwareConfig(devices="cpu"))

    def images(epoch):
        steps = training_steps(dataset, Order(len(dataset), 0, 4), epoch, 0, hardware)
        batches = [batch for _, batches in steps for batch in batches]
        return {name: image for batch in batches for name, image in zip(batch.name, batch.image, strict=True)}

    first, again, second = images(0), images(0), images(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_validation_shows_whole_pictures_in_order(prepared):
    config, pictures = prepared
    dataset = evaluation_dataset(pictures, config, "train")
    batches = list(validation_steps(dataset, 4, Hardware(HardwareConfig(devices="cpu"))))
    assert [name for batch in batches for name in batch.name] == [sample.name for sample in dataset]


def test_reading_pictures_does_not_touch_the_chance_of_the_model():
    hardware = Hardware(HardwareConfig(devices="cpu"))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    for _, batches in training_steps(Discs(5), Order(5, 0, 2), 0, 0, hardware):
        list(batches)
    assert torch.equal(torch.get_rng_state(), before)

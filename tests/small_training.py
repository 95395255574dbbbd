"""Pictures, models and a way to run them that are small enough for tests of training."""

import numpy as np
import torch
from torch import Tensor, nn

from workbench.config import TrainingConfig
from workbench.data.sample import Sample
from workbench.knobs import override
from workbench.models.output import ModelOutput
from workbench.task import Task
from workbench.training import Trainer

MULTICLASS = Task(mode="multiclass", classes=("sky", "disc", "ring"))


class Discs:
    """A bright disc on noise, in a ring for a multiclass task; flipped by (seed, epoch, index)."""

    def __init__(self, count, size=16, flips=True, task=None, seed=0):
        self.count, self.size, self.flips, self.task, self.seed = count, size, flips, task or Task(), seed
        self.epoch = 0

    def __len__(self):
        return self.count

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __getitem__(self, index):
        chance = np.random.default_rng((self.seed, index))
        y, x = chance.uniform(0.3, 0.7, 2) * self.size
        rows, columns = np.ogrid[: self.size, : self.size]
        distance = np.hypot(rows - y, columns - x)
        mask = (distance < self.size / 4).astype(np.uint8)
        if self.task.mode != "binary":
            mask[(distance >= self.size / 4) & (distance < self.size / 3)] = 2
        image = mask + 0.5 * chance.standard_normal((3, self.size, self.size))
        if self.flips and np.random.default_rng((self.seed, self.epoch, index)).random() < 0.5:
            image, mask = image[..., ::-1], mask[..., ::-1]
        return Sample(f"disc-{index}", torch.from_numpy(image.astype(np.float32)), torch.from_numpy(mask.copy()))


class SmallNet(nn.Module):
    """Two convolutions with all that makes a training hard to resume: batch norm, dropout, an auxiliary output."""

    def __init__(self, classes=1, width=6, dropout=0.2, norm=True, auxiliary=False):
        super().__init__()
        norms = [nn.BatchNorm2d(width)] if norm else []
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), *norms, nn.ReLU(), nn.Dropout2d(dropout))
        self.head = nn.Conv2d(width, classes, 3, padding=1)
        self.second = nn.Conv2d(width, classes, 1) if auxiliary else None

    def forward(self, image: Tensor) -> ModelOutput:
        x = self.body(image)
        return ModelOutput(self.head(x), {}, (self.second(x),) if self.second else ())


def config(**knobs):
    """Small and quick unless told otherwise; dotted names with __ for the dots."""
    return override(
        TrainingConfig(epochs=2, batch=4, optimizer={"learning_rate": 0.01}),
        {name.replace("__", "."): value for name, value in knobs.items()},
    )


def trainer(model=None, train=10, valid=5, task=None, **knobs):
    """A trainer over discs; numbers of pictures, or data sets."""
    task = task or Task()
    if model is None:
        torch.manual_seed(0)
        model = SmallNet(task.channels)
    train = Discs(train, task=task) if isinstance(train, int) else train
    valid = Discs(valid, flips=False, task=task, seed=1) if isinstance(valid, int) else valid
    return Trainer(config(**knobs), model, train, valid, task)


def weights(model):
    """All of a model's numbers in one row."""
    return torch.cat([tensor.double().flatten() for tensor in model.state_dict().values()])

"""Small networks for the tests of prediction, whose answers depend on all that they see."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from networks import small

from workbench.config import Preprocessing
from workbench.data.geometry import Fit
from workbench.data.reading import Facts
from workbench.inference.backend import BackendFacts
from workbench.inference.prediction import AttentionMaps, Prediction
from workbench.inference.predictor import Predictor
from workbench.models import SegmentationModel
from workbench.task import Task

OWN_SIZE = Preprocessing(resize="none")
TASKS = {
    "binary": Task(classes=("background", "nucleus")),
    "multiclass": Task(mode="multiclass", classes=("background", "disc", "box", "triangle")),
    "multilabel": Task(mode="multilabel", classes=("disc", "box", "triangle")),
}


def lively(name: str, task: Task, seed: int = 0, **knobs) -> SegmentationModel:
    """A network whose batch normalisation was calibrated on noise: every layer has a say, unlike in a new one."""
    torch.manual_seed(seed)
    model = small(name, 3, task.channels, **knobs).train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(4, 3, 64, 64))
    return model.eval()


def predictor(name: str = "attention_unet", mode: str = "binary", preprocessing=OWN_SIZE, **options) -> Predictor:
    task = TASKS[mode]
    return Predictor(lively(name, task), device="cpu", task=task, preprocessing=preprocessing, **options)


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """A picture that is different everywhere."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


class Brightness:
    """A back end that is no network: a pixel's logits are what its first channel holds, and so is its one gate."""

    context = 0

    def __init__(self, task: Task = TASKS["binary"], preprocessing: Preprocessing | None = None, multiple: int = 1):
        preprocessing = preprocessing or Preprocessing(resize="none", channels="grey", mean=(0.5,), std=(0.1,))
        self.facts = BackendFacts("brightness", task, preprocessing, 1, multiple, multiple)
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, batch):
        self.shapes.append(tuple(batch.shape))
        logits = batch[:, :1]
        if self.facts.task.channels > 1:
            levels = torch.linspace(-3, 3, self.facts.task.channels).view(1, -1, 1, 1)
            logits = -((logits - levels) ** 2) if self.facts.task.mode == "multiclass" else logits - levels
        gate = torch.nn.functional.avg_pool2d(batch[:, :1], self.facts.size_multiple).sigmoid()
        return logits.numpy(), {"gate": gate}


def made_up(mode: str, height: int = 60, width: int = 80, *, spacing=None, name: str = "cells", seed: int = 0):
    """A prediction that no model made: blobs with holes, some of which touch the edge or each other's corners."""
    rng = np.random.default_rng(seed)
    task = TASKS[mode]
    coarse = rng.random((task.channels, 1 + height // 6, 1 + width // 6)).astype(np.float32)
    probabilities = np.stack([cv2.resize(plane, (width, height)) for plane in coarse])
    if mode == "multiclass":
        probabilities = np.exp(8 * probabilities)
        probabilities /= probabilities.sum(0)
    labels = task.labels_of(torch.from_numpy(probabilities[None]))[0].numpy()
    facts = Facts(width, height, 3, 8, "PNG", spacing=spacing)
    gate = {"stride_8": rng.random((height // 4, width // 4)).astype(np.float32)}
    fit = Fit((height, width), (height, width), (height, width))
    picture = noise(height, width, seed=seed)
    return Prediction(name, task, picture, facts, labels, probabilities, AttentionMaps(gate, (height, width), fit))

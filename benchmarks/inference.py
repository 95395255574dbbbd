"""Every back end against plain float32 PyTorch: images a second, and what bf16 does to the Dice of a trained network.

    python benchmarks/inference.py [--models unet attention_unet] [--size 256] [--batch 1] [--rounds 10] [--dice]

Speed is `workbench bench`, a model after the other; give it the machine for itself, and quote ratios. `--dice` trains a
small Attention U-Net on drawn shapes (a minute or so) and scores it in every back end.
"""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench import cli
from workbench.config import Preprocessing
from workbench.data.layouts import open_source
from workbench.data.normalise import picture_to_input
from workbench.inference.backends import BACKENDS, installed_backends
from workbench.metrics import Tally
from workbench.models import SegmentationModel, create_model
from workbench.task import Task

TASK = Task(classes=("background", "shape"))
RULE = Preprocessing(resize="none")
SIDE, STEPS, BATCH, HELD_OUT = 96, 120, 8, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=["unet", "attention_unet"])
    parser.add_argument("--size", default="256")
    parser.add_argument("--batch", nargs="+", default=["1"])
    parser.add_argument("--rounds", default="10")
    parser.add_argument("--dice", action="store_true")
    arguments = parser.parse_args()
    for model in [] if arguments.dice else arguments.models:
        words = ["bench", "--model", model, "--size", arguments.size, "--rounds", arguments.rounds, "--batch"]
        print(f"\n{model}")
        cli.main([*words, *arguments.batch])
    if arguments.dice:
        compare_dice()


def compare_dice() -> None:
    images, masks = shapes(STEPS * BATCH + HELD_OUT)
    model = train(images[HELD_OUT:], masks[HELD_OUT:])
    for name in installed_backends():
        backend = BACKENDS[name](model, "cpu", task=TASK, preprocessing=RULE)
        tally = Tally(TASK)
        for image, mask in zip(images[:HELD_OUT].split(BATCH), masks[:HELD_OUT].split(BATCH), strict=True):
            tally.add(TASK.labels(torch.as_tensor(backend(image)[0])), mask)
        print(f"{name:16} Dice {tally.scores()['dice']:.5f} on {HELD_OUT} pictures")


def shapes(count: int) -> tuple[Tensor, Tensor]:
    source = open_source("shapes", "shapes", count=count, size=SIDE, difficulty=0.5)
    images = [picture_to_input(source.read_image(item).array, RULE)[0] for item in source.items]
    return torch.stack(images), torch.stack([torch.from_numpy(source.read_raw_mask(item)) for item in source.items])


def train(images: Tensor, masks: Tensor) -> SegmentationModel:
    torch.manual_seed(0)
    model = create_model("attention_unet", width=16).train()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for image, mask in zip(images.split(BATCH), masks.split(BATCH), strict=True):
        loss = F.binary_cross_entropy_with_logits(model(image).logits[:, 0], mask.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


if __name__ == "__main__":
    main()

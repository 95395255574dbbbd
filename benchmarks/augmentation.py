"""Samples a second of every augmentation preset, and of isic2018 written with torchvision v2, in one process.

    python benchmarks/augmentation.py [SIZE]

Reads uint8 pictures and masks from memory; the variants take turns and the fastest round of each counts.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from workbench.data.transforms import PRESETS, Transform, create_transform, sample_generator

ROUNDS, SAMPLES = 5, 200


def torchvision_isic2018(size: int):
    """The original's steps, one after the other, on image and mask together."""
    jitter = v2.ColorJitter(brightness=0.2, contrast=0.2, hue=0.02)

    def transform(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator):
        pair = tv_tensors.Image(torch.from_numpy(image).permute(2, 0, 1)), tv_tensors.Mask(torch.from_numpy(mask)[None])
        if rng.random() >= 0.4:
            return pair
        turn, crop = 90 * int(rng.integers(4)), int(rng.integers(250, 271))
        left, top, right, bottom = (int(cut) for cut in rng.integers(0, 21, 4))
        steps = [
            v2.Resize((int(rng.integers(300, 321)),) * 2),
            v2.RandomRotation((turn, turn)),
            v2.RandomRotation(10),
            v2.CenterCrop(crop),
            v2.Lambda(lambda x: v2.functional.crop(x, top, left, crop - top - bottom, crop - left - right)),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            jitter,
            v2.Resize((size, size)),
        ]
        return v2.Compose(steps)(*pair)

    return transform


def main(size: int) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, size, size, 3), np.uint8)
    masks = rng.integers(0, 2, (64, size, size), np.uint8)
    variants = {"isic2018 by torchvision": torchvision_isic2018(size)}
    variants |= {name: create_transform(name, size=(size, size)) for name in PRESETS}
    variants["isic2018, every picture"] = Transform(PRESETS["isic2018"]._replace(probability=1.0))
    best = dict.fromkeys(variants, float("inf"))
    for epoch in range(ROUNDS):
        for name, transform in variants.items():
            start = time.perf_counter()
            for index in range(SAMPLES):
                transform(images[index % 64], masks[index % 64], sample_generator(0, epoch, index))
            best[name] = min(best[name], time.perf_counter() - start)
    print(f"{size} x {size}, one process, {torch.get_num_threads()} torch threads")
    for name, seconds in best.items():
        print(f"{name:24} {SAMPLES / seconds:8.0f} samples/s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)

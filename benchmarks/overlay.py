"""How long overlays of a picture take: python benchmarks/overlay.py"""

from __future__ import annotations

import argparse

import cv2
import numpy as np
from timing import interleave, print_ratios

from workbench.overlays import attention_overlay, error_overlay, mask_overlay
from workbench.task import Task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    size, rng = arguments.size, np.random.default_rng(0)
    picture = rng.integers(0, 256, (size, size, 3), np.uint8)
    smooth = cv2.resize(rng.random((4, 40, 40), np.float32).transpose(1, 2, 0), (size, size)).transpose(2, 0, 1)
    labels, planes = smooth.argmax(0).astype(np.uint8), (smooth > 0.6).astype(np.uint8)
    attention = np.ascontiguousarray(smooth[0])
    names = ("background", "disc", "box", "triangle")
    classes, overlapping = Task(mode="multiclass", classes=names), Task(mode="multilabel", classes=names)
    seconds = interleave(
        {
            "four classes": lambda: mask_overlay(picture, labels, classes),
            "four overlapping classes": lambda: mask_overlay(picture, planes, overlapping),
            "attention": lambda: attention_overlay(picture, attention),
            "errors": lambda: error_overlay(picture, planes[0], planes[1]),
        },
        arguments.rounds,
    )
    print_ratios(f"{size} x {size}, {cv2.getNumThreads()} threads", seconds)


if __name__ == "__main__":
    main()

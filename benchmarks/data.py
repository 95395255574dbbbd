"""Preparing and loading against the original's way of decoding every picture in every epoch.

    python benchmarks/data.py [--pictures 24] [--rounds 3] [--threads 1]

It makes 2048x1536 JPEG files with PNG masks in a temporary folder; the variants take turns, the fastest round counts.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from workbench.config import DataConfig, Preprocessing
from workbench.data.dataset import loader, training_dataset
from workbench.data.layouts import open_source
from workbench.data.prepare import prepare
from workbench.data.prepared import Prepared

SIZE = (256, 256)
LARGE = (1536, 2048)
Pair = tuple[Path, Path]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and OpenCV in the loading process")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), arguments.pictures, arguments.rounds)


def compare(folder: Path, count: int, rounds: int) -> None:
    pairs = make_files(folder / "isic", count)
    config = DataConfig(path=str(folder / "isic"), preprocessing=Preprocessing(size=SIZE), fractions=(1, 0, 0))
    preparations = iter(range(1000))

    def prepare_anew() -> Prepared:
        return prepare(config, folder / f"prepared-{next(preparations)}", workers=2)

    prepared = prepare_anew()
    many = prepare(
        config.model_copy(update={"path": "shapes", "options": {"count": 1000}}), folder / "shapes", workers=2
    )
    report(
        "Preparing 2048x1536 pictures, two processes",
        interleave(
            {
                "PIL in draft mode": (count, lambda: by_two_processes(pairs)),
                "workbench data prepare": (count, prepare_anew),
            },
            rounds,
        ),
    )
    report(
        "An epoch of 2048x1536 pictures at 256x256, one process",
        interleave(
            {
                "the original: PIL decodes and resizes": (count, lambda: list(map(as_the_original, pairs))),
                "prepared": (count, epoch_of(prepared, config, "none")),
                "prepared, flips": (count, epoch_of(prepared, config, "flips")),
                "prepared, isic2018": (count, epoch_of(prepared, config, "isic2018")),
            },
            rounds,
        ),
    )
    report(
        "An epoch of 1,000 prepared 256x256 pictures, batches of 16",
        interleave(
            {
                f"{augmentation}, {workers} workers": (1000, epoch_of(many, config, augmentation, workers))
                for augmentation in ("none", "flips", "isic2018")
                for workers in (0, 2)
            },
            rounds,
        ),
    )


def make_files(root: Path, count: int) -> list[Pair]:
    """Pictures with the detail and the size in bytes of photographs."""
    rng = np.random.default_rng(0)
    source = open_source("shapes", count=count, size=256, difficulty=0.5)
    inputs, truths = (root / f"ISIC2018_Task1{part}" for part in ("-2_Training_Input", "_Training_GroundTruth"))
    inputs.mkdir(parents=True)
    truths.mkdir()
    pairs = []
    for item in source.items:
        pair = inputs / f"ISIC_{item.index:07d}.jpg", truths / f"ISIC_{item.index:07d}_segmentation.png"
        picture = cv2.resize(source.read_image(item).array, LARGE[::-1], interpolation=cv2.INTER_CUBIC)
        grain = rng.normal(0, 6, LARGE)[..., None]
        Image.fromarray(np.clip(picture + grain, 0, 255).astype(np.uint8)).save(pair[0], quality=92)
        mask = cv2.resize(source.read_raw_mask(item) * 255, LARGE[::-1], interpolation=cv2.INTER_NEAREST)
        Image.fromarray(mask).save(pair[1])
        pairs.append(pair)
    return pairs


def as_the_original(pair: Pair) -> tuple[torch.Tensor, torch.Tensor]:
    """Decode at full size, resize, to tensors, normalise."""
    image = Image.open(pair[0]).convert("RGB").resize(SIZE, Image.Resampling.BILINEAR)
    mask = Image.open(pair[1]).resize(SIZE, Image.Resampling.NEAREST)
    tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
    return (tensor - 0.5) / 0.5, torch.from_numpy(np.array(mask)).float().div(255)


def in_draft_mode(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """PIL at its fastest: the JPEG is decoded at an eighth to a half of its size."""
    image = Image.open(pair[0])
    image.draft("RGB", SIZE)
    small = np.array(image.resize(SIZE, Image.Resampling.BOX))
    return small, np.array(Image.open(pair[1]).resize(SIZE, Image.Resampling.NEAREST))


def by_two_processes(pairs: list[Pair]) -> None:
    with ProcessPoolExecutor(2, get_context("forkserver")) as pool:
        list(pool.map(in_draft_mode, pairs, chunksize=4))


def epoch_of(prepared: Prepared, config: DataConfig, augmentation: str, workers: int = 0) -> Callable[[], None]:
    dataset = training_dataset(prepared, config.model_copy(update={"augmentation": augmentation}))
    batches = loader(dataset, 16, shuffle=True, workers=workers)

    def run() -> None:
        dataset.set_epoch(dataset.epoch + 1)
        for batch in batches:
            assert batch.image.shape[1:] == (3, *SIZE)

    return run


def interleave(variants: dict[str, tuple[int, Callable[[], Any]]], rounds: int) -> dict[str, float]:
    """Pictures a second of each variant's fastest round, after one to warm up."""
    best = dict.fromkeys(variants, 0.0)
    for number in range(rounds + 1):
        for name, (count, run) in variants.items():
            start = perf_counter()
            run()
            if number:
                best[name] = max(best[name], count / (perf_counter() - start))
    return best


def report(title: str, speeds: dict[str, float]) -> None:
    print(f"\n{title}")
    first = next(iter(speeds.values()))
    for name, speed in speeds.items():
        print(f"  {name:<40} {speed:10,.0f} pictures/s  {speed / first:8.2f} x")


if __name__ == "__main__":
    main()

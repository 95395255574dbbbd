"""Prepared pictures as batches of samples; all chance comes from (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from workbench.config import DataConfig, Preprocessing
from workbench.data.crops import Crop, cut, draw_window
from workbench.data.intensity import scale_and_shift
from workbench.data.normalise import batch_to_input
from workbench.data.prepared import Prepared
from workbench.data.sample import Sample
from workbench.data.transforms import Transform, create_transform, sample_generator
from workbench.errors import UserError, choices
from workbench.task import IGNORE


class Batch(list[Sample]):
    """The samples of a batch; they are views of `whole`, which spares collating them."""

    whole: Sample


class PreparedDataset(Dataset[Sample]):
    """The samples of one split, normalised: pictures float32 [channels, h, w], masks uint8.

    With a `crop` a sample is a part of its picture; the transform, if any, must then map to the crop's size. What is
    drawn depends on the seed, the epoch and the index, so it is the same for any number of workers and after a resume.
    """

    def __init__(
        self,
        prepared: Prepared,
        split: str,
        preprocessing: Preprocessing,
        transform: Transform | None = None,
        crop: Crop | None = None,
        seed: int = 0,
    ):
        if split not in prepared.splits:
            raise choices("split", split, prepared.splits)
        prepared.check(preprocessing)
        self.prepared = prepared
        self.numbers = prepared.splits[split]
        self.transform = transform
        self.crop = crop
        self.seed = seed
        self._flip = preprocessing.channels == "bgr"
        self._factor, self._summand = _scales(prepared, self.numbers, preprocessing)
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # seen by workers that are already there

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def epoch(self) -> int:
        """The epoch that crops, transforms and the order are drawn for."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Draw other crops and transforms, and another order."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> Sample:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Many at once, which is faster than one after another."""
        pairs = [self._pair(index) for index in indices]
        names = [self.prepared.entries[self.numbers[index]].name for index in indices]
        _refuse_sizes(names, pairs)
        rows = list(indices)
        images = batch_to_input(
            np.stack([image for image, _ in pairs]), self._factor[rows], self._summand[rows], self._flip
        )
        masks = torch.from_numpy(np.stack([mask for _, mask in pairs]))
        batch = Batch(Sample(name, images[i], masks[i]) for i, name in enumerate(names))
        batch.whole = Sample(names, images, masks)
        return batch

    def _pair(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Picture and mask as stored, or the part and the transform of them that this epoch shows."""
        number = self.numbers[index]
        image, mask = self.prepared.image(number), self.prepared.mask(number)
        if self.crop is None and self.transform is None:
            return image, mask
        rng = sample_generator(self.seed, self.epoch, index)
        if self.crop is not None:
            size = self.transform.window(self.crop.size, rng) if self.transform else self.crop.size
            window = draw_window(self.prepared, number, self.crop, size, rng)
            image, mask = cut(image, window, 0, (0, 1)), cut(mask, window, IGNORE, (-2, -1))
        return self.transform(image, mask, rng) if self.transform else (image, mask)


def _scales(prepared: Prepared, numbers: Sequence[int], preprocessing: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """Factor and summand [pictures, channels] of every picture."""
    entries = [prepared.entries[number] for number in numbers]
    channels = {entry.image_shape[2] for entry in entries}
    if len(channels) > 1:
        raise UserError(
            f"The pictures of {prepared.folder} have {' or '.join(map(str, sorted(channels)))} channels, and a model "
            "takes one kind: set preprocessing.channels to rgb or grey and prepare again."
        )
    scales = [
        scale_and_shift(entry.intensities, np.dtype(entry.dtype), preprocessing, entry.image_shape[2])
        for entry in entries
    ]
    factors, summands = zip(*scales, strict=True) if scales else ((), ())
    return np.array(factors, np.float32), np.array(summands, np.float32)


def _refuse_sizes(names: Sequence[str], pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
    first = pairs[0][0].shape
    for name, (image, _) in zip(names, pairs, strict=True):
        if image.shape != first:
            raise UserError(
                f"{names[0]} is {first[1]}x{first[0]} and {name} {image.shape[1]}x{image.shape[0]}: for batches of "
                "more than one set data.crop, or resize to one size (stretch, letterbox)."
            )


class EpochOrder(Sampler[int]):
    """All of a data set in an order that the seed and the data set's epoch decide."""

    def __init__(self, dataset: PreparedDataset):
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.dataset.seed, self.dataset.epoch))
        yield from rng.permutation(len(self.dataset)).tolist()


def loader(
    dataset: PreparedDataset, batch_size: int, *, shuffle: bool = False, drop_last: bool = False, workers: int = 0
) -> DataLoader:
    """Batches as `Sample(names, images, masks)`; shuffled anew by each `dataset.set_epoch`.

    No workers is the default because it is the fastest: reading prepared pictures costs less than handing them from one
    process to another.
    """
    return DataLoader(
        dataset,
        batch_size,
        sampler=EpochOrder(dataset) if shuffle else None,
        drop_last=drop_last,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=_whole,
    )


def _whole(batch: list[Sample]) -> Sample:
    assert isinstance(batch, Batch)
    return batch.whole


def training_dataset(prepared: Prepared, config: DataConfig, seed: int = 0) -> PreparedDataset:
    """The train split as a config asks: its crops and its augmentation."""
    crop = Crop(config.crop, config.largest_class_share, config.foreground_crops) if config.crop else None
    transform = create_transform(config.augmentation, config.augmentation_strength, config.crop)
    return PreparedDataset(prepared, "train", config.preprocessing, transform, crop, seed)


def evaluation_dataset(prepared: Prepared, config: DataConfig, split: str = "valid") -> PreparedDataset:
    """Whole pictures without chance, in the order in which they were prepared."""
    return PreparedDataset(prepared, split, config.preprocessing)

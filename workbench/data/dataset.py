"""Prepared pictures as batches of samples; all chance comes from (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.data import DataLoader, Dataset

from workbench.config import DataConfig, Preprocessing
from workbench.data.prepared import Prepared
from workbench.data.sample import Sample


class PreparedDataset(Dataset):
    """The samples of one split."""

    def __init__(
        self,
        prepared: Prepared,
        split: str,
        preprocessing: Preprocessing,
        transform: Callable[..., Any] | None = None,
        crop: Any = None,
        seed: int = 0,
    ):
        raise NotImplementedError

    def set_epoch(self, epoch: int) -> None:
        """Draw other crops and transforms, and another order."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> Sample:
        raise NotImplementedError


def loader(
    dataset: PreparedDataset, batch_size: int, *, shuffle: bool = False, drop_last: bool = False, workers: int = 0
) -> DataLoader:
    """Batches as `Sample(names, images, masks)`."""
    raise NotImplementedError


def training_dataset(prepared: Prepared, config: DataConfig, seed: int = 0) -> PreparedDataset:
    """The train split as a config asks: its crops and its augmentation."""
    raise NotImplementedError

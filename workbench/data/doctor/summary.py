"""What a data set is like in numbers: counts, sizes, class shares and intensities."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from workbench.data.counting import named
from workbench.data.doctor.examination import Examination
from workbench.data.spread import Measured, Spread, spread
from workbench.task import IGNORE

WORDS = {"uint8": "8-bit", "uint16": "16-bit", "float32": "decimal"}


@dataclass(frozen=True)
class ClassShare:
    """How much of the data a class is."""

    name: str
    pixels: float
    """Share of all pixels."""
    pictures: float
    """Share of the pictures that show it."""


@dataclass(frozen=True)
class Summary:
    """Numbers for a person to compare with what he expects."""

    layout: str
    report: str
    pictures: int
    usable: int
    splits: dict[str, int]
    sizes: dict[str, int]
    """Width x height to the number of pictures, the most frequent first."""
    channels: dict[str, int]
    types: dict[str, int]
    formats: dict[str, int]
    mode: str
    classes: tuple[ClassShare, ...]
    ignored: float
    """Share of the pixels that take no part."""
    intensity: dict[str, float]
    """Lowest, highest, mean and deviation of the stored values, of the mean, darkest and brightest picture."""
    spread: Spread | None = None
    """How the pictures of each split differ, of the data set's own ones; None where no mask can be made sense of."""

    def lines(self) -> list[tuple[str, str]]:
        """Titles and texts to read."""
        lines = [
            ("Layout", self.report),
            ("Pictures", f"{self.pictures:,}, of which {self.usable:,} can be used"),
            ("Splits", named(f"{count:,} {split}" for split, count in self.splits.items()) or "none of its own"),
            ("Sizes", _counts(self.sizes)),
            ("Stored as", f"{_counts(self.formats)}; {_counts(self.types)}; channels {_counts(self.channels)}"),
            (
                "Values",
                "{lowest:g} to {highest:g}, mean {mean:.4g}, deviation {deviation:.4g}".format(**self.intensity),
            ),
            ("Task", self.mode or "unclear until the masks are mended"),
        ]
        lines += [
            (share.name, f"{_percent(share.pixels)} of the pixels, in {_percent(share.pictures)} of the pictures")
            for share in self.classes
        ]
        if self.ignored:
            lines.append(("ignored", f"{_percent(self.ignored)} of the pixels"))
        return lines


def summarise(examination: Examination) -> Summary:
    """The numbers of a data set, with its masks as they are after the proposed mends."""
    pictures = [picture for _, picture in examination.pictures]
    facts = [picture.facts for picture in pictures]
    task = examination.task
    usable = sum(
        look.picture is not None
        and look.mask is not None
        and look.picture.size == look.mask.size
        and item.name in examination.class_pixels
        for item, look in examination.pairs
    )
    shares, ignored = _classes(examination)
    return Summary(
        layout=examination.source.layout,
        report=examination.source.report,
        pictures=len(examination.looks),
        usable=usable,
        splits=dict(Counter(examination.splits.values())),
        sizes=_counted(f"{fact.width}x{fact.height}" for fact in facts),
        channels=_counted(str(fact.channels) for fact in facts),
        types=_counted(WORDS.get(picture.dtype, picture.dtype) for picture in pictures),
        formats=_counted(fact.format for fact in facts),
        mode=task.mode if task else "",
        classes=shares,
        ignored=ignored,
        intensity={
            "lowest": min((picture.low for picture in pictures), default=0.0),
            "highest": max((picture.high for picture in pictures), default=0.0),
            "mean": float(np.mean([picture.mean for picture in pictures])) if pictures else 0.0,
            "deviation": float(np.mean([picture.deviation for picture in pictures])) if pictures else 0.0,
            "darkest_mean": min((picture.mean for picture in pictures), default=0.0),
            "brightest_mean": max((picture.mean for picture in pictures), default=0.0),
        },
        spread=_spread(examination),
    )


def _classes(examination: Examination) -> tuple[tuple[ClassShare, ...], float]:
    task, pixels = examination.task, examination.class_pixels
    if task is None or not pixels:
        return (), 0.0
    counts = np.stack(list(pixels.values()))
    area = examination.area
    shares = tuple(
        ClassShare(name, float(counts[:, number].sum() / area), float((counts[:, number] > 0).mean()))
        for number, name in enumerate(task.classes)
    )
    return shares, float(counts[:, IGNORE].sum() / area)


def _spread(examination: Examination) -> Spread | None:
    if examination.task is None or not examination.class_pixels:
        return None
    splits: dict[str, list[Measured]] = defaultdict(list)
    for item, mask in examination.masks:
        if item.name in examination.class_pixels:
            split = examination.splits.get(item.name, "in no split") if examination.splits else "all"
            height, width = mask.size
            splits[split].append(Measured(mask.size, examination.class_pixels[item.name].tolist(), height * width))
    return spread(examination.task, splits)


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _counts(counts: dict[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return named((f"{value} ({count:,})" for value, count in counts.items()), 5)


def _percent(share: float) -> str:
    return "under 0.1%" if 0 < share < 0.001 else f"{share:.1%}"

"""From a mask as stored to class ids: a mapping that is chosen once for a data set and applied to every mask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from workbench.config import DataConfig
from workbench.data.geometry import nearest
from workbench.data.source import Item, Source
from workbench.errors import UserError
from workbench.task import IGNORE, Task

CHECK = "`workbench data check` shows what they are and proposes a mapping for mask_values"
SAMPLED = 24
"""How many masks are looked at where nobody says what their values mean."""
MOST_CLASSES = 64
"""Values from here on are no class ids, unless the config says so."""


@dataclass(frozen=True)
class Labels:
    """What the stored values of a data set's masks mean."""

    task: Task
    values: tuple[tuple[int, int], ...]
    """(stored value, class id) pairs; a colour counts as the integer 0xRRGGBB; 255 as class id is ignored."""
    snap: bool = False
    """Give a value that is not listed the class of the nearest one that is."""
    objects: bool = False
    """Stored values number the objects: whatever is not 0 is foreground."""
    guessed: bool = False
    """Ids and their number were guessed from some masks: there may be more classes than the task names."""
    report: str = ""
    """How the mapping was chosen, in a sentence for the user."""


def choose_labels(source: Source, config: DataConfig) -> Labels:
    """The mapping that the config, the layout or, where both are silent, a look at some masks asks for."""
    if config.mask_values:
        values = tuple(sorted((_stored(value), name) for value, name in config.mask_values.items()))
        mode = "multilabel" if source.multilabel else _mode_of({name for _, name in values} - {IGNORE})
        return _labels(source, config, mode, values, "Mask values as the config maps them.")
    if source.values:
        mode = _mode_of({name for _, name in source.values} - {IGNORE})
        return _labels(source, config, mode, source.values, f"Mask values as {source.layout} defines them.")
    return _guess(source, config)


def _guess(source: Source, config: DataConfig) -> Labels:
    """From the values of some masks, spread over the data set."""
    seen = _look(source)
    values = seen.values
    if values <= {0, 255} or values <= {0, 1}:
        mode = "multilabel" if source.multilabel else "binary"
        return _labels(source, config, mode, _on_off(values), _on_off_report(values))
    if seen.numbers_objects and config.mode in ("auto", "binary"):
        report = f"Mask values from 0 to {max(values)} number the objects: whatever is not 0 is foreground."
        return _labels(source, config, "binary", (), report, objects=True)
    needed = max(values - {IGNORE}) + 1
    if seen.whole_numbers and needed <= MOST_CLASSES and not seen.two_ways:
        ignored = ", 255 is ignored." if IGNORE in values else "."
        ids = range(len(config.classes) or MOST_CLASSES)
        if config.mode == "binary":
            either = (*((i, min(i, 1)) for i in range(MOST_CLASSES)), (IGNORE, IGNORE))
            return _labels(source, config, "binary", either, f"Every mask value but 0 is foreground{ignored}")
        same = (*((i, i) for i in ids), (IGNORE, IGNORE))
        report = f"Mask values are class ids{ignored}"
        return _labels(source, config, "multiclass", same, report, guessed=not config.classes, needed=needed)
    raise UserError(
        f"What the {len(values)} values of the masks in {source.root} mean is unclear "
        f"({_listed(values, seen.colour)}): {CHECK}."
    )


class _Seen(NamedTuple):
    values: set[int]
    colour: bool
    whole_numbers: bool
    """They may be class ids or numbers of objects."""
    numbers_objects: bool
    two_ways: bool
    """No mask has 255 beside other ids, as where it is ignored: some say 255 for what others say 1."""


def _look(source: Source) -> _Seen:
    values: set[int] = set()
    colour = beside = False
    counts: list[int] = []
    for item in source.items[:: max(1, len(source.items) // SAMPLED)]:
        try:
            mask = source.read_raw_mask(item)
        except UserError:  # it is told when the item is prepared
            continue
        found = distinct(mask)
        values.update(found)
        colour |= mask.ndim == 3 and not source.multilabel
        beside |= IGNORE in found and not set(found) <= {0, IGNORE}
        if _in_one_piece_each(mask, found):
            counts.append(max(found))
    if not values:
        raise UserError(f"None of the masks of {source.root} could be read: `workbench data check` says why.")
    whole_numbers = min(values) >= 0 and not colour and not source.multilabel
    # organs are in one piece each too, but their ids are few and the same in every picture
    vary = len(counts) >= 3 and len(set(counts)) > len(counts) / 2
    numbers = whole_numbers and bool(counts) and (vary or max(counts) >= MOST_CLASSES)
    return _Seen(values, colour, whole_numbers, numbers, IGNORE in values and not beside)


def _on_off(seen: set[int]) -> tuple[tuple[int, int], ...]:
    return ((0, 0), (255, 1)) if 255 in seen else ((0, 0), (1, 1))


def _on_off_report(seen: set[int]) -> str:
    return f"Mask values are 0 for background and {255 if 255 in seen else 1} for foreground."


def _labels(
    source: Source,
    config: DataConfig,
    mode: str,
    values: tuple[tuple[int, int], ...],
    report: str,
    objects: bool = False,
    guessed: bool = False,
    needed: int = 0,
) -> Labels:
    if config.mode not in ("auto", mode) and (config.mode, mode) != ("multiclass", "binary"):
        raise UserError(
            f"The config asks for a {config.mode} task, but the masks of {source.root} are {mode}: "
            f"set mode to auto or {mode}, or map the values by mask_values."
        )
    mode = config.mode if config.mode != "auto" else mode
    if mode == "multilabel":
        needed = len(source.classes)
    elif not needed:
        needed = max((2, *(name + 1 for _, name in values if name != IGNORE)))
    classes = config.classes or source.classes or unnamed(needed)
    if len(classes) < needed or (mode != "multiclass" and len(classes) != needed):
        raise UserError(
            f"The masks of {source.root} have {needed} classes, but there are {len(classes)} names "
            f"({', '.join(classes)}): name each class, in the order of the ids."
        )
    task = Task(mode=mode, classes=tuple(classes))  # type: ignore[arg-type]
    return Labels(task, values, config.snap_mask_values, objects, guessed and not source.classes, report)


def unnamed(count: int) -> tuple[str, ...]:
    """Names for classes that nobody named."""
    return ("background", "foreground") if count == 2 else tuple(f"class {number}" for number in range(count))


def complete_task(labels: Labels, found: int) -> Task:
    """The task, with as many classes as all of the masks together have where their number was guessed."""
    if not labels.guessed or found <= len(labels.task.classes):
        return labels.task
    return Task(mode=labels.task.mode, classes=unnamed(found))


def _mode_of(ids: set[int]) -> str:
    return "binary" if ids <= {0, 1} else "multiclass"


def _stored(value: int | str) -> int:
    """An integer, or a colour `#rrggbb` as an integer."""
    try:
        return int(value[1:], 16) if isinstance(value, str) and value.startswith("#") else int(value)
    except ValueError:
        raise UserError(f"A mask value is an integer or a colour such as '#ff0000', not {value!r}.") from None


def _in_one_piece_each(mask: np.ndarray, values: list[int]) -> bool:
    """Whether there are many values on a background, and nearly each is in one piece."""
    values = [value for value in values if value]
    if mask.ndim != 2 or len(values) < 8 or np.mean(mask == 0) < 0.02:
        return False
    some = values[:: max(1, len(values) // 16)]
    return sum(cv2.connectedComponents((mask == value).astype(np.uint8))[0] == 2 for value in some) >= 0.9 * len(some)


def flat(stored: np.ndarray) -> np.ndarray:
    """Colours [h, w, 3] as integers 0xRRGGBB [h, w]; anything else as it is."""
    if stored.ndim == 3 and stored.shape[2] == 3 and stored.dtype == np.uint8:
        red, green, blue = (stored[..., channel].astype(np.int32) for channel in range(3))
        return red << 16 | green << 8 | blue
    return stored


def distinct(stored: np.ndarray) -> list[int]:
    """The values that occur, colours as integers."""
    values = flat(stored)
    if values is not stored:
        seen = np.zeros(1 << 24, bool)
        seen[values] = True
        return np.flatnonzero(seen).tolist()
    if stored.dtype == np.uint8:
        rows = np.ascontiguousarray(stored).reshape(-1, stored.shape[-1])
        return np.flatnonzero(cv2.calcHist([rows], [0], None, [256], [0, 256])).tolist()
    return np.unique(stored).tolist()


def to_class_ids(stored: np.ndarray, labels: Labels, where: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """uint8 class ids [h, w] ([classes, h, w] for multilabel) of a stored mask; `where` names it in the error.

    With a `size` the ids are those of the nearest pixels; all values of the mask are checked even so.
    """
    colour = stored.ndim == 3 and labels.task.mode != "multilabel"
    present = [] if labels.objects else distinct(stored)
    known = dict(labels.values)
    unlisted = [value for value in present if value not in known]
    if unlisted and not labels.snap:
        raise UserError(
            f"The mask of {where} holds {_listed(unlisted, colour)}, which no class has: {CHECK}, "
            "or set snap_mask_values to give each the nearest class."
        )
    if size:
        stored = nearest(stored, size, (0, 1) if colour else (-2, -1))
    if labels.objects:
        return (stored != 0).astype(np.uint8)
    values = flat(stored) if colour else stored
    chosen = {value: known.get(value, known[_closest(value, known, colour)]) for value in present}
    table = np.array([chosen[value] for value in present], np.uint8)
    if values.dtype == np.uint8:
        full = np.zeros(256, np.uint8)
        full[present] = table
        return full[values]
    return table[np.searchsorted(np.array(present), values)]


def read_mask(source: Source, item: Item, labels: Labels) -> np.ndarray:
    """The mask of an item as class ids."""
    return to_class_ids(source.read_raw_mask(item), labels, item.name)


def _closest(value: int, known: Iterable[int], colour: bool) -> int:
    def distance(other: int) -> int:
        if not colour:
            return abs(value - other)
        return sum(((value >> shift & 255) - (other >> shift & 255)) ** 2 for shift in (16, 8, 0))

    return min(known, key=distance)


def _listed(values: Iterable[int], colour: bool = False, most: int = 6) -> str:
    values = sorted(values)
    texts = [f"#{value:06x}" if colour else str(value) for value in values[:most]]
    return (
        ("the value " if len(values) == 1 else "the values ")
        + ", ".join(texts)
        + (" ..." if len(values) > most else "")
    )

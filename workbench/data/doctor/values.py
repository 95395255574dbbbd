"""Which stored mask values mean which class: a proposal made from all masks, and what is odd about each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from workbench.data.doctor.look import MaskLook, Plane
from workbench.data.labels import MOST_CLASSES, Labels
from workbench.task import IGNORE

WIDE = 8.0
"""Borders wider than this are no smoothed edges, but a soft mask all over."""
MAJORITY = 0.6
"""The share of masks that must agree before the others count as odd."""
APART = 32
"""Two values that both stand for a class differ by at least this where masks are soft."""

BINARY = (frozenset({0, 1}), frozenset({0, 255}))


class Proposal(NamedTuple):
    """Stored value to class id, and whether other values take the nearest."""

    values: dict[int, int]
    snap: bool

    def changes(self, colours: Collection[int]) -> dict[str, Any]:
        """As knobs of a DataConfig; `colours` are written as such."""
        named = {f"#{value:06x}" if value in colours else value: name for value, name in self.values.items()}
        return ({"mask_values": named} if named else {}) | ({"snap_mask_values": True} if self.snap else {})


def kind_of_plane(plane: Plane, known: Collection[int]) -> str:
    """What is odd about a mask whose classes have the known values; empty where nothing is."""
    unknown = plane.values.keys() - set(known)
    if not unknown:
        return ""
    if plane.is_soft:
        return "soft_masks" if plane.ramp > WIDE else "soft_edges"
    if plane.is_colour:
        return "mask_colours"
    if min(plane.values) == 1 and max(plane.values) == max(set(known) - {IGNORE}, default=0) + 1:
        return "off_by_one"
    return "odd_values"


def kind_of(mask: MaskLook, known: Collection[int]) -> str:
    """The same for a mask of any number of planes."""
    return next(filter(None, (kind_of_plane(plane, known) for plane in mask.planes)), "")


def known_values(masks: Sequence[MaskLook], labels: Labels | None, is_given: bool) -> frozenset[int]:
    """The stored values that are class ids beyond doubt: given by the config or the layout, or held by most masks."""
    if is_given:
        return frozenset(value for value, _ in labels.values) if labels else frozenset()
    hard = [mask for mask in masks if not any(plane.is_colour or plane.is_soft for plane in mask.planes)]
    if not hard or len(hard) < MAJORITY * len(masks):
        return frozenset()
    marked = [mask for mask in hard if mask.values != {0}]
    kind, votes = _most_common(next((kind for kind in BINARY if mask.values <= kind), None) for mask in marked)
    if kind and votes >= MAJORITY * len(marked):
        return kind
    odd = _shifted_span(hard)
    ids = frozenset(value for mask in hard if _span(mask) != odd for value in mask.values)
    return ids if min(ids) >= 0 and max(ids - {IGNORE}, default=0) < MOST_CLASSES else frozenset()


def _shifted_span(masks: Sequence[MaskLook]) -> tuple[int, int] | None:
    """The span of ids that starts with 1 and ends one above that of most masks, which starts with 0."""
    spans = Counter(filter(None, map(_span, masks)))
    span, votes = _most_common(spans.elements())
    if span is None or span[0] != 0:
        return None
    shifted = 1, span[1] + 1
    return shifted if votes >= 3 and spans[shifted] < votes / 2 else None


def _span(mask: MaskLook) -> tuple[int, int] | None:
    ids = mask.values - {IGNORE}
    return (min(ids), max(ids)) if ids else None


def _most_common(things: Iterable[Any]) -> tuple[Any, int]:
    """The most frequent thing that is not None, and how often it occurs."""
    counts = Counter(thing for thing in things if thing is not None)
    return counts.most_common(1)[0] if counts else (None, 0)


def propose(masks: Sequence[MaskLook], known: frozenset[int], is_given: bool) -> Proposal | None:
    """A mapping under which as many masks as possible mean something; None where there is no telling."""
    planes = [plane for mask in masks for plane in mask.planes]
    hard = [plane for plane in planes if not plane.is_soft]
    snap = len(hard) < len(planes)
    if is_given:
        return Proposal({}, snap) if snap else None
    if known in BINARY:
        values = {0: 0, max(known): 1} | _binary_colours(planes)
        others = {value for plane in hard if not plane.is_colour for value in plane.values} - set(values)
        return Proposal(values | ({1: 1} if others == {1} and not snap else {}), snap)
    if known:
        return Proposal({value: value for value in sorted(known)}, snap) if snap else None
    main = _main_values(hard or planes, soft=not hard)
    return Proposal(_numbered(main, planes), snap) if 1 < len(main) <= MOST_CLASSES else None


def _binary_colours(planes: Iterable[Plane]) -> dict[int, int]:
    """For masks of two colours among those of two values: the darker one is the background."""
    found: dict[int, int] = {}
    for plane in planes:
        main = sorted(_main_values([plane], soft=plane.is_soft), key=_brightness) if plane.is_colour else []
        if len(main) == 2:
            found |= {main[0]: 0, main[1]: 1}
    return found


def _main_values(planes: Sequence[Plane], soft: bool) -> list[int]:
    """The values that stand for classes, the most frequent first."""
    pixels: Counter[int] = Counter()
    for plane in planes:
        pixels.update(plane.values)
    if not soft:
        return [value for value, _ in pixels.most_common()]
    is_colour = any(plane.is_colour for plane in planes)
    main: list[int] = []
    for value, count in pixels.most_common():
        if count < 0.005 * pixels.total():
            break
        if all(_distance(value, other, is_colour) >= APART for other in main):
            main.append(value)
    return main


def _numbered(values: Sequence[int], planes: Sequence[Plane]) -> dict[int, int]:
    """Class ids for values: colours by frequency with black first, numbers in their order with 255 to be ignored."""
    if any(plane.is_colour for plane in planes):
        order = sorted(values, key=lambda value: value != 0) if 0 in values else list(values)
        return {value: number for number, value in enumerate(order)}
    order = sorted(values)
    ignored = len(order) > 2 and order[-1] == IGNORE and order[-2] < MOST_CLASSES
    numbered = {value: number for number, value in enumerate(order[:-1] if ignored else order)}
    return numbered | {IGNORE: IGNORE} if ignored else numbered


def _distance(one: int, other: int, is_colour: bool) -> float:
    if not is_colour:
        return abs(one - other)
    return max(abs((one >> shift & 255) - (other >> shift & 255)) for shift in (16, 8, 0))


def _brightness(colour: int) -> int:
    return sum(colour >> shift & 255 for shift in (16, 8, 0))


def colours_of(masks: Iterable[MaskLook]) -> set[int]:
    """The values that were stored as colours only."""
    colours, numbers = set[int](), set[int]()
    for mask in masks:
        for plane in mask.planes:
            (colours if plane.is_colour else numbers).update(plane.values)
    return colours - numbers

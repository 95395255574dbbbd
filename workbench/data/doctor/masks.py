"""Findings about masks: values that are no class ids, nothing or everything marked, classes out of balance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workbench.data.counting import named, plural
from workbench.data.doctor.examination import Examination
from workbench.data.doctor.findings import Finding, Mend
from workbench.data.doctor.look import MaskLook
from workbench.data.doctor.values import BINARY
from workbench.task import IGNORE

RARE = 0.005
"""Classes with a smaller share of the pixels are told as rare."""
OFTEN_EMPTY = 0.5
"""Empty masks are a warning from this share of all masks on."""
LOSSY = (".jpg", ".jpeg")

ODD: dict[str, tuple[str, str, str]] = {
    "soft_edges": (
        "{masks} soft edges: values between those of the classes ({values}).",
        "Each in-between value would count as a class of its own, so training refuses them.",
        "Save masks as PNG, and resize them with the nearest pixel.",
    ),
    "soft_masks": (
        "{masks} soft throughout, such as probabilities ({values}).",
        "Each value would count as a class of its own, so training refuses them.",
        "Threshold them where the object begins.",
    ),
    "mask_colours": (
        "{masks} stored as colours ({values}), not as class ids.",
        "A colour is no class id, so training refuses them.",
        "Say which colour is which class (data.mask_values), or save ids.",
    ),
    "off_by_one": (
        "{masks} ids that are one too high ({values}; the others hold {known}).",
        "Every pixel would be learned as the next class, or training refuses them.",
        "Subtract 1 from these masks.",
    ),
    "odd_values": (
        "{masks} values that no class has ({values}{known_too}).",
        "Training refuses values that it cannot take for a class.",
        "Say which value is which class (data.mask_values), or correct these masks.",
    ),
}
"""Kind to what was found, what it does, and what to do by hand."""


def odd_values(examination: Examination) -> Iterator[Finding]:
    """Masks whose values are not those of the classes, by the kind of oddity."""
    for kind, (title, explanation, advice) in ODD.items():
        found = [(item, mask) for item, mask in examination.masks if examination.kinds.get(item.name) == kind]
        if not found:
            continue
        masks = [mask for _, mask in found]
        lossy = any(path.name.lower().endswith(LOSSY) for item, _ in found for path in item.masks)
        known = _listed_values(sorted(examination.known))
        is_snapped = examination.labels is not None and examination.labels.snap
        yield Finding(
            kind,
            "note" if is_snapped and kind.startswith("soft") else "error",
            title.format(
                masks=plural(len(found), "mask") + _verb(kind, len(found)),
                values=_values_of(masks),
                known=known,
                known_too=f"; the others hold {known}" if known else "",
            ),
            "The config gives each such value the nearest class." if is_snapped else explanation,
            tuple(item.name for item, _ in found),
            advice="JPEG changes values along edges. " + advice if lossy and kind == "soft_edges" else advice,
            mend=_mend(examination, kind),
        )


def _verb(kind: str, count: int) -> str:
    if kind in ("soft_masks", "mask_colours"):
        return " is" if count == 1 else " are"
    return " has" if count == 1 else " have"


def _mend(examination: Examination, kind: str) -> Mend | None:
    proposal, config = examination.proposal, examination.mended_config
    if proposal is None or kind not in examination.mended_kinds:
        return None
    pairs = [f"{value} is {_class_of(number)}" for value, number in config.mask_values.items()]
    sentence = f"Map mask values: {named(pairs, 8)}" if pairs else ""
    if proposal.snap:
        sentence += "; any other value takes the nearest class" if pairs else "Give mask values the nearest class"
    return Mend(f"{sentence}.", {"mask_values": config.mask_values, "snap_mask_values": config.snap_mask_values})


def _class_of(number: int) -> str:
    return "ignored" if number == IGNORE else f"class {number}"


def _values_of(masks: list[MaskLook]) -> str:
    counts: dict[int, int] = {}
    for mask in masks:
        for plane in mask.planes:
            for value, pixels in plane.values.items():
                counts[value] = counts.get(value, 0) + pixels
    most = sorted(sorted(counts, key=lambda value: -counts[value])[:6])
    is_colour = any(plane.is_colour for mask in masks for plane in mask.planes)
    return _listed_values(most, is_colour, len(counts) - len(most))


def _listed_values(values: list[int], is_colour: bool = False, more: int = 0) -> str:
    texts = [f"#{value:06x}" if is_colour else str(value) for value in values]
    if not is_colour and len(values) > 3 and values[-1] - values[0] == len(values) - 1:
        texts = [f"{values[0]} to {values[-1]}"]
    return ", ".join(texts) + (f" and {more:,} more" if more > 0 else "")


def refused(examination: Examination) -> Iterator[Finding]:
    """Where the masks as a whole mean nothing to training, and no odd mask was found that explains it."""
    refusal = examination.labels_or_refusal
    if isinstance(refusal, str) and not examination.kinds and examination.masks:
        yield Finding("refused_masks", "error", refusal, "Training cannot begin.")


def understood(examination: Examination) -> Iterator[Finding]:
    """How values were understood that are not plain class ids."""
    labels = examination.labels
    if labels is None or examination.values_are_given:
        return
    if labels.objects:
        yield Finding("objects", "note", labels.report, "Objects of one mask become one class.")
    elif 255 in dict(labels.values) and examination.known == BINARY[1]:
        yield Finding("zero_255", "note", labels.report, "Many tools trip over 255; here it is class 1.")


def shifted(examination: Examination) -> Iterator[Finding]:
    """Ids that start with 1 in every mask."""
    ids = examination.known - {IGNORE}
    if examination.values_are_given or not ids or min(ids) != 1 or len(ids) < 2 or examination.source.multilabel:
        return
    mapping = {value: value - 1 for value in sorted(ids)} | ({IGNORE: IGNORE} if IGNORE in examination.known else {})
    yield Finding(
        "off_by_one",
        "warning",
        f"Class ids start with 1 in every mask ({_listed_values(sorted(ids))}).",
        "Class 0 would be learned and scored, but never occurs.",
        tuple(item.name for item, _ in examination.masks),
        mend=Mend("Count classes from 0.", {"mask_values": mapping}),
    )


def ignored(examination: Examination) -> Iterator[Finding]:
    """Pixels that take no part."""
    pixels = examination.class_pixels
    total = sum(int(counts.sum()) for counts in pixels.values())
    names = tuple(name for name, counts in pixels.items() if counts[IGNORE])
    share = sum(int(pixels[name][IGNORE]) for name in names) / max(1, total)
    if share == 1:
        yield Finding(
            "only_ignored",
            "error",
            "Every pixel of every mask is to be ignored.",
            "The loss over no pixels is nan.",
            names,
            advice="Say which values are classes (data.mask_values).",
        )
    elif share:
        yield Finding(
            "ignored",
            "warning" if share > 0.5 else "note",
            f"{plural(len(names), 'mask')} {'has' if len(names) == 1 else 'have'} pixels to ignore "
            f"({share:.1%} of all pixels).",
            "They take no part in losses and scores.",
            names,
            advice="Look whether so much is meant to be ignored." if share > 0.5 else "",
        )


def empty(examination: Examination) -> Iterator[Finding]:
    """Masks in which nothing is marked."""
    task = examination.task
    if task is None or task.mode == "multiclass":
        return
    first = 1 if task.mode == "binary" else 0
    pixels = examination.class_pixels
    names = tuple(name for name, counts in pixels.items() if not counts[first:IGNORE].any())
    if not names:
        return
    if len(names) == len(pixels):
        yield Finding(
            "nothing_marked",
            "error",
            "Nothing is marked in any mask.",
            "A model can only learn to answer nothing, and scores of the foreground are nan.",
            names,
            advice="Look at the masks: were they exported empty, or is another value the foreground?",
        )
        return
    share = len(names) / len(pixels)
    yield Finding(
        "empty_masks",
        "warning" if share >= OFTEN_EMPTY else "note",
        f"{plural(len(names), 'mask')} {'is' if len(names) == 1 else 'are'} empty ({share:.0%} of all).",
        "Good if there is nothing to find in those pictures; else the model learns to overlook.",
        names,
        advice="Look at some of them.",
    )


def full(examination: Examination) -> Iterator[Finding]:
    """Masks that are one class all over."""
    task = examination.task
    if task is None or task.mode == "multilabel":
        return
    pixels = examination.class_pixels
    single = {
        name: int(counts[:IGNORE].argmax()) for name, counts in pixels.items() if (counts[:IGNORE] > 0).sum() == 1
    }
    if task.mode == "multiclass":
        if pixels and len(single) == len(pixels) and len(set(single.values())) == 1:
            yield _one_class(tuple(single))
        return
    names = tuple(name for name, number in single.items() if number == 1)
    if not names:
        return
    if len(names) == len(pixels):
        yield _one_class(names)
        return
    yield Finding(
        "full_masks",
        "warning",
        f"{plural(len(names), 'mask')} {'is' if len(names) == 1 else 'are'} foreground everywhere.",
        "The model learns that everything is the object, unless it fills the picture indeed.",
        names,
        advice="Look at them: often the background was lost on export.",
    )


def _one_class(names: tuple[str, ...]) -> Finding:
    return Finding(
        "one_class",
        "error",
        "All masks together hold one class only.",
        "A model learns nothing from that but to answer it everywhere.",
        names,
        advice="Look at the masks: was the background lost on export?",
    )


def balance(examination: Examination) -> Iterator[Finding]:
    """Classes that never or hardly occur."""
    task, pixels = examination.task, examination.class_pixels
    if task is None or not pixels:
        return
    total = np.sum(list(pixels.values()), axis=0)[: len(task.classes)]
    if not total.any() or (total > 0).sum() == 1:
        return
    missing = [name for name, count in zip(task.classes, total, strict=True) if not count]
    if missing:
        yield Finding(
            "missing_classes",
            "warning",
            f"{plural(len(missing), 'class')} of {len(task.classes)} "
            f"never occur{'s' if len(missing) == 1 else ''}: {named(missing, 8)}.",
            "Nothing can be learned about them, and their scores are nan.",
            advice="Leave them out of the classes, or add pictures that show them.",
        )
    shares = total / examination.area
    rare = [(name, share) for name, share in zip(task.classes, shares, strict=True) if 0 < share < RARE]
    if rare:
        yield Finding(
            "rare_classes",
            "note",
            f"Classes that hardly occur: {', '.join(f'{name} ({share:.2%} of the pixels)' for name, share in rare)}.",
            "A loss over all pixels may overlook them.",
            advice="Use a Dice, Tversky or focal loss, class weights, or data.foreground_crops.",
        )


CHECKS = (odd_values, refused, understood, shifted, ignored, empty, full, balance)

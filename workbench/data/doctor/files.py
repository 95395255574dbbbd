"""Findings about files: what cannot be read, does not fit together, or differs from the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from workbench.data.counting import named, plural
from workbench.data.doctor.examination import Examination
from workbench.data.doctor.findings import Finding, Mend

FEW = 0.2
"""Pictures that differ from the others are told as odd ones while they are a smaller share than this."""
DIM = 1 / 8
"""16-bit pictures that use less than this share of what 16 bits can hold would be nearly black."""


def unreadable(examination: Examination) -> Iterator[Finding]:
    """Pictures and masks that the reader refuses."""
    for what, error_of in (("picture", lambda look: look.picture_error), ("mask", lambda look: look.mask_error)):
        errors = {item.name: error for item, look in examination.pairs if (error := error_of(look))}
        if errors:
            yield Finding(
                f"unreadable_{what}s",
                "error",
                f"{plural(len(errors), what)} cannot be read: {next(iter(errors.values()))}",
                "Left out of training; more than one in twenty stops it.",
                tuple(errors),
                advice="Copy anew from where it came from, or take out.",
            )


def not_finite(examination: Examination) -> Iterator[Finding]:
    """Pictures of decimal numbers with nan or infinity among them."""
    names = [item.name for item, picture in examination.pictures if not picture.all_finite]
    if names:
        yield Finding(
            "not_finite",
            "error",
            f"{plural(len(names), 'picture')} {'holds' if len(names) == 1 else 'hold'} nan or infinite values.",
            "One such pixel makes the loss nan, and every weight after it.",
            tuple(names),
            advice="Write them anew with numbers in place of nan.",
        )


def unpaired(examination: Examination) -> Iterator[Finding]:
    """Pictures without a mask and masks without a picture."""
    for what, other, paths in (
        ("picture", "mask", examination.source.images_alone),
        ("mask", "picture", examination.source.masks_alone),
    ):
        if paths:
            yield Finding(
                f"{what}s_alone",
                "warning",
                f"{plural(len(paths), what)} {'has' if len(paths) == 1 else 'have'} no {other} of the same name.",
                "Left out of training.",
                tuple(path.name for path in paths),
                advice=f"Give a {what} and its {other} the same name, or take it out.",
            )


def size_mismatch(examination: Examination) -> Iterator[Finding]:
    """Masks of another size than their pictures."""
    wrong = [
        (item.name, look.picture, look.mask)
        for item, look in examination.pairs
        if look.picture and look.mask and look.picture.size != look.mask.size
    ]
    if not wrong:
        return
    turned = sum(picture.facts.oriented and picture.size[::-1] == mask.size for _, picture, mask in wrong)
    name, picture, mask = wrong[0]
    (height, width), (mask_height, mask_width) = picture.size, mask.size
    advice = "Save each mask at its picture's size."
    if turned:
        advice = f"Turn the mask too where an EXIF mark turns the picture ({turned} of {len(wrong)})."
    yield Finding(
        "size_mismatch",
        "error",
        f"{plural(len(wrong), 'mask')} of another size than the picture "
        f"({name}: picture {width}x{height}, mask {mask_width}x{mask_height}).",
        "The mask says nothing about the pixels under it, so these pictures are refused.",
        tuple(name for name, _, _ in wrong),
        advice=advice,
    )


def constant(examination: Examination) -> Iterator[Finding]:
    """Pictures of one value only."""
    names = [item.name for item, picture in examination.pictures if picture.is_constant]
    if names:
        yield Finding(
            "constant_pictures",
            "warning",
            f"{plural(len(names), 'picture')} {'has' if len(names) == 1 else 'have'} the same value everywhere.",
            "Nothing can be seen there, so the mask can only be learned by heart.",
            tuple(names),
            advice="Look whether the export went well, or take out.",
        )


def channels(examination: Examination) -> Iterator[Finding]:
    """Pictures of other channel counts than the rest, and counts that the config does not fit."""
    wanted = examination.config.preprocessing.channels
    names, counts = _by(examination, lambda picture: picture.facts.channels)
    many = [name for count, group in names.items() if count not in (1, 3) for name in group]
    if many and wanted != "as_is":
        mend = Mend("Take the channels as they are.", {"preprocessing": {"channels": "as_is"}})
        yield Finding(
            "channels",
            "error",
            f"{plural(len(many), 'picture')} of {named(sorted(set(counts) - {1, 3}))} channels, "
            f"where the config asks for {wanted}.",
            "Only grey pictures and RGB fit; these are refused.",
            tuple(many),
            advice="Choose three channels, or make all alike.",
            mend=mend if len(counts) == 1 else None,
        )
    if len(counts) > 1:
        odd = _odd_ones(names, counts)
        told = ", ".join(f"{n:,} with {count}" for count, n in counts.most_common())
        explanation = (
            "Channels as they are need the same number in each picture."
            if wanted == "as_is"
            else "Grey is repeated to three channels; where grey and colour have different sources, a model may learn "
            "the source."
        )
        yield Finding(
            "mixed_channels",
            "error" if wanted == "as_is" else "warning" if odd else "note",
            f"Pictures differ in channels: {told}.",
            explanation,
            odd or tuple(name for group in names.values() for name in group),
            advice="Look whether the odd ones belong to the set." if odd else "",
        )


def bit_depths(examination: Examination) -> Iterator[Finding]:
    """Pictures of other depths than the rest."""
    names, counts = _by(examination, lambda picture: picture.dtype)
    if len(counts) > 1:
        odd = _odd_ones(names, counts)
        words = {"uint8": "8-bit", "uint16": "16-bit", "float32": "decimal"}
        yield Finding(
            "mixed_depths",
            "warning",
            "Pictures differ in depth: " + ", ".join(f"{n:,} {words[kind]}" for kind, n in counts.most_common()) + ".",
            "The same brightness may be stored as different numbers, and a model learns the difference.",
            odd or tuple(name for group in names.values() for name in group),
            advice="Store all of them alike, or set preprocessing.intensity to percentile.",
        )


def intensity(examination: Examination) -> Iterator[Finding]:
    """Pictures whose values, divided by what their type can hold, would be black or refused."""
    if examination.config.preprocessing.intensity != "unit":
        return
    mend = Mend(
        "Scale each picture by its own 1st to 99.8th percentile.",
        {"preprocessing": {"intensity": "percentile"}},
    )
    decimal = [
        (item.name, picture)
        for item, picture in examination.pictures
        if picture.dtype == "float32" and not 0 <= picture.low <= picture.high <= 1
    ]
    if decimal:
        yield Finding(
            "decimal_range",
            "warning",
            f"{plural(len(decimal), 'picture')} of decimal numbers beyond 0 to 1 "
            f"({min(picture.low for _, picture in decimal):g} to {max(picture.high for _, picture in decimal):g}).",
            "There is no largest value to divide by, so the default scaling refuses to train on them.",
            tuple(name for name, _ in decimal),
            mend=mend,
        )
    dim = [
        (item.name, picture.high)
        for item, picture in examination.pictures
        if picture.dtype == "uint16" and picture.high < DIM * 65535
    ]
    if dim:
        brightest = max(high for _, high in dim)
        yield Finding(
            "dim_pictures",
            "warning",
            f"{plural(len(dim), '16-bit picture')} with no value above {brightest:.0f} of 65535.",
            "Divided by 65535 they are nearly black, and training is slow to see anything.",
            tuple(name for name, _ in dim),
            mend=mend,
        )


def reading_notes(examination: Examination) -> Iterator[Finding]:
    """What the reader did to the pixels."""
    notes: dict[str, list[str]] = {}
    for item, picture in examination.pictures:
        for note in picture.facts.notes:
            notes.setdefault(note, []).append(item.name)
    for note, names in notes.items():
        title = f"{plural(len(names), 'picture')}: {note}."
        yield Finding("as_read", "note", title, "", tuple(names))


def _by(examination: Examination, key) -> tuple[dict, Counter]:
    names: dict = {}
    for item, picture in examination.pictures:
        names.setdefault(key(picture), []).append(item.name)
    return names, Counter({value: len(group) for value, group in names.items()})


def _odd_ones(names: dict, counts: Counter) -> tuple[str, ...]:
    """The pictures that differ from the rest, where the rest is by far the most."""
    most, _ = counts.most_common(1)[0]
    odd = tuple(name for value, group in names.items() if value != most for name in group)
    return odd if len(odd) <= FEW * counts.total() else ()


CHECKS = (
    unreadable, not_finite, size_mismatch, unpaired, constant, channels, bit_depths, intensity, reading_notes,
)  # fmt: skip

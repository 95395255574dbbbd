"""Which file is the mask of which picture, by names alone; opens no file."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePath

from workbench.errors import UserError

MASK_WORDS = {
    "mask",
    "masks",
    "seg",
    "segs",
    "segmentation",
    "segmentations",
    "label",
    "labels",
    "lbl",
    "gt",
    "ground",
    "truth",
    "groundtruth",
    "annotation",
    "annotations",
    "annot",
    "anno",
    "manual",
    "target",
    "targets",
}
IMAGE_WORDS = {
    "image",
    "images",
    "imgs",
    "img",
    "picture",
    "pictures",
    "photo",
    "photos",
    "scan",
    "scans",
    "input",
    "inputs",
}
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
LOSSY = (".jpg", ".jpeg")

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
WORDS_IN_STEM = re.compile(rf"(?<![a-z])({'|'.join(sorted(MASK_WORDS | IMAGE_WORDS, key=len, reverse=True))})(?![a-z])")
SEPARATORS = "-_. "


@dataclass(frozen=True)
class Named:
    """A file by what its name says; `path` is relative to the data set's folder."""

    path: PurePath
    stem: str
    bare: str
    """The stem without the words that only say picture or mask."""
    is_mask: bool
    context: tuple[str, ...]
    """The folders above without the words for pictures and masks."""
    split: str | None


@dataclass
class Pairs:
    """What was matched, and what was left."""

    matched: list[tuple[Named, tuple[PurePath, ...]]] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    """Names of the class folders, where there is a mask a class."""
    images_alone: list[PurePath] = field(default_factory=list)
    masks_alone: list[PurePath] = field(default_factory=list)


def stem_of(path: PurePath) -> str:
    """The name without its suffix, which may be a double one (.nii.gz)."""
    name = path.name
    return name[:-7] if name.lower().endswith(".nii.gz") else name[: len(name) - len(path.suffix)]


@lru_cache(maxsize=4096)  # most names are those of the same few folders
def words(text: str) -> tuple[str, ...]:
    """The words of a name, split at separators, digits and capitals, in lower case."""
    return tuple(word.lower() for word in WORD.findall(text))


def bare(stem: str) -> str:
    """A stem without the words that only say picture or mask: `t2_seg-manual` and `img_t2` both give `t2`."""
    rest = WORDS_IN_STEM.sub("", stem.lower())
    rest = re.sub(rf"([{re.escape(SEPARATORS)}])[{re.escape(SEPARATORS)}]+", r"\1", rest).strip(SEPARATORS)
    return rest or stem.lower()


def split_of(parts: Iterable[str]) -> str | None:
    """The split that one of the folders is named after."""
    return next((SPLIT_WORDS[word] for part in parts for word in words(part) if word in SPLIT_WORDS), None)


def name_files(paths: Iterable[PurePath]) -> list[Named]:
    """Tell pictures from masks by their folders, by words in their names, or by their suffixes."""
    paths = sorted(paths)
    mask_folders = any(_folder_says_mask(path) for path in paths)
    siblings: dict[tuple[PurePath, str], list[PurePath]] = defaultdict(list)
    bares = [bare(stem_of(path)) for path in paths]
    for path, rest in zip(paths, bares, strict=True):
        siblings[path.parent, rest].append(path)
    named = []
    for path, rest in zip(paths, bares, strict=True):
        is_mask = _is_mask(path, siblings[path.parent, rest], mask_folders)
        context = tuple(filter(None, map(_context, path.parent.parts)))
        named.append(Named(path, stem_of(path), rest, is_mask, context, split_of(path.parent.parts)))
    return named


def _is_mask(path: PurePath, siblings: Sequence[PurePath], mask_folders: bool) -> bool:
    by_folder = _folder_says_mask(path)
    if by_folder is None:
        if _says_mask(path):
            return True
        alike = [other for other in siblings if stem_of(other) == stem_of(path)]
        lossy = [other.suffix.lower() in LOSSY for other in alike]
        return len(alike) == 2 and sum(lossy) == 1 and path.suffix.lower() not in LOSSY
    if by_folder or mask_folders:
        return by_folder
    return _says_mask(path) and any(not _says_mask(other) for other in siblings)


def _folder_says_mask(path: PurePath) -> bool | None:
    """What the innermost folder with a word for pictures or masks says; None without any."""
    for part in reversed(path.parent.parts):
        found = set(words(part))
        if found & (MASK_WORDS | IMAGE_WORDS):
            return bool(found & MASK_WORDS)
    return None


def _says_mask(path: PurePath) -> bool:
    return any(word in MASK_WORDS for word in words(stem_of(path)))


def _context(folder: str) -> str:
    rest = [SPLIT_WORDS.get(word, word) for word in words(folder) if word not in MASK_WORDS | IMAGE_WORDS]
    return "_".join(rest)


Key = tuple[tuple[str, ...], str]


def pair(files: Sequence[Named]) -> Pairs:
    """Match masks to pictures, the closest likeness of names first; names that match twice are refused."""
    images = [file for file in files if not file.is_mask]
    masks = [file for file in files if file.is_mask]
    cut_image, cut_mask = _without_common_ends(images), _without_common_ends(masks)
    stages: list[tuple[Callable[[Named], Key], Callable[[Named], Key], bool]] = [
        (lambda f: (f.context, f.stem), lambda f: (f.context, f.stem), False),
        (lambda f: (f.context, f.bare), lambda f: (f.context, f.bare), False),
        (lambda f: (f.context, f.stem), lambda f: (f.context[:-1], f.stem), True),
        (lambda f: (f.context, f.bare), lambda f: (f.context[:-1], f.bare), True),
        (lambda f: (f.context, cut_image(f)), lambda f: (f.context, cut_mask(f)), False),
        (lambda f: ((), f.bare), lambda f: ((), f.bare), False),
        (lambda f: ((), cut_image(f)), lambda f: ((), cut_mask(f)), False),
    ]
    found: dict[Named, dict[str, PurePath]] = {}
    for image_key, mask_key, by_class in stages:
        taken = _match([image for image in images if image not in found], masks, image_key, mask_key, by_class=by_class)
        found.update(taken)
        used = {path for chosen in taken.values() for path in chosen.values()}
        masks = [mask for mask in masks if mask.path not in used]
    return _result(images, found, masks)


def _match(
    images: list[Named],
    masks: list[Named],
    image_key: Callable[[Named], Key],
    mask_key: Callable[[Named], Key],
    by_class: bool,
) -> dict[Named, dict[str, PurePath]]:
    by_key: dict[Key, list[Named]] = defaultdict(list)
    for image in images:
        by_key[image_key(image)].append(image)
    matches: dict[Named, list[Named]] = defaultdict(list)
    for mask in masks:
        if by_class and not mask.context:
            continue
        for image in by_key.get(mask_key(mask), ()):
            matches[image].append(mask)
    twice = []
    shared = Counter(mask.path for chosen in matches.values() for mask in chosen)
    for image, chosen in matches.items():
        classes = {mask.context[-1] if by_class else "" for mask in chosen}
        if len(classes) < len(chosen) or any(shared[mask.path] > 1 for mask in chosen):
            twice.append((image, chosen))
    if twice:
        image, chosen = twice[0]
        others = [other for other in by_key[image_key(image)] if other is not image]
        names = ", ".join(str(file.path) for file in [image, *others, *chosen][:5])
        raise UserError(
            f"{len(twice)} pictures and masks match more than one way, such as {names}: "
            "keep one picture and one mask of each name, or give the folder that holds only those."
        )
    return {
        image: {mask.context[-1] if by_class else "": mask.path for mask in chosen} for image, chosen in matches.items()
    }


def _without_common_ends(files: Sequence[Named]) -> Callable[[Named], str]:
    """What is left of a stem without the beginning and the end that all of the files share, up to a separator."""
    stems = [file.stem for file in files]
    if len(stems) < 2:
        return lambda file: file.stem
    first, last = _shared_start(stems), _shared_start([stem[::-1] for stem in stems])
    return lambda file: file.stem[first : len(file.stem) - last] or file.stem


def _shared_start(stems: Sequence[str]) -> int:
    """How many letters all stems begin with, up to and with the last separator among them."""
    low, high = min(stems), max(stems)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return max(low.rfind(separator, 0, same) for separator in SEPARATORS) + 1


def _result(images: list[Named], found: dict[Named, dict[str, PurePath]], masks_left: list[Named]) -> Pairs:
    names = {name for chosen in found.values() for name in chosen}
    classes = (
        tuple(sorted(names, key=lambda name: (len(name) if name.isdigit() else 0, name))) if len(names) > 1 else ()
    )
    pairs = Pairs(classes=classes, masks_alone=[mask.path for mask in masks_left])
    for image in images:
        chosen = found.get(image, {})
        if not chosen or (classes and set(chosen) != set(classes)):
            pairs.images_alone.append(image.path)
            pairs.masks_alone.extend(chosen.values())
        else:
            order = classes or tuple(chosen)
            pairs.matched.append((image, tuple(chosen[name] for name in order)))
    return pairs

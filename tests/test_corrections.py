"""Masks corrected by hand win over those of the data set, in training and at full size, and the originals stay."""

from __future__ import annotations

import json

import numpy as np
import pytest
import trees

from workbench.config import DataConfig, Preprocessing
from workbench.data.corrections import read_corrections, write_corrections, write_mask
from workbench.data.full_size import FullSize
from workbench.data.prepare import prepare
from workbench.data.splits import Splits, write_splits
from workbench.errors import UserError


@pytest.fixture
def folder(tmp_path):
    return trees.make_folder(tmp_path / "data", 8)


@pytest.fixture
def splits(tmp_path):
    names = [f"picture_{number}" for number in range(8)]
    write_splits(tmp_path / "splits.json", Splits(tuple(names[:4]), tuple(names[4:6]), tuple(names[6:])))
    return str(tmp_path / "splits.json")


def corrected(tmp_path, masks, name="corrections.json"):
    """A file of corrections that holds these masks."""
    (tmp_path / "drawn").mkdir(exist_ok=True)
    paths = {}
    for picture, mask in masks.items():
        paths[picture] = tmp_path / "drawn" / f"{picture.replace('/', '-')}-{name}.tif"
        write_mask(paths[picture], mask)
    write_corrections(tmp_path / name, paths)
    return str(tmp_path / name)


def half(height=48, width=48):
    mask = np.zeros((height, width), np.uint8)
    mask[: height // 2] = 1
    mask[-1] = 255
    return mask


def config_of(path, size=(24, 24), **knobs):
    return DataConfig(path=str(path), preprocessing=Preprocessing(size=size), **knobs)


def test_a_corrected_mask_is_what_training_reads_and_the_others_stay(tmp_path, folder, splits):
    before = prepare(config_of(folder, split_file=splits), tmp_path / "out", workers=1)
    files = {path: path.read_bytes() for path in folder.rglob("*.png")}
    kept = [before.mask(number).copy() for number in range(8)]
    config = config_of(folder, split_file=splits, corrections=corrected(tmp_path, {"picture_1": half()}))
    after = prepare(config, tmp_path / "out", workers=1)
    assert {path: path.read_bytes() for path in folder.rglob("*.png")} == files
    for number, name in enumerate(after.names):
        expected = half()[1::2, 1::2] if name == "picture_1" else kept[number]  # the nearest of two, resized to half
        np.testing.assert_array_equal(after.mask(number), expected)
    assert after.facts["fingerprint"] != before.facts["fingerprint"]
    assert any("1 picture" in sentence for sentence in after.facts["report"])


def test_only_what_was_corrected_is_prepared_anew_and_taking_it_back_gives_the_same(tmp_path, folder, splits):
    first = prepare(config_of(folder, split_file=splits), tmp_path / "out", workers=1)
    counts = []
    config = config_of(folder, split_file=splits, corrections=corrected(tmp_path, {"picture_1": half()}))
    prepare(config, tmp_path / "out", lambda done, total: counts.append(done), workers=1)
    assert counts == [7, 8]
    again = prepare(config_of(folder, split_file=splits), tmp_path / "out", workers=1)
    assert again.facts["fingerprint"] == first.facts["fingerprint"]
    for number in range(8):
        np.testing.assert_array_equal(again.mask(number), first.mask(number))


def test_the_corrected_mask_is_the_true_one_at_full_size(tmp_path, folder, splits):
    config = config_of(folder, split_file=splits, corrections=corrected(tmp_path, {"picture_5": half()}))
    prepared = prepare(config, tmp_path / "out", workers=1)
    np.testing.assert_array_equal(FullSize(prepared).mask(prepared.names.index("picture_5")), half())
    assert 255 not in FullSize(prepared).mask(0)


def test_drawn_pictures_are_corrected_too(tmp_path):
    plain = config_of("shapes", options={"count": 12, "size": 48})
    before = prepare(plain, tmp_path / "before", workers=1)
    name = before.names[before.splits["train"][0]]
    config = plain.model_copy(update={"corrections": corrected(tmp_path, {name: half()})})
    after = prepare(config, tmp_path / "after", workers=1)
    number = after.names.index(name)
    np.testing.assert_array_equal(FullSize(after).mask(number), half())
    assert (after.mask(number)[:12] == 1).all()


@pytest.mark.parametrize("count", [8, 40])
def test_a_new_mask_for_the_same_picture_is_seen(tmp_path, splits, count):
    plain = config_of("shapes", options={"count": count, "size": 32}, size=(32, 32))
    first = prepare(plain, tmp_path / "out")
    name = first.names[first.splits["train"][0]]
    for ids in (0, 1):
        file = corrected(tmp_path, {name: np.full((32, 32), ids, np.uint8)}, f"{ids}.json")
        prepared = prepare(plain.model_copy(update={"corrections": file}), tmp_path / "out")
        assert (prepared.mask(prepared.names.index(name)) == ids).all()


def test_classes_that_overlap_have_a_plane_each(tmp_path):
    plain = config_of("shapes:multilabel", options={"count": 12, "size": 48}, size=(48, 48))
    before = prepare(plain, tmp_path / "before", workers=1)
    name = before.names[before.splits["valid"][0]]
    planes = np.stack([half()] * len(before.task.classes))
    planes[0] = 0
    config = plain.model_copy(update={"corrections": corrected(tmp_path, {name: planes})})
    after = prepare(config, tmp_path / "after", workers=1)
    np.testing.assert_array_equal(after.mask(after.names.index(name)), planes)


def test_test_pictures_are_refused(tmp_path, folder, splits):
    config = config_of(folder, split_file=splits, corrections=corrected(tmp_path, {"picture_7": half()}))
    with pytest.raises(UserError, match=r"test pictures were corrected .picture_7."):
        prepare(config, tmp_path / "out", workers=1)


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (np.full((48, 48), 3, np.uint8), "holds the class 3, and there are only those from 0 to 1"),
        (np.zeros((48, 40), np.uint8), "its mask is 40x48"),
        (np.zeros((2, 48, 48), np.uint8), "is no mask of a binary data set with 2 classes"),
        (np.zeros((48, 48), np.uint16), "is no mask"),
    ],
)
def test_masks_that_do_not_fit_are_told_like_other_files_that_cannot_be_read(tmp_path, folder, mask, sentence):
    config = config_of(folder, corrections=corrected(tmp_path, {"picture_0": mask}))
    with pytest.raises(UserError, match=sentence):
        prepare(config, tmp_path / "out", workers=1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "There is no corrections file"),
        ("{", "cannot be read as JSON"),
        ("[]", "must hold a mapping"),
        ('{"picture_0": 3}', "must hold a mapping"),
        ('{"elsewhere": "a.tif"}', "pictures that are not in the data .elsewhere."),
        ('{"picture_0": "gone.tif"}', "gone.tif"),
    ],
)
def test_a_file_of_corrections_that_cannot_be_used_is_refused(tmp_path, folder, text, sentence):
    path = tmp_path / "corrections.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=sentence):
        prepare(config_of(folder, corrections=str(path)), tmp_path / "out", workers=1)


def test_a_file_of_corrections_may_be_moved_with_its_masks(tmp_path, folder):
    corrected(tmp_path, {"picture_0": half()})
    assert json.loads((tmp_path / "corrections.json").read_text()) == {
        "picture_0": "drawn/picture_0-corrections.json.tif"
    }
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "corrections.json").rename(moved / "corrections.json")
    (tmp_path / "drawn").rename(moved / "drawn")
    assert read_corrections(moved / "corrections.json")["picture_0"].is_file()

"""What somebody sends becomes a data set in a folder of its own, or one sentence and nothing."""

from __future__ import annotations

import pytest
from sent_data import COUNT, bad_zips, faulty_folder, zip_of_folder
from trees import drawn, save

from workbench.data.layouts import open_source
from workbench.data.receive import receive_files, receive_zip
from workbench.errors import UserError


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_zip_becomes_a_folder_of_its_name_and_a_second_one_another(tmp_path):
    sent = zip_of_folder(faulty_folder(tmp_path / "cells"), tmp_path / "my cells.zip")
    into = tmp_path / "uploads"
    folder = receive_zip(sent, into)
    assert folder == into / "my-cells"
    assert len(open_source(folder).items) == COUNT
    assert receive_zip(sent, into) == into / "my-cells-2"
    assert names_in(into) == ["my-cells", "my-cells-2"]


def test_what_is_no_data_set_leaves_nothing_behind(tmp_path):
    for path, told in bad_zips(tmp_path).items():
        with pytest.raises(UserError, match=told) as refused:
            receive_zip(path, tmp_path / "uploads")
        assert str(tmp_path) not in str(refused.value), "a sender knows nothing of folders here"
    assert names_in(tmp_path / "uploads") == []


def files(folder, suffix=""):
    pairs = [
        (save(folder / "p" / f"{number}.png", image), save(folder / "m" / f"{number}{suffix}.png", mask * 255))
        for number, (image, mask) in enumerate(drawn(3))
    ]
    return [list(kind) for kind in zip(*pairs, strict=True)]


def test_pictures_and_masks_of_the_same_names(tmp_path):
    pictures, masks = files(tmp_path)
    folder = receive_files(pictures, masks, tmp_path / "uploads", "mine")
    assert folder.name == "mine"
    assert [item.name for item in open_source(folder).items] == ["0", "1", "2"]


def test_pictures_and_masks_together_are_told_apart_by_their_names(tmp_path):
    pictures, masks = files(tmp_path, "_mask")
    folder = receive_files([*pictures, *masks], [], tmp_path / "uploads")
    assert len(open_source(folder).items) == 3


def test_files_that_are_no_pictures_or_come_twice_are_refused(tmp_path):
    pictures, masks = files(tmp_path)
    notes = tmp_path / "notes.png"
    notes.write_text("words")
    for given, told in (
        (([], masks), "There are no pictures"),
        (([*pictures, notes], masks), "notes.png cannot be read as a picture"),
        (([*pictures, pictures[0]], masks), "0.png came more than once"),
        ((pictures, []), "What was sent is no data set: .* no masks"),
    ):
        with pytest.raises(UserError, match=told):
            receive_files(*given, tmp_path / "uploads")
    assert names_in(tmp_path / "uploads") == []

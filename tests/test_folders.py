"""Folders of data by names that are no paths."""

from __future__ import annotations

import os
import sys

import pytest

from workbench.data.folders import MOST, data_folders


@pytest.fixture
def root(tmp_path):
    for folder in ("skin/images", "skin/masks/deep/deeper", ".hidden", "nuclei"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    (tmp_path / "data" / "file.txt").write_text("no folder")
    return tmp_path / "data"


def test_folders_have_the_names_of_their_way(root):
    found = data_folders([root])
    assert list(found) == ["data", "data/nuclei", "data/skin", "data/skin/images", "data/skin/masks"]
    assert found["data/skin"] == root / "skin"


def test_two_roots_of_one_name_are_told_apart(root, tmp_path):
    other = tmp_path / "other" / "data"
    other.mkdir(parents=True)
    found = data_folders([root, other])
    assert found["data"] == root
    assert found[str(other)] == other


def test_a_root_that_is_not_there_has_no_folders(tmp_path):
    assert data_folders([tmp_path / "nothing"]) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
def test_links_lead_nowhere(root, tmp_path):
    (tmp_path / "secret").mkdir()
    os.symlink(tmp_path / "secret", root / "link")
    assert "data/link" not in data_folders([root])


def test_a_large_tree_is_cut(tmp_path):
    for number in range(MOST + 20):
        (tmp_path / f"{number}").mkdir()
    assert len(data_folders([tmp_path])) == MOST

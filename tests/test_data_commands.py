"""`workbench data prepare` and `workbench data split`, as typed."""

import json
from pathlib import Path

import pytest
import trees

from workbench.cli import main
from workbench.data.prepared import open_prepared


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return trees.make_folder(tmp_path / "lesions", 10)


def test_prepare_with_the_path_alone(folder, capsys):
    assert main(["data", "prepare", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "folder: 10 pictures with masks, no splits." in said
    assert "Pictures: 7 train, 1 valid, 2 test." in said
    assert "Prepared 10 pictures (256x256) in prepared/lesions" in said
    assert open_prepared("prepared/lesions").image(0).shape == (256, 256, 3)


def test_prepare_with_knobs(folder, capsys):
    words = "data prepare lesions --out here --size 32 48 --resize letterbox --set channels=grey split_seed=4"
    assert main(words.split()) == 0
    prepared = open_prepared("here")
    assert prepared.image(0).shape == (32, 48, 1)
    assert prepared.recipe["resize"] == "letterbox"
    assert "seed 4" in capsys.readouterr().out


def test_prepare_shapes_and_a_configuration(folder, tmp_path):
    assert main(["data", "prepare", "shapes:multiclass", "--size", "32", "--set", "data.options.count=6"]) == 0
    assert len(open_prepared("prepared/shapes-multiclass").names) == 6
    (tmp_path / "my.yaml").write_text("data: {path: lesions, preprocessing: {size: [16, 24]}}")
    assert main(["data", "prepare", "my.yaml", "--out", "other"]) == 0
    assert open_prepared("other").image(0).shape == (16, 24, 3)


def test_split_writes_what_prepare_reads(folder):
    assert main(["data", "prepare", "lesions", "--size", "32", "--out", "here"]) == 0
    assert main(["data", "split", "here", "--to", "split.json", "--fractions", "0.5", "0.3", "0.2", "--seed", "3"]) == 0
    stored = json.loads(Path("split.json").read_text())
    assert [len(stored[split]) for split in ("train", "valid", "test")] == [5, 3, 2]
    assert main(["data", "prepare", "lesions", "--size", "32", "--out", "here", "--set", "split_file=split.json"]) == 0
    prepared = open_prepared("here")
    assert [prepared.names[n] for n in prepared.splits["valid"]] == stored["valid"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("data prepare nowhere", "There is no folder nowhere"),
        ("data prepare lesions --size 1 2 3", "one number or two"),
        ("data prepare lesions --set channels", "KNOB=VALUE"),
        ("data prepare lesions --set chanels=grey", "did you mean channels"),
        ("data split lesions --to x.json", "not a prepared folder"),
    ],
)
def test_mistakes_are_one_sentence(folder, capsys, words, sentence):
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1

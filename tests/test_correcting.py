"""Labels corrected with the help of a model: versions that are never lost, and runs that go on from them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import trees
from exploring import pixels, trained_run
from small_run import small_config, wait_until

from workbench.config import load_config
from workbench.data.corrections import read_corrections
from workbench.data.prepared import open_prepared, splits_of
from workbench.errors import UserError
from workbench.runs import worker
from workbench.runs.correcting import Correcting
from workbench.runs.correcting import desk as correcting_desk
from workbench.runs.correcting.masks import from_run_lengths
from workbench.runs.correcting.retraining import compare_pair, corrected_config, evaluate_pair, pair_of, retrain
from workbench.runs.correcting.versions import versions_of
from workbench.runs.evaluation import evaluate_run
from workbench.runs.preparing import prepared_folder
from workbench.runs.run import CONFIG, Run

MODES = ("binary", "multiclass", "multilabel")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    for mode in MODES:
        trained_run(folder, mode, mode)
    return folder


@pytest.fixture
def runs(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "runs"))


@pytest.fixture
def desk(runs):
    return Correcting(runs)


def lengths(mask):
    """What a browser sends of a mask [h, w]."""
    flat = mask.ravel()
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    counts = np.diff(np.r_[starts, flat.size])
    return [int(each) for pair in zip(flat[starts], counts, strict=True) for each in pair]


def names(desk, run, split=None):
    return [each["name"] for each in desk.correctable({"run": run})["pictures"] if split in (None, each["split"])]


def paint(desk, run, picture, mask, **more):
    planes = [lengths(plane) for plane in (mask if mask.ndim == 3 else mask[None])]
    return desk.save_label({"run": run, "picture": picture, "planes": planes, "begun_from": "prediction", **more})


def seen(answer, key):
    """The planes of an answer, one where there is one."""
    planes = np.stack([pixels(each) for each in answer[key]])
    return planes if answer.get("mode") == "multilabel" else planes[0]


def block(value=1):
    mask = np.zeros((32, 32), np.uint8)
    mask[4:20, 6:18] = value
    mask[30] = 255
    return mask


# --- what is listed and opened ---


def test_training_and_validation_pictures_are_listed_and_test_pictures_are_not(desk, runs):
    prepared = open_prepared(prepared_folder(Run.open(runs / "binary").config.data, runs))
    splits = splits_of(prepared)
    told = desk.correctable({"run": "binary"})
    assert names(desk, "binary", "train") == list(splits.train)
    assert names(desk, "binary", "valid") == list(splits.valid)
    assert not set(names(desk, "binary")) & set(splits.test)
    assert {(each["dice"], each["versions"], each["in_use"]) for each in told["pictures"]} == {(None, 0, 0)}
    assert "4 test pictures keep their labels" in told["told"][0]


def test_pictures_that_the_model_gets_wrong_come_first_once_they_are_evaluated(desk, runs):
    run = Run.open(runs / "binary")
    evaluate_run(run, "train")
    told = desk.correctable({"run": "binary"})["pictures"]
    dice = [each["dice"] for each in told if each["split"] == "train"]
    assert None not in dice
    assert dice == sorted(dice)
    assert [each["split"] for each in told] == ["train"] * 12 + ["valid"] * 4


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_is_opened_with_what_the_model_makes_of_it_and_its_label(desk, runs, mode):
    picture = names(desk, mode)[0]
    answer = desk.open_picture({"run": mode, "picture": picture})
    full = correcting_desk._full(Run.open(runs / mode))
    number = full.prepared.names.index(picture)
    predicted = desk.models.load(mode, "best").predictor(full.picture(number).array)
    np.testing.assert_array_equal(seen(answer, "prediction"), predicted.labels)
    np.testing.assert_array_equal(seen(answer, "label"), full.mask(number))
    np.testing.assert_array_equal(seen(answer, "original"), full.mask(number))
    assert (answer["width"], answer["height"], answer["mode"]) == (32, 32, mode)
    assert [each["name"] for each in answer["classes"]] == list(full.prepared.task.foreground.values())
    assert (answer["versions"], answer["in_use"]) == ([], 0)
    json.dumps(answer)


def test_drawn_pictures_are_prepared_anew_where_they_are_gone(desk, runs):
    before = names(desk, "binary")
    shutil.rmtree(runs / "prepared")
    assert names(desk, "binary") == before


def test_other_pictures_are_prepared_by_an_evaluation(tmp_path):
    data = trees.make_folder(tmp_path / "data", 10, 32)
    run = Run.create(small_config(data__path=str(data), data__options={}), tmp_path / "runs", "real")
    assert worker.main(str(run.folder)) == 0
    desk = Correcting(tmp_path / "runs")
    assert names(desk, "real")
    shutil.rmtree(tmp_path / "runs" / "prepared")
    with pytest.raises(UserError, match="evaluate it once"):
        desk.correctable({"run": "real"})


# --- versions ---


@pytest.mark.parametrize("mode", MODES)
def test_what_was_painted_is_a_version_that_is_in_use_and_can_be_taken_back(desk, mode):
    picture = names(desk, mode)[0]
    asked = {"run": mode, "picture": picture}
    original = seen(desk.open_picture(asked), "original")
    first = np.stack([block(), block(0), *original[2:]]) if mode == "multilabel" else block()
    second = np.zeros_like(first)
    assert paint(desk, mode, picture, first, note="  rough ")["in_use"] == 1
    told = paint(desk, mode, picture, second)
    assert [(each["number"], each["in_use"], each["note"]) for each in told["versions"]] == [
        (1, False, "rough"),
        (2, True, ""),
    ]
    differs = first != original
    assert told["versions"][0]["changed"] == (differs.any(0) if mode == "multilabel" else differs).sum()
    assert told["versions"][0]["run"] == mode
    for number, expected in ((0, original), (1, first), (2, second)):
        answer = desk.label_version({**asked, "version": number}) | {"mode": mode}
        np.testing.assert_array_equal(seen(answer, "planes"), expected)
        assert desk.use_label({**asked, "version": number})["in_use"] == number
        opened = desk.open_picture(asked)
        np.testing.assert_array_equal(seen(opened, "label"), expected)
        np.testing.assert_array_equal(seen(opened, "original"), original)
        listed = desk.correctable({"run": mode})["pictures"]
        assert [(each["versions"], each["in_use"]) for each in listed if each["name"] == picture] == [(2, number)]


def test_versions_outlive_the_app_and_belong_to_the_data_and_not_to_the_run(desk, runs):
    picture = names(desk, "binary")[0]
    paint(desk, "binary", picture, block())
    shutil.copytree(runs / "binary", runs / "another")
    told = {each["name"]: each for each in Correcting(runs).correctable({"run": "another"})["pictures"]}
    assert (told[picture]["versions"], told[picture]["in_use"]) == (1, 1)
    same_name = desk.correctable({"run": "multiclass"})["pictures"]
    assert all(each["versions"] == 0 for each in same_name)


def test_no_version_is_ever_written_over(desk, runs):
    picture = names(desk, "binary")[0]
    paint(desk, "binary", picture, block())
    versions = versions_of(Run.open(runs / "binary").config.data, runs)
    before = {path: path.read_bytes() for path in versions.folder.glob("*.tif")}
    log = (versions.folder / "versions.jsonl").read_bytes()
    with (versions.folder / "versions.jsonl").open("ab") as file:
        file.write(b'{"picture": "torn')  # a crash in mid-write
    desk.use_label({"run": "binary", "picture": picture, "version": 0})
    paint(desk, "binary", picture, block(0))
    assert [version.number for version in versions.of(picture)] == [1, 2]
    assert {path: path.read_bytes() for path in before} == before
    assert (versions.folder / "versions.jsonl").read_bytes().startswith(log)


# --- what is refused ---


def test_test_pictures_are_refused(desk, runs):
    prepared = open_prepared(prepared_folder(Run.open(runs / "binary").config.data, runs))
    test = splits_of(prepared).test[0]
    for ask in (desk.open_picture, desk.save_label, desk.use_label, desk.label_version):
        with pytest.raises(UserError, match="is a test picture: its label stays"):
            ask({"run": "binary", "picture": test, "version": 0, "planes": [lengths(block())]})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"run": "../binary"}, "run"),
        ({"picture": "../../etc/passwd"}, "has no picture"),
        ({"planes": None}, "did not arrive whole"),
        ({"planes": []}, "did not arrive whole"),
        ({"planes": [[1, 1023]]}, "did not arrive whole"),
        ({"planes": [[1, 1024, 0]]}, "did not arrive whole"),
        ({"planes": [[1, -1, 1, 1025]]}, "did not arrive whole"),
        ({"planes": [[256, 1024]]}, "did not arrive whole"),
        ({"planes": [[1, True, 1, 1023]]}, "did not arrive whole"),
        ({"planes": [[1, 1 << 70]]}, "did not arrive whole"),
        ({"planes": [["1", 1024]]}, "did not arrive whole"),
        ({"planes": [[2, 1024]]}, "holds the class 2"),
        ({"begun_from": "somewhere"}, "beginning of a correction"),
    ],
)
def test_what_is_no_mask_of_the_picture_is_refused(desk, runs, change, sentence):
    picture = names(desk, "binary")[0]
    whole = {"run": "binary", "picture": picture, "planes": [lengths(block())], "begun_from": "label"}
    with pytest.raises(UserError, match=sentence):
        desk.save_label(whole | change)
    assert not versions_of(Run.open(runs / "binary").config.data, runs).of(picture)


def test_a_label_that_is_as_before_is_no_new_version(desk):
    picture = names(desk, "binary")[0]
    paint(desk, "binary", picture, block())
    with pytest.raises(UserError, match="Nothing differs"):
        paint(desk, "binary", picture, block())


def test_a_version_that_there_is_not_is_refused(desk):
    picture = names(desk, "binary")[0]
    with pytest.raises(UserError, match="no version 3"):
        desk.use_label({"run": "binary", "picture": picture, "version": 3})


def test_pictures_too_large_to_paint_on_are_refused(desk, monkeypatch):
    monkeypatch.setattr(correcting_desk, "MOST_PIXELS", 1000)
    with pytest.raises(UserError, match="32x32 pixels, more than a browser can paint on"):
        desk.open_picture({"run": "binary", "picture": names(desk, "binary")[0]})


def test_run_lengths_are_read_row_by_row():
    mask = np.random.default_rng(0).integers(0, 3, (5, 7)).astype(np.uint8)
    np.testing.assert_array_equal(from_run_lengths([lengths(mask)] * 2, 5, 7), np.stack([mask, mask]))


# --- training on ---


def test_a_run_goes_on_from_the_weights_on_the_corrected_labels_and_the_same_splits(desk, runs):
    before = Run.open(runs / "binary")
    train, valid = names(desk, "binary", "train")[:2], names(desk, "binary", "valid")[0]
    for picture in (*train, valid):
        paint(desk, "binary", picture, block())
    desk.use_label({"run": "binary", "picture": train[1], "version": 0})
    after = Run.create(corrected_config(before, epochs=1), runs, "after")
    assert after.config.model.weights == str(before.best_model)
    assert set(read_corrections(after.config.data.corrections)) == {train[0], valid}
    assert worker.main(str(after.folder)) == 0
    old = open_prepared(prepared_folder(before.config.data, runs))
    new = open_prepared(prepared_folder(after.config.data, runs))
    assert splits_of(new) == splits_of(old)
    for name in old.names:
        mine, original = new.mask(new.names.index(name)), old.mask(old.names.index(name))
        np.testing.assert_array_equal(mine, block() if name in (train[0], valid) else original)
    assert after.status().epochs == 1
    assert pair_of(before) == pair_of(after) == (before, after)


def test_later_corrections_do_not_change_what_a_run_was_trained_on(desk, runs):
    run = Run.open(runs / "binary")
    picture = names(desk, "binary")[0]
    paint(desk, "binary", picture, block())
    first = corrected_config(run).data.corrections
    text = Path(first).read_text()
    paint(desk, "binary", picture, block(0))
    assert corrected_config(run).data.corrections != first
    assert Path(first).read_text() == text
    assert read_corrections(first)[picture].is_file()
    desk.use_label({"run": "binary", "picture": picture, "version": 1})
    assert corrected_config(run).data.corrections == first


def test_a_corrected_run_is_corrected_further_and_keeps_what_was_corrected_elsewhere(desk, runs):
    before = Run.open(runs / "binary")
    one, two = names(desk, "binary")[:2]
    paint(desk, "binary", one, block())
    after = Run.create(corrected_config(before, epochs=1), runs, "after")
    assert worker.main(str(after.folder)) == 0
    shutil.move(versions_of(before.config.data, runs).folder / "versions.jsonl", runs / "gone")
    opened = desk.open_picture({"run": "after", "picture": one})
    np.testing.assert_array_equal(seen(opened, "label"), block())
    assert (seen(opened, "original") != block()).any()
    paint(desk, "after", two, block())
    assert set(read_corrections(corrected_config(after).data.corrections)) == {one, two}
    desk.use_label({"run": "after", "picture": one, "version": 0})
    assert set(read_corrections(corrected_config(after).data.corrections)) == {two}


def test_without_a_corrected_label_there_is_nothing_to_train_on(desk, runs):
    run = Run.open(runs / "binary")
    with pytest.raises(UserError, match="No label of binary is corrected"):
        corrected_config(run)
    picture = names(desk, "binary")[0]
    paint(desk, "binary", picture, block())
    desk.use_label({"run": "binary", "picture": picture, "version": 0})
    with pytest.raises(UserError, match="No label of binary is corrected"):
        corrected_config(run)
    assert pair_of(run) is None


def test_a_new_run_gets_a_name_of_its_own_and_fewer_or_more_epochs(desk, runs, monkeypatch):
    started = []
    monkeypatch.setattr(Run, "launch", lambda run: started.append(run.name))
    run = Run.open(runs / "binary")
    paint(desk, "binary", names(desk, "binary")[0], block())
    first, second = retrain(run), retrain(run, epochs=7)
    third = retrain(run, name="mine")
    assert [first.name, second.name, third.name] == started == ["binary-corrected", "binary-corrected-2", "mine"]
    assert [each.config.training.epochs for each in (first, second)] == [2, 7]
    assert load_config(second.folder / CONFIG).data.corrections == first.config.data.corrections


@pytest.mark.slow
def test_before_and_after_are_compared_on_the_same_test_pictures(desk, runs):
    run = Run.open(runs / "binary")
    for picture in names(desk, "binary", "train")[:3]:
        paint(desk, "binary", picture, block())
    after = retrain(run, epochs=1)
    assert after.wait(120).state == "finished"
    pair = pair_of(run)
    assert compare_pair(pair) is None
    evaluate_pair(pair)
    wait_until(lambda: compare_pair(pair) is not None, 120)
    found = compare_pair(pair)
    assert [row.run for row in found.rows] == ["binary", "binary-corrected"]
    assert found.differences[0].pictures == 4
    assert set(found.knobs) >= {"data.corrections", "model.weights"}


def test_what_a_version_was_painted_on_is_told_by_its_number(desk):
    picture = names(desk, "binary")[0]
    paint(desk, "binary", picture, block(), begun_from="label")
    paint(desk, "binary", picture, block(0), begun_from="label")
    told = paint(desk, "binary", picture, np.zeros((32, 32), np.uint8), begun_from="version 1")
    assert [each["begun_from"] for each in told["versions"]] == ["label", "version 1", "version 1"]
    with pytest.raises(UserError, match="beginning of a correction"):
        paint(desk, "binary", picture, np.ones((32, 32), np.uint8), begun_from="version 9")


def test_a_label_that_is_there_already_is_taken_into_use_and_not_kept_twice(desk):
    picture = names(desk, "binary")[0]
    original = seen(desk.open_picture({"run": "binary", "picture": picture}), "original")
    paint(desk, "binary", picture, block())
    paint(desk, "binary", picture, block(0))
    for again, name in ((block(), "version 1"), (original, "original")):
        with pytest.raises(UserError, match=f"This is the {name} of {picture} again"):
            paint(desk, "binary", picture, again)

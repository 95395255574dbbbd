"""What a viewer asks of runs and pictures: answers that are those of the package, and sentences for what cannot be."""

import base64
import errno
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from exploring import pixels, question, sent, trained_run
from pictures import by_pillow, by_tifffile, colours, dicom

from workbench.data.reading import Limits
from workbench.errors import UserError
from workbench.inference.attribution import attribute
from workbench.inference.gate_effects import gate_effects
from workbench.inference.predictor import Predictor
from workbench.models import load_model
from workbench.runs.checkpoints import load_checkpoint
from workbench.runs.exploring import Explorer, turns
from workbench.runs.exploring.kept import Kept
from workbench.runs.exploring.pictures import Chosen
from workbench.runs.exploring.uploads import Uploads, safe_name
from workbench.runs.run import Run

MODES = ("binary", "multiclass", "multilabel")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for mode in MODES:
        trained_run(folder, mode, mode)
    trained_run(folder, "gateless", model__name="unet", training__ema=0.5)
    return folder


@pytest.fixture(scope="module")
def explorer(runs):
    return Explorer(runs)


def array_of(explorer, asked):
    """The picture that was asked about, and its true mask."""
    picture = asked["picture"]
    shown = explorer.pictures.find(Chosen(picture["source"], picture["key"], 0, picture.get("run", "")))
    return shown.picture.array, shown.truth


def result_of(explorer, asked):
    with explorer._result(asked) as result:
        return result


def test_runs_are_listed_with_what_can_be_looked_at(runs, explorer):
    empty = Run.create(trained := Run.open(runs / "binary").config, runs, "empty")
    broken = Run.create(trained, runs, "broken")
    (broken.folder / "checkpoints" / "last.json").write_text('{"format": 99}')
    shutil.copy(Run.open(runs / "binary").best_model, broken.best_model)
    try:
        told = {run["name"]: run for run in explorer.list_models({})["runs"]}
        assert [one["name"] for one in told["binary"]["checkpoints"]] == ["best", "last"]
        assert told["binary"]["checkpoints"][1]["about"] == "step 6"
        assert (told["empty"]["checkpoints"], told["empty"]["problem"]) == ([], "no model yet")
        assert "update the workbench" in told["broken"]["problem"]
        with pytest.raises(UserError, match="empty has no model yet"):
            explorer.models.load("empty", "best")
    finally:
        shutil.rmtree(empty.folder)
        shutil.rmtree(broken.folder)


def test_asking_what_there_is_needs_no_torch(runs):
    code = (
        f"import sys; from workbench.runs.exploring import Explorer; e = Explorer({str(runs)!r}); e.list_models({{}});"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_prediction_is_that_of_the_predictor(runs, explorer, mode):
    asked = question(explorer, mode)
    answer = explorer.predict(asked)
    array, truth = array_of(explorer, asked)
    expected = Predictor(runs / mode, device="cpu")(array)
    for plane, channel in zip(answer["probabilities"], expected.probabilities, strict=True):
        np.testing.assert_allclose(pixels(plane["plane"]) / 255, channel, atol=0.51 / 255)
    assert [one["key"] for one in answer["maps"]] == ["uncertainty", *(f"gate:{name}" for name in expected.attention)]
    np.testing.assert_array_equal(np.stack([pixels(one) for one in answer["truth"]]), truth.reshape(-1, 32, 32))
    assert 0 <= answer["scores"]["dice"] <= 1
    assert json.loads(json.dumps(answer)) == answer


def test_the_last_state_has_its_own_weights(runs, explorer):
    for name, part in (("binary", "model"), ("gateless", "average")):
        learner = load_checkpoint(runs / name / "checkpoints").state["learner"]
        expected = {key.removeprefix("module."): value for key, value in learner[part].items()}
        model = explorer.models.load(name, "last").model
        for key, tensor in model.state_dict().items():
            torch.testing.assert_close(tensor.cpu(), expected[key])
    with pytest.raises(UserError, match="Unknown checkpoint 'worst'"):
        explorer.models.load("binary", "worst")


def test_a_model_stays_in_memory_until_its_file_changes(runs, explorer):
    first = explorer.models.load("binary", "best")
    assert explorer.models.load("binary", "best") is first
    os.utime(runs / "binary" / "checkpoints" / "best.safetensors", (1, 1))
    assert explorer.models.load("binary", "best") is not first
    for mode in (*MODES[1:], "gateless"):
        explorer.models.load(mode, "best")
    assert len(explorer.models._kept._values) == 3


def test_two_runs_look_at_the_same_picture(explorer):
    asked = question(explorer, "binary")
    other = explorer.predict(asked | {"run": "gateless"})
    assert other["base"] == explorer.predict(asked)["base"]
    assert other["probabilities"] != explorer.predict(asked)["probabilities"]
    assert [one["key"] for one in other["maps"]] == ["uncertainty"]


@pytest.mark.parametrize("mode", MODES)
def test_a_pixel_and_a_class_are_explained_as_by_the_package(runs, explorer, mode):
    asked = question(explorer, mode)
    model, (array, _) = load_model(runs / mode / "checkpoints" / "best.safetensors"), array_of(explorer, asked)
    at_pixel = explorer.explain(asked | {"row": 9, "column": 20})
    expected = attribute(model, array, region=(9, 20))
    assert at_pixel["target"] == expected.target
    assert expected.layer in at_pixel["map"]["about"]
    low, high = at_pixel["map"]["low"], at_pixel["map"]["high"]
    read = low + pixels(at_pixel["map"]["plane"]) / 255 * (high - low)
    np.testing.assert_allclose(read, expected.normalised, atol=0.02)
    assert at_pixel["probabilities"][0]["value"] == pytest.approx(
        result_of(explorer, asked).prediction.probabilities[0, 9, 20].item()
    )
    target = attribute(model, array).target
    of_class = explorer.explain(asked | {"target": target})
    assert of_class["target"] == target
    assert of_class["map"]["plane"] != at_pixel["map"]["plane"]


@pytest.mark.parametrize("mode", MODES)
def test_a_changed_gate_is_that_of_the_package(runs, explorer, mode):
    asked = question(explorer, mode)
    gate = explorer.predict(asked)["maps"][-1]["gate"]
    model = load_model(runs / mode / "checkpoints" / "best.safetensors")
    array, truth = array_of(explorer, asked)
    for change in ("opened", "shuffled"):
        found = explorer.change_gate(asked | {"gate": gate, "change": change, "threshold": 0.4})
        (expected,) = gate_effects(model, array, truth=truth, gates=[gate], changes=[change], threshold=0.4)
        assert (found["pixels"], found["score"]) == (expected.pixels, expected.score)
        assert np.count_nonzero(pixels(found["kinds"])) == expected.pixels
    with pytest.raises(UserError, match="Unknown gate"):
        explorer.change_gate(asked | {"gate": "nowhere", "change": "opened"})
    with pytest.raises(UserError, match="no attention gates"):
        explorer.change_gate(asked | {"run": "gateless", "gate": gate, "change": "opened"})


@pytest.mark.parametrize(
    ("format", "ending", "start"),
    [
        ("label", "_label.png", b"\x89PNG"),
        ("overlay", "_overlay.png", b"\x89PNG"),
        ("geojson", ".geojson", b"{"),
        ("csv", "_csv.zip", b"PK"),
        ("probability", "_probability.tif", b"II"),
        ("attention", "_attention_stride_1.png", b"\x89PNG"),
    ],
)
def test_files_to_take_away(explorer, format, ending, start):
    asked = question(explorer, "binary", format=format, threshold=0.3)
    file = explorer.take_away(asked)
    data = base64.b64decode(file["data"])
    assert file["name"] == f"{asked['picture']['key']}{ending}"
    assert data.startswith(start)
    if format == "csv":
        assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["objects.csv", "pictures.csv"]


def test_a_taken_mask_has_the_threshold_that_was_seen(explorer):
    asked = question(explorer, "binary", format="label")
    probability = result_of(explorer, asked).prediction.probabilities[0]
    for threshold in (0.05, float(probability.mean()), 0.95):
        from PIL import Image

        file = explorer.take_away(asked | {"threshold": threshold})
        mask = np.array(Image.open(io.BytesIO(base64.b64decode(file["data"]))))
        np.testing.assert_array_equal(mask, probability >= threshold)


def test_pictures_without_their_files_fall_back_to_previews(runs, tmp_path):
    run = Run.open(runs / "binary")
    shutil.copytree(run.folder, tmp_path / "moved")
    explorer = Explorer(tmp_path)
    listed = explorer.list_pictures({"run": "moved"})
    assert listed["validation"] == run.previews.names
    assert "small previews" in listed["told"]
    answer = explorer.predict(question(explorer, "moved"))
    assert answer["truth"] is not None


# --- pictures that are sent ---

ODD = Path(__file__).parent / "data" / "odd"

GOOD = {
    "colour.png": by_pillow(colours(), "PNG"),
    "photo.jpg": by_pillow(colours(), "JPEG"),
    "deep.tif": by_tifffile(colours(1, np.uint16)[:, :, 0]),
    "stack.tif": by_tifffile(np.stack([colours(1)[:, :, 0]] * 5)),
    "scan.dcm": dicom(colours(1, np.uint16)[:, :, 0]),
}

BAD = {
    "page.png": (b"<html><script>alert(1)</script></html>", "page.png is a web page"),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing"),
    "noise.jpg": (os.urandom(300), "noise.jpg is not a PNG"),
    "cut.png": (by_pillow(colours(), "PNG")[:60], "cut.png"),
    "nan.tif": (by_tifffile(np.full((40, 56), np.nan, np.float32)), "nan.tif: the model's result is no number"),
    "huge.bmp": (
        (ODD / "reallybig.bmp").read_bytes(),
        "over the limit of 40 million",
    ),
    "flat.gif": ((ODD / "zero_width.gif").read_bytes(), "flat.gif"),
}


def about_sent(known):
    picture = {"source": "sent", "key": known["key"], "slice": known["slices"] - 1}
    return {"run": "binary", "checkpoint": "best", "picture": picture}


@pytest.mark.parametrize("name", GOOD)
def test_sent_pictures_are_predicted(explorer, name):
    known = sent(explorer, name, GOOD[name], piece=1000)
    assert (known["name"], known["width"], known["height"]) == (name, 56, 40)
    asked = about_sent(known)
    answer = explorer.predict(asked)
    assert (answer["width"], answer["height"], answer["truth"], answer["scores"]) == (56, 40, None, None)
    file = explorer.take_away(asked | {"format": "label"})["name"]
    assert file == ("stack_4_label.png" if known["slices"] > 1 else f"{name.partition('.')[0]}_label.png")


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_told_in_a_sentence(explorer, name):
    data, sentence = BAD[name]
    with pytest.raises(UserError, match=sentence) as told:
        explorer.predict(about_sent(sent(explorer, name, data)))
    assert "/" not in str(told.value), "no path of this machine is told"


def test_limits_are_held_before_anything_is_decoded():
    uploads = Uploads(Limits(pixels=1000, bytes=5000, memory=1 << 30))
    with pytest.raises(UserError, match="over the limit"):
        uploads.begin("large.png", 5001)
    with pytest.raises(UserError, match="is empty"):
        uploads.begin("empty.png", 0)
    data = GOOD["colour.png"]
    key = uploads.begin("small.png", len(data))
    uploads.append(key, base64.b64encode(data).decode())
    with pytest.raises(UserError, match="has 56x40 pixels"):
        uploads.facts(key)
    with pytest.raises(UserError, match="no longer kept"):
        uploads.facts(key)
    key = uploads.begin("liar.png", 10)
    with pytest.raises(UserError, match="larger than was told"):
        uploads.append(key, base64.b64encode(bytes(11)).decode())
    key = uploads.begin("slow.png", 10)
    with pytest.raises(UserError, match="did not arrive whole"):
        uploads.append(key, "no base64!")
    with pytest.raises(UserError, match="has not arrived yet"):
        uploads.path(key)


def test_only_so_many_files_are_kept_and_none_outlives_the_process(monkeypatch):
    monkeypatch.setattr("workbench.runs.exploring.uploads.MOST_FILES", 2)
    uploads = Uploads()
    keys = [uploads.begin("picture.png", 1) for _ in range(3)]
    with pytest.raises(UserError, match="send it again"):
        uploads.append(keys[0], "AA==")
    folder = uploads.path(keys[2]) if uploads.append(keys[2], "AA==") else None
    assert folder.is_file()
    del uploads
    assert not folder.exists()


def test_a_full_disk_is_told(explorer, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    key = explorer.send_picture({"name": "picture.png", "size": 3})["key"]
    asked = question(explorer, "binary", format="label")
    explorer.predict(asked)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(UserError, match="is full: make room"):
            explorer.send_picture({"key": key, "data": "AAAA"})
    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(UserError, match="is full: make room"):
        explorer.take_away(asked)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\a b.png", "a b.png"),
        ("<script>.png", "_script_.png"),
        ("..", "picture"),
        ("/", "picture"),
        ("ü%00.png", "ü_00.png"),
        ("x" * 200 + ".tif", "x" * 76 + ".tif"),
    ],
)
def test_names_of_files_are_made_harmless(given, kept):
    assert safe_name(given) == kept


# --- questions that nobody asks by accident ---


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"run": "../binary"}, "Unknown run"),
        ({"run": "/etc"}, "Unknown run"),
        ({"run": 5}, "has no run"),
        ({"picture": None}, "No picture is chosen"),
        ({"picture": {"source": "sent", "key": "/etc/passwd"}}, "no longer kept"),
        ({"picture": {"source": "disk", "key": "/etc/passwd"}}, "Unknown source"),
        ({"picture": {"source": "validation", "key": "../x", "run": "binary"}}, "no validation picture"),
        ({"picture": {"source": "drawn", "key": "../x"}}, "Unknown drawn picture"),
        ({"picture": {"source": "drawn", "key": "shape_00000", "slice": -1}}, "slice must be a whole number"),
    ],
)
def test_nothing_but_what_is_listed_can_be_named(explorer, change, sentence):
    with pytest.raises(UserError, match=sentence):
        explorer.predict(question(explorer, "binary") | change)


@pytest.mark.parametrize(
    ("way", "more", "sentence"),
    [
        ("explain", {"row": 32, "column": 0}, "from 0 to 31"),
        ("explain", {"row": "0", "column": 0}, "whole number"),
        ("explain", {"row": 1}, "column must be"),
        ("explain", {"target": "unicorn"}, "Unknown class"),
        ("take_away", {"format": "../x"}, "Unknown format"),
        ("take_away", {"format": "label", "threshold": 2}, "between 0 and 1"),
        ("take_away", {"format": "label", "threshold": "x"}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(explorer, way, more, sentence):
    with pytest.raises(UserError, match=sentence):
        getattr(explorer, way)(question(explorer, "binary") | more)


def test_what_is_too_large_to_look_into_is_told(explorer, monkeypatch):
    monkeypatch.setattr("workbench.runs.exploring.results.WHOLE_PIXELS", 100)
    with pytest.raises(UserError, match="cut a part out"):
        explorer.explain(question(explorer, "binary", target="shape"))
    at_pixel = explorer.explain(question(explorer, "binary", row=0, column=0))
    assert at_pixel["map"] is None
    assert "cut a part out" in at_pixel["told"]
    assert len(at_pixel["probabilities"]) == 1


def test_who_has_moved_on_lets_nobody_wait(explorer, monkeypatch):
    asked = question(explorer, "binary", page="one", number=1)
    explorer.predict(asked)
    explorer.predict(asked | {"number": 3})
    with pytest.raises(UserError, match="Something else was asked for"):
        explorer.predict(asked | {"number": 2})
    explorer.predict(asked | {"page": "two", "number": 2})

    def moved_on(predictor, picture, progress):
        explorer.turns._newest["one"] = 5
        progress(1, 9)

    monkeypatch.setattr(Predictor, "__call__", moved_on)
    with pytest.raises(UserError, match="Something else was asked for"):
        explorer.predict(question(explorer, "binary", place=3, page="one", number=4))


def test_predictions_wait_for_each_other_and_not_for_ever(explorer, monkeypatch):
    monkeypatch.setattr(turns, "MOST_WAITING", 2)
    asked, answers = question(explorer, "binary"), []
    explorer.turns._turn.acquire()
    threads = [threading.Thread(target=lambda: answers.append(explorer.predict(asked))) for _ in range(2)]
    for thread in threads:
        thread.start()
    while explorer.progress({})["waiting"] < 1:
        pass
    with pytest.raises(UserError, match="waiting already"):
        explorer.predict(asked)
    explorer.turns._turn.release()
    for thread in threads:
        thread.join()
    assert len(answers) == 2
    assert explorer.progress({})["waiting"] == 0


def test_little_is_kept():
    kept = Kept(3, 10, len)
    for key in "abc":
        kept.get(key, lambda: "xx")
    kept.get("a", lambda: pytest.fail("it is still there"))
    kept.get("d", lambda: "xx")
    assert list(kept._values) == ["c", "a", "d"]
    kept.get("e", lambda: "x" * 9)
    assert list(kept._values) == ["e"]
    kept.get("f", lambda: "x" * 20)
    assert list(kept._values) == ["f"], "the last one stays, however large"

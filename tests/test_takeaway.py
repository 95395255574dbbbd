"""What is taken away from a run: exports, a bench, predictions of what is sent, and all files as a ZIP."""

from __future__ import annotations

import os
import shutil
import zipfile

import numpy as np
import pytest
from exploring import trained_run
from PIL import Image
from small_run import wait_until

from workbench.data.reading import Limits
from workbench.data.unpack import ZipLimits
from workbench.errors import UserError
from workbench.inference.exported import ExportedBackend
from workbench.inference.predictor import Predictor
from workbench.runs.run import Run
from workbench.runs.takeaway import Takeaway
from workbench.runs.takeaway.desk import about
from workbench.runs.takeaway.exporting import export_run
from workbench.runs.takeaway.packing import pack_run
from workbench.runs.takeaway.predicting import predict_sent


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return trained_run(tmp_path_factory.mktemp("runs"), "tiny")


@pytest.fixture
def run(original, tmp_path):
    """A copy to change."""
    return Run(shutil.copytree(original.folder, tmp_path / "runs" / original.name))


@pytest.fixture(scope="module")
def predictor(original):
    return Predictor(original.best_model, device="cpu")


def picture(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (32, 40, 3), np.uint8)
    Image.fromarray(values).save(path)
    return path


def sent_zip(folder, broken="b.png"):
    """Two pictures in folders, one that is cut short, and a file that is none."""
    picture(folder / "in" / "some" / "a.png")
    picture(folder / "in" / "other" / "c.png", 1)
    whole = picture(folder / "in" / "some" / broken, 2).read_bytes()
    (folder / "in" / "some" / broken).write_bytes(whole[: len(whole) // 2])
    (folder / "in" / "notes.txt").write_text("no picture")
    return shutil.make_archive(folder / "cells", "zip", folder / "in")


def names_in(path):
    with zipfile.ZipFile(path) as archive:
        return sorted(archive.namelist())


def ended(desk, run, kind):
    wait_until(lambda: not desk.job(run.name, kind).at_work)
    return desk.job(run.name, kind)


# --- a model for elsewhere ---


def test_an_export_lies_beside_the_weights_under_a_name_that_says_how(run):
    plain = export_run(run, "torch")
    half = export_run(run, "torch", half=True, attention=True)
    assert [path.name for path in (*plain.files, *half.files)] == ["best.pt2", "best-attention-half.pt2"]
    assert plain.exported.path == run.checkpoints / "best.pt2"
    assert {check.what for check in plain.exported.checks} == {"noise", "picture"}
    facts = [ExportedBackend(kept.exported.path) for kept in (plain, half)]
    assert [(one.card.precision, one.facts.has_attention) for one in facts] == [("float32", False), ("float16", True)]
    assert not list(run.checkpoints.glob(".export-*"))
    assert "best-attention-half.pt2, best.pt2" in about(run)


@pytest.mark.slow
def test_an_export_of_two_files_is_taken_away_as_a_zip(run, tmp_path):
    pytest.importorskip("openvino")
    desk = Takeaway(tmp_path)
    desk.export(run, "openvino")
    assert ended(desk, run, "export").state == "finished"
    file = desk.result(run.name, "export").file
    assert file.name == "tiny-best.xml.zip"
    assert names_in(file) == ["tiny/best.bin", "tiny/best.xml"]


def test_what_cannot_be_exported_is_a_sentence_and_leaves_nothing(run, tmp_path):
    desk, out = Takeaway(tmp_path / "out"), tmp_path / "out"
    out.mkdir()
    desk.export(run, "tflite")
    job = ended(desk, run, "export")
    assert job.state == "failed"
    assert "tflite" in job.error
    assert desk.result(run.name, "export") is None
    assert not list(out.iterdir())


def test_a_run_without_a_model_is_told(run, tmp_path):
    run.best_model.unlink()
    assert "no model yet" in about(run)
    with pytest.raises(UserError, match="no model yet"):
        Takeaway(tmp_path).export(run)


# --- pictures that are sent ---


def test_a_zip_is_predicted_and_what_cannot_be_read_is_told(predictor, tmp_path):
    told = []
    sent = sent_zip(tmp_path)
    predicted = predict_sent(
        predictor,
        [tmp_path / sent],
        tmp_path / "out.zip",
        ["label", "csv", "rle"],
        progress=lambda *at: told.append(at),
    )
    assert (predicted.pictures, predicted.written) == (3, 2)
    assert len(predicted.left_out) == 2
    assert predicted.left_out[0] == "notes.txt: it is no picture."
    assert predicted.left_out[1].startswith("some/b.png cannot be decoded as PNG")
    inside = names_in(tmp_path / "out.zip")
    assert {"out/other/c_label.png", "out/some/a_label.png", "out/objects.csv", "out/left-out.txt"} < set(inside)
    assert any(name.endswith(".json") for name in inside)
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.read("out/left-out.txt").decode().splitlines() == predicted.left_out
        with archive.open("out/some/a_label.png") as file:
            found = np.array(Image.open(file))
    np.testing.assert_array_equal(found > 0, predictor(tmp_path / "in" / "some" / "a.png").labels > 0)
    assert told[-1] == (3, 3)


def test_files_go_without_a_zip_and_beside_one(predictor, tmp_path):
    sent = [picture(tmp_path / "x.png"), tmp_path / sent_zip(tmp_path / "more")]
    predicted = predict_sent(predictor, sent, tmp_path / "out.zip", ["label"])
    assert predicted.written == 3
    assert {"out/x_label.png", "out/cells/some/a_label.png"} < set(names_in(tmp_path / "out.zip"))
    with pytest.raises(UserError, match=r"x\.png came more than once"):
        predict_sent(predictor, [sent[0], picture(tmp_path / "twin" / "x.png")], tmp_path / "two.zip")


def test_a_picture_over_the_limits_is_left_out(predictor, tmp_path):
    sent = [picture(tmp_path / "large.png"), tmp_path / "small.png"]
    Image.new("RGB", (16, 16)).save(sent[1])
    predicted = predict_sent(predictor, sent, tmp_path / "out.zip", ["label"], limits=Limits(pixels=1000))
    assert predicted.written == 1
    (told,) = predicted.left_out
    assert told.startswith("large.png has 40x32 pixels")


@pytest.mark.parametrize(
    ("name", "told"),
    [("../evil.png", "outside of its folder"), ("a.txt", "There are no pictures in bad.zip")],
)
def test_a_zip_of_harm_or_of_nothing_is_a_sentence(predictor, tmp_path, name, told):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, b"data")
    with pytest.raises(UserError, match=told) as error:
        predict_sent(predictor, [tmp_path / "bad.zip"], tmp_path / "out.zip")
    assert str(tmp_path) not in str(error.value)
    assert not (tmp_path / "out.zip").exists()


def test_a_zip_over_the_limits_and_a_broken_one_are_sentences(predictor, tmp_path):
    sent = tmp_path / sent_zip(tmp_path)
    with pytest.raises(UserError, match="holds 4 files, and 2 are allowed"):
        predict_sent(predictor, [sent], tmp_path / "out.zip", zip_limits=ZipLimits(files=2))
    (tmp_path / "cut.zip").write_bytes(sent.read_bytes()[:300])
    with pytest.raises(UserError, match=r"cut\.zip is no whole ZIP"):
        predict_sent(predictor, [tmp_path / "cut.zip"], tmp_path / "out.zip")


def test_a_prediction_can_be_stopped(run, tmp_path):
    desk = Takeaway(tmp_path / "out")
    (tmp_path / "out").mkdir()
    sent = [picture(tmp_path / f"{number}.png", number) for number in range(400)]
    desk.predict(run, sent, ["label"])
    wait_until(lambda: desk.job(run.name, "predict").done > 0)
    with pytest.raises(UserError, match="not done yet"):
        desk.predict(run, sent, ["label"])
    desk.stop(run.name, "predict")
    job = ended(desk, run, "predict")
    assert job.state == "stopped"
    assert 0 < job.done < 400
    assert desk.result(run.name, "predict") is None
    assert not list((tmp_path / "out").iterdir())


def test_the_threshold_matters(run, tmp_path):
    desk, found = Takeaway(tmp_path), []
    for threshold in (0.02, 0.98):
        desk.predict(run, [picture(tmp_path / "x.png")], ["label"], threshold)
        assert ended(desk, run, "predict").state == "finished"
        file = desk.result(run.name, "predict").file
        with zipfile.ZipFile(file) as archive, archive.open("tiny-predictions/x_label.png") as label:
            found.append(np.count_nonzero(np.array(Image.open(label))))
    assert found[0] > found[1]
    assert [path.name for path in tmp_path.glob("taken-*")] == [file.parent.name]  # the earlier one is gone


# --- how fast it is ---


def test_a_bench_gives_rows_a_plot_and_a_zip(run, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.inference.bench.installed_backends", lambda: ["pytorch"])
    desk = Takeaway(tmp_path)
    desk.bench(run, 32, 2, rounds=2)
    assert ended(desk, run, "bench").state == "finished"
    measured, file, plot = desk.result(run.name, "bench")
    assert [(row.variant, row.batch, row.size) for row in measured.rows] == [
        ("plain pytorch", 2, 32),
        ("pytorch", 2, 32),
    ]
    assert names_in(file) == ["tiny-bench/bench.json", "tiny-bench/bench.png"]
    assert Image.open(plot).width > 500
    with pytest.raises(UserError, match="too many"):
        desk.bench(run, 100_000, 1)


# --- all files ---


def test_a_packed_run_is_a_run_elsewhere_without_states_unless_asked(run, tmp_path):
    export_run(run, "torch")
    assert pack_run(run, tmp_path / "small.zip") == []
    assert pack_run(run, tmp_path / "whole.zip", states=True) == []
    small, whole = names_in(tmp_path / "small.zip"), names_in(tmp_path / "whole.zip")
    assert {"tiny/config.yaml", "tiny/checkpoints/best.safetensors", "tiny/checkpoints/best.pt2"} < set(small)
    assert not any("step-" in name or "last.json" in name for name in small)
    assert any("step-" in name for name in whole)
    assert set(small) < set(whole)
    shutil.unpack_archive(tmp_path / "small.zip", tmp_path / "elsewhere")
    there = Run.open(tmp_path / "elsewhere" / "tiny")
    assert there.config == run.config
    assert there.last_step is None
    assert there.best() == run.best()
    assert Predictor(there.folder, device="cpu").facts == Predictor(run.folder, device="cpu").facts


def test_exports_of_older_weights_stay_behind(run, tmp_path):
    export_run(run, "torch")
    later = run.best_model.stat().st_mtime + 60
    os.utime(run.best_model, (later, later))
    assert pack_run(run, tmp_path / "run.zip") == ["best.pt2"]
    assert "tiny/checkpoints/best.pt2" not in names_in(tmp_path / "run.zip")


def test_states_of_a_run_at_work_cannot_be_packed(run, tmp_path):
    with run.lock():
        with pytest.raises(UserError, match="at work"):
            pack_run(run, tmp_path / "run.zip", states=True)
        pack_run(run, tmp_path / "run.zip")

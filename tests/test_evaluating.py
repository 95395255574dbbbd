"""Evaluations in a process of their own: progress, stops, failures, and what a viewer asks of what came out."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time

import pytest
import torch
from exploring import trained_run
from small_run import small_config, wait_until
from test_evaluate import make_run

from workbench.errors import UserError
from workbench.inference.evaluation_folder import load_evaluation
from workbench.models import load_model, save_model
from workbench.runs import queue
from workbench.runs.evaluated import evaluated_splits, evaluation_folder, is_evaluated, is_outdated
from workbench.runs.evaluating import Asked, evaluation_status, main, start_evaluation, stop_evaluation
from workbench.runs.evaluation import evaluate_run, open_gallery
from workbench.runs.evaluations import Evaluations
from workbench.runs.naming import PREPARED
from workbench.runs.run import Run
from workbench.runs.status import Status, write_status


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def in_this_process(run: Run, asked: Asked) -> int:
    evaluation_folder(run, asked.split, asked.checkpoint).mkdir(parents=True, exist_ok=True)
    return main(str(run.folder), json.dumps(asked._asdict()))


@pytest.mark.slow
def test_an_evaluation_in_the_background_writes_what_one_in_the_foreground_would(run):
    assert evaluation_status(run, "test") is None
    start_evaluation(run, Asked(threshold=0.3))
    with pytest.raises(UserError, match="just now"):
        start_evaluation(run, Asked())
    wait_until(lambda: evaluation_status(run, "test").ended)
    status = evaluation_status(run, "test")
    assert (status.state, status.error) == ("finished", ""), (evaluation_folder(run, "test") / "log.txt").read_text()
    assert status.step == status.total > 0
    there = load_evaluation(evaluation_folder(run, "test"))
    expected = evaluate_run(run, threshold=0.3)
    assert (there.threshold, there.names) == (0.3, expected.names)
    assert (there.counted.finest == expected.counted.finest).all()
    assert evaluated_splits(run) == ["test"]


def test_a_stop_leaves_what_was_evaluated_before(run):
    evaluate_run(run)
    before = (evaluation_folder(run, "test") / "counted.npz").read_bytes()
    (evaluation_folder(run, "test") / "stop").touch()
    assert in_this_process(run, Asked(threshold=0.3)) == 0
    assert evaluation_status(run, "test").state == "stopped"
    assert (evaluation_folder(run, "test") / "counted.npz").read_bytes() == before


def test_it_waits_for_its_device_behind_others(run, monkeypatch):
    monkeypatch.setattr(queue, "POLL", 0.02)
    ends = []

    def begin():
        thread = threading.Thread(target=lambda: ends.append(in_this_process(run, Asked(device="cpu"))))
        thread.start()
        wait_until(lambda: "behind" in evaluation_status(run, "test").detail)
        return thread

    evaluation_folder(run, "test").mkdir(parents=True)
    write_status(evaluation_folder(run, "test") / "status.json", Status("queued", time.time(), "here"))
    with queue.turn(["cpu"], "a training", lambda device, ahead: None):
        waiting = begin()
        status = evaluation_status(run, "test")
        assert (status.state, status.detail) == ("queued", "Waiting for cpu behind a training: number 1 in the queue.")
        stop_evaluation(run, "test")
        waiting.join()
        assert evaluation_status(run, "test").state == "stopped"
        (evaluation_folder(run, "test") / "stop").unlink()
        waiting = begin()
    waiting.join()
    assert evaluation_status(run, "test").state == "finished"
    assert ends == [0, 0]


def test_a_stop_is_asked_for_only_while_one_is_at_work(run):
    stop_evaluation(run, "test")
    assert not evaluation_folder(run, "test").exists()
    evaluation_folder(run, "test").mkdir(parents=True)
    status = Status("running", time.time(), "here", pid=os.getpid(), process_started=0.0)
    write_status(evaluation_folder(run, "test") / "status.json", status)
    stop_evaluation(run, "test")
    assert (evaluation_folder(run, "test") / "stop").is_file()


def test_what_the_user_can_mend_is_a_sentence(run, tmp_path):
    assert in_this_process(run, Asked(data=str(tmp_path / "gone"))) == 1
    status = evaluation_status(run, "test")
    assert status.state == "failed"
    assert "gone" in status.error
    assert not is_evaluated(run, "test")
    with pytest.raises(UserError, match="no best model"):
        start_evaluation(Run.create(small_config(), tmp_path, "new"), Asked())


@pytest.mark.slow
def test_a_mistake_of_ours_is_told_and_traced(run, monkeypatch):
    monkeypatch.setattr("workbench.runs.evaluation.evaluate", lambda *given, **named: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        in_this_process(run, Asked())
    assert "mistake of the workbench" in evaluation_status(run, "test").error


def test_a_process_that_is_gone_is_lost(run):
    evaluation_folder(run, "test").mkdir(parents=True)
    write_status(evaluation_folder(run, "test") / "status.json", Status("running", time.time() - 100, "elsewhere"))
    status = evaluation_status(run, "test")
    assert (status.state, status.ended) == ("lost", True)
    assert "evaluate again" in status.detail


def test_an_evaluation_of_another_model_is_outdated(run):
    (run.checkpoints / "best.json").write_text('{"format": 1, "epoch": 1, "step": 10}')
    evaluate_run(run)
    assert not is_outdated(run, "test")
    (run.checkpoints / "best.json").write_text('{"format": 1, "epoch": 2, "step": 20}')
    assert is_outdated(run, "test")


def test_the_last_state_needs_to_be_there(run):
    with pytest.raises(UserError, match="no last state"):
        evaluate_run(run, checkpoint="last")
    with pytest.raises(UserError, match="checkpoint"):
        evaluate_run(run, checkpoint="middle")


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_a_viewer_is_answered(tmp_path, kind):
    run = make_run(tmp_path, kind)
    evaluation = evaluate_run(run)
    viewer = Evaluations(tmp_path)
    chosen = {"run": run.name, "split": "test", "checkpoint": "best"}
    answer = viewer.evaluation(chosen)
    assert (answer["pictures"], answer["outdated"]) == (len(evaluation.names), False)
    assert viewer.evaluation_progress(chosen)["mark"]
    page = viewer.evaluated_pictures({**chosen, "order": "dice", "start": 0})
    worst = page["rows"][0]
    shown = viewer.error_picture({**chosen, "picture": worst["picture"]})
    titles = [each["title"] for each in shown["pictures"]]
    assert titles == (["picture", "errors"] if kind == "binary" else ["picture", "truth", "prediction"])
    assert shown["dice"] == worst["dice"] or abs(shown["dice"] - worst["dice"]) < 0.01
    of_class = viewer.error_picture({**chosen, "picture": worst["picture"], "class": answer["classes"][-1]})
    assert [each["title"] for each in of_class["pictures"]] == ["picture", "errors"]
    if kind != "multiclass":
        other = viewer.error_picture({**chosen, "picture": worst["picture"], "threshold": 0.01})
        assert other["pictures"][-1] != shown["pictures"][-1]
        assert viewer.scores_at_threshold({**chosen, "threshold": 0.3})["dice"]


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ({"run": "../elsewhere"}, "run"),
        ({"split": "../../best"}, "split"),
        ({"checkpoint": "/etc"}, "checkpoint"),
        ({"picture": "../../config.yaml"}, "not among the pictures"),
        ({"data": "/etc"}, "folder of pictures"),
        ({"threshold": 2}, "threshold"),
        ({"class": "beauty"}, "class"),
        ({"split": "valid"}, "not evaluated"),
    ],
)
def test_what_is_not_listed_is_refused(question, sentence, evaluated_folder):
    viewer = Evaluations(evaluated_folder)
    chosen = {"run": "binary-run", "split": "test", "checkpoint": "best", "picture": "shape_00001", "threshold": 0.5}
    names = [row["picture"] for row in viewer.evaluated_pictures({**chosen, "order": "dice", "start": 0})["rows"]]
    with pytest.raises(UserError, match=sentence):
        viewer.error_picture({**chosen, "picture": names[0], **question})


@pytest.fixture(scope="module")
def evaluated_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    evaluate_run(make_run(folder))
    return folder


def test_a_gallery_tells_what_it_waits_for(tmp_path, monkeypatch):
    run = make_run(tmp_path)
    evaluate_run(run)
    shutil.rmtree(tmp_path / PREPARED)
    viewer, told = Evaluations(tmp_path), []
    chosen = {"run": run.name, "split": "test", "checkpoint": "best"}
    picture = viewer.evaluated_pictures({**chosen, "order": "dice", "start": 0})["rows"][0]["picture"]

    def watched(*given):
        told.append(viewer.gallery_progress(chosen)["told"])

        def prepared(done, total):
            given[-1](done, total)
            told.append(viewer.gallery_progress(chosen)["told"])

        return open_gallery(*given[:-1], prepared)

    monkeypatch.setattr("workbench.runs.evaluation.open_gallery", watched)
    viewer.error_picture({**chosen, "picture": picture})
    assert told[0] == "Looking at the pictures."
    assert any(re.fullmatch(r"Preparing the pictures: \d+ of \d+\.", sentence) for sentence in told)
    assert told[-1].startswith("Loading the model")
    assert viewer.gallery_progress(chosen)["told"] == ""
    viewer.error_picture({**chosen, "picture": picture})
    assert viewer.gallery_progress(chosen)["told"] == ""


def test_the_last_state_is_evaluated_beside_the_best_model(tmp_path):
    run = trained_run(tmp_path, "trained")
    before = evaluate_run(run, "valid", checkpoint="last")
    model = load_model(run.best_model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0)
    save_model(model, run.best_model, task=before.task, preprocessing=run.config.data.preprocessing)
    best, last = evaluate_run(run, "valid"), evaluate_run(run, "valid", checkpoint="last")
    assert (last.counted.histograms == before.counted.histograms).all()
    assert (last.counted.histograms != best.counted.histograms).any()
    for checkpoint, evaluation in (("best", best), ("last", last)):
        there = load_evaluation(evaluation_folder(run, "valid", checkpoint))
        assert (there.counted.histograms == evaluation.counted.histograms).all()
    assert evaluated_splits(run) == evaluated_splits(run, "last") == ["valid"]
    report = (evaluation_folder(run, "valid", "last") / "report.html").read_text()
    assert "<h1>trained, last state, on valid</h1>" in report

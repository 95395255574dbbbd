"""What live views are told of a run: all of it at first, then what is new, and in the end next to nothing."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from workbench.errors import UserError
from workbench.runs.demo import add_demo_run
from workbench.runs.live import MOST_POINTS, curves, progress
from workbench.runs.records import RecordWriter
from workbench.runs.run import Run


@pytest.fixture
def run(tmp_path):
    """The demo, in a folder of its own."""
    return add_demo_run(tmp_path)


def lines(answer):
    """The points of each line of an answer."""
    return {(line["panel"], line["name"]): list(zip(line["x"], line["y"], strict=True)) for line in answer["lines"]}


def append(run, *records):
    writer = RecordWriter(run.folder / "metrics.jsonl")
    for record in records:
        writer.append(record)
    writer.close()


def a_step(step, loss=0.5):
    return {"split": "train", "step": step, "losses": {"loss": loss}, "learning_rate": 0.1, "images_per_second": 9.0}


def test_the_first_answer_holds_every_line(run):
    answer = curves(run)
    found = lines(answer)
    assert answer["anew"]
    assert {panel for panel, _ in found} == {"loss", "score", "learning_rate", "images_per_second"}
    assert len(found["loss", "training"]) == 216
    assert [step for step, _ in found["loss", "validation"]] == list(range(18, 217, 18))
    assert found["score", "dice"][-1][1] == pytest.approx(run.records()[-1]["metrics"]["dice"], abs=1e-4)
    assert {"dice", "jaccard", "sensitivity"} <= set(answer["scores"])


def test_another_score_is_another_line(run):
    found = lines(curves(run, score="sensitivity"))
    assert [name for panel, name in found if panel == "score"] == ["sensitivity"]


def test_the_next_answer_holds_what_is_new(run):
    offset = curves(run)["offset"]
    assert curves(run, offset) == {"offset": offset}
    append(run, a_step(217, 0.25))
    answer = curves(run, offset)
    assert not answer["anew"]
    assert lines(answer)["loss", "training"] == [(217, 0.25)]
    assert answer["offset"] > offset


def test_a_half_written_line_is_left_for_the_next_answer(run):
    offset = curves(run)["offset"]
    line = json.dumps(a_step(217))
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write(line[:20])
        file.flush()
        assert curves(run, offset) == {"offset": offset}
        file.write(line[20:] + "\n")
    assert lines(curves(run, offset))["loss", "training"] == [(217, 0.5)]


def test_after_a_resume_all_is_told_anew(run):
    offset = curves(run)["offset"]
    append(run, {"resumed_from": 100}, a_step(101, 0.75))
    answer = curves(run, offset)
    training = lines(answer)["loss", "training"]
    assert answer["anew"]
    assert len(training) == 101
    assert training[-1] == (101, 0.75)


def test_another_file_is_told_anew(run):
    offset = curves(run)["offset"]
    (run.folder / "metrics.jsonl").write_text(json.dumps(a_step(1)) + "\n")
    answer = curves(run, offset)
    assert answer["anew"]
    assert lines(answer)["loss", "training"] == [(1, 0.5)]


def test_fifty_thousand_steps_are_thinned_and_keep_their_peak(tmp_path):
    run = add_demo_run(tmp_path)
    path = run.folder / "metrics.jsonl"
    path.write_text("".join(json.dumps(a_step(n, 9.5 if n == 31_234 else 0.5)) + "\n" for n in range(1, 50_001)))
    began = time.process_time()
    answer = curves(run)
    assert time.process_time() - began < 5
    training = lines(answer)["loss", "training"]
    assert len(training) <= MOST_POINTS
    assert (31_234, 9.5) in training
    assert len(json.dumps(answer)) < 250_000
    assert curves(run, answer["offset"]) == {"offset": answer["offset"]}


def test_progress_tells_all_once_and_then_its_mark(run):
    answer = progress(run)
    assert (answer["state"], answer["step"], answer["total"]) == ("finished", 216, 216)
    assert answer["best"]["score"] == pytest.approx(1.96, abs=0.05)
    assert answer["log"].splitlines()[-1].startswith("epoch 12 of 12, valid")
    assert progress(run, answer["mark"]) == {"mark": answer["mark"]}


def test_progress_says_what_can_be_done(run, tmp_path):
    assert not progress(run)["can_go_on"], "the example has no state to go on from"
    with pytest.raises(UserError, match="no state to go on from"):
        run.resume({"training.epochs": 99})
    stopped = Run.create(run.config, tmp_path, "stopped")
    assert progress(stopped)["next"] == "Resume goes on where it stopped."
    assert progress(stopped)["best"] is None


def test_only_the_end_of_a_long_log_is_sent(run):
    run.log.write_text("".join(f"line {number} ä\n" for number in range(5000)))
    log = progress(run)["log"]
    assert log.endswith("line 4999 ä\n")
    assert log.startswith("line ")
    assert len(log) < 7000


def test_a_newer_run_and_a_deleted_one_are_sentences(run):
    (run.folder / "status.json").write_text('{"format": 99}')
    with pytest.raises(UserError, match="update the workbench"):
        progress(run)
    shutil.rmtree(run.folder)
    assert curves(run) == {"offset": 0, "anew": True, "lines": [], "scores": []}

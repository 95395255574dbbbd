"""The status of a run: written whole, and lost where nobody is there any more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from workbench.errors import UserError
from workbench.runs.files import FORMAT, disk_is_full, read_json
from workbench.runs.processes import is_there, this_process
from workbench.runs.status import STALE, STALE_ELSEWHERE, Status, read_status, seen_now, write_status

NOW = 1_000_000.0


@pytest.fixture
def running():
    """As this very process would tell it."""
    me = this_process()
    return Status("running", NOW, me.host, pid=me.pid, process_started=me.started, eta=5.0)


def test_it_comes_back_as_it_was_written(tmp_path, running):
    write_status(tmp_path / "status.json", running)
    assert read_status(tmp_path / "status.json") == running
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_nothing_written_is_none(tmp_path):
    assert read_status(tmp_path / "status.json") is None


@pytest.mark.parametrize("silence", [0, STALE + 1, 10_000])
def test_a_silent_process_that_is_there_still_runs(running, silence):
    assert seen_now(running, NOW + silence) == running


@pytest.mark.parametrize(("silence", "state"), [(STALE - 1, "running"), (STALE + 1, "lost")])
def test_a_process_that_is_gone_is_lost_when_its_word_is_old(running, silence, state):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert seen_now(replace(running, pid=gone.pid), NOW + silence).state == state


def test_another_process_of_the_same_number_is_not_it(running):
    lost = seen_now(replace(running, process_started=running.process_started - 100), NOW + STALE + 1)
    assert lost.state == "lost"
    assert lost.eta is None


def test_a_dead_child_that_nobody_has_buried_is_not_there():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    import psutil

    started = psutil.Process(child.pid).create_time()
    assert is_there(child.pid, started)
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_there(child.pid, started)
    child.wait()


@pytest.mark.parametrize(("silence", "state"), [(STALE_ELSEWHERE - 1, "running"), (STALE_ELSEWHERE + 1, "lost")])
def test_on_another_host_only_its_word_tells(running, silence, state):
    assert seen_now(replace(running, host="another"), NOW + silence).state == state


def test_a_worker_that_never_came_is_lost_in_the_end():
    starting = Status("queued", NOW, this_process().host)
    assert seen_now(starting, NOW + STALE + 1).state == "queued"
    assert seen_now(starting, NOW + STALE_ELSEWHERE + 1).state == "lost"


@pytest.mark.parametrize("state", ["stopped", "finished", "failed"])
def test_what_has_ended_is_never_lost(running, state):
    ended = replace(running, state=state, pid=None)
    assert seen_now(ended, NOW + 1e9) == ended


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps({"format": FORMAT + 1}), "update the workbench"),
        ("{", "cannot be read"),
        ("", "cannot be read"),
        ("[]", "no file of a run"),
    ],
)
def test_a_file_that_cannot_be_understood_is_a_sentence(tmp_path, text, words):
    path = tmp_path / "status.json"
    path.write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        read_status(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_knob_of_tomorrow_in_the_same_format_is_passed_over(tmp_path, running):
    path = tmp_path / "status.json"
    write_status(path, running)
    path.write_text(json.dumps(read_json(path) | {"mood": "good"}))
    assert read_status(path) == running


def test_a_full_disk_is_known_by_its_number_or_words_however_deep():
    outer = RuntimeError("unexpected pos 704 vs 598")
    outer.__context__ = OSError(28, "No space left on device")
    assert disk_is_full(outer)
    assert disk_is_full(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert not disk_is_full(OSError(13, "Permission denied"))
    assert not disk_is_full(RuntimeError("os error 2"))

"""What the devices do: told by the run at work, else by themselves."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from small_run import small_config

from workbench.devices import Device, Reading
from workbench.runs import machine as module
from workbench.runs.machine import machine, runs_at_work
from workbench.runs.processes import this_process
from workbench.runs.records import RecordWriter
from workbench.runs.run import Run
from workbench.runs.status import read_status, write_status


@pytest.fixture(autouse=True)
def idle_devices(monkeypatch):
    """Two devices that tell what they do, and how often they were asked."""
    asked = []
    gpu = Device("cuda", 0, "A GPU")
    cpu = Device("cpu", 0, "A processor", 8)

    def read():
        asked.append(time.monotonic())
        return [Reading(gpu, 0.25, 2**30, 2**34, 41.0, 70.5, None), Reading(cpu, 0.123456, 2**31, 2**35)]

    monkeypatch.setattr(module, "read_devices", read)
    monkeypatch.setattr(module, "_recent", module._Recent())
    return asked


def at_work(runs, name, speed=50.0):
    """A run whose worker is this process."""
    run = Run.create(small_config(), runs, name)
    status, me = read_status(run.folder / "status.json"), this_process()
    told = {"state": "running", "heartbeat": time.time(), "images_per_second": speed}
    write_status(
        run.folder / "status.json", replace(status, **told, pid=me.pid, process_started=me.started, host=me.host)
    )
    return run


def note(run, seconds_ago, load):
    device = {"device": "cpu", "name": "as the run sees it", "utilisation": load, "memory_used": 5, "memory_total": 9}
    writer = RecordWriter(run.folder / "system.jsonl")
    figures = {"temperature": None, "power": None, "process_memory": 3}
    writer.append({"time": time.time() - seconds_ago, "images_per_second": 40.0, "devices": [device | figures]})
    writer.close()


def test_idle_devices_tell_themselves(tmp_path):
    answer = machine(tmp_path)
    assert answer["devices"] == [
        {"device": "cuda:0", "name": "A GPU", "memory_total": 2**34},
        {"device": "cpu", "name": "A processor", "memory_total": 2**35},
    ]
    assert answer["figures"] == [[0.25, 2**30, 41.0, 70.5, None], [0.1235, 2**31, None, None, None]]
    assert answer["runs"] == answer["history"] == []


def test_what_is_known_is_not_told_again(tmp_path):
    answer = machine(tmp_path, known=["cuda:0", "cpu"])
    assert "devices" not in answer
    assert len(json.dumps(answer)) < 200
    assert "devices" in machine(tmp_path, known=["cpu"])


def test_however_many_look_the_devices_are_read_once_a_second(tmp_path, idle_devices):
    for _ in range(20):
        machine(tmp_path)
    assert len(idle_devices) == 1


def test_a_run_at_work_tells_its_speed_and_its_history(tmp_path, idle_devices):
    run = at_work(tmp_path, "busy", speed=51.23)
    Run.create(small_config(), tmp_path, "idle")
    note(run, 6, 0.5)
    note(run, 1, 0.75)
    answer = machine(tmp_path)
    assert answer["runs"] == [{"run": "busy", "speed": 51.2}]
    assert answer["figures"] == [[0.75, 5, None, None, 3]]
    assert [moment[1:] for moment in answer["history"]] == [[40.0, 0.5], [40.0, 0.75]]
    assert not idle_devices
    later = machine(tmp_path, since=answer["history"][0][0] + 0.1)
    assert [moment[1:] for moment in later["history"]] == [[40.0, 0.75]]


def test_a_run_that_has_long_said_nothing_does_not_speak_for_the_devices(tmp_path, idle_devices):
    note(at_work(tmp_path, "busy"), 60, 0.5)
    assert machine(tmp_path)["devices"][0]["name"] == "A GPU"
    assert idle_devices


def test_a_run_that_cannot_be_read_is_not_at_work(tmp_path):
    run = at_work(tmp_path, "busy")
    (run.folder / "status.json").write_text("{")
    assert runs_at_work(tmp_path) == []

"""The queue: one at a time a device, in the order of coming, and nobody waits for the dead."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from small_run import wait_until

from workbench.runs import queue
from workbench.runs.queue import queue_folder, turn

HOLDER = """
import sys, time
from workbench.runs.queue import turn
def waiting(device, ahead): print("waits", flush=True)
with turn(sys.argv[1].split(","), sys.argv[2], waiting):
    print("holds", flush=True)
    time.sleep(600)
"""


class StopWaitingError(Exception):
    pass


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_QUEUE", str(tmp_path / "queue"))
    monkeypatch.setattr(queue, "POLL", 0.02)


@pytest.fixture
def another():
    """Starts a process that holds devices, or waits for them."""
    processes = []

    def start(devices, name):
        command = [sys.executable, "-c", HOLDER, devices, name]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return processes[-1], processes[-1].stdout.readline().strip()

    yield start
    for process in processes:
        process.kill()
        process.wait()


def give_up(device, ahead):
    raise StopWaitingError(device, ahead)


def never(device, ahead):
    raise AssertionError("nobody is there to wait for")


def tickets():
    return [json.loads(path.read_text())["name"] for path in sorted(queue_folder().rglob("*.json"))]


def test_a_free_device_is_taken_at_once_and_given_back():
    for _ in range(2):
        with turn(["cpu"], "one", never):
            assert tickets() == ["one"]
    assert tickets() == []


def test_a_device_has_one_name_whatever_is_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, MIG-a")
    assert [queue.name_in_queue("cuda", index) for index in (None, 0, 1)] == ["cuda:3", "cuda:3", "cuda:MIG-a"]
    assert (queue.name_in_queue("cpu"), queue.name_in_queue("mps")) == ("cpu", "mps:0")


def test_who_waits_is_told_who_is_ahead(another):
    assert another("cpu", "first")[1] == "holds"
    assert another("cpu", "second")[1] == "waits"
    with pytest.raises(StopWaitingError) as caught, turn(["cpu"], "third", give_up):
        pass
    assert caught.value.args == ("cpu", ["first", "second"])
    assert tickets() == ["first", "second"], "who gives up leaves no ticket"


def test_other_devices_are_free(another):
    assert another("cuda:0", "first")[1] == "holds"
    with turn(["cuda:1"], "second", never):
        pass


def test_several_devices_are_held_together(another):
    with turn(["cuda:1", "cuda:0"], "both", never):
        for device in ("cuda:0", "cuda:1"):
            assert another(device, "one")[1] == "waits"


def test_the_killed_hold_nothing_and_wait_for_nothing(another):
    holder, _ = another("cpu", "holder")
    waiter, _ = another("cpu", "waiter")
    held = threading.Event()

    def hold():
        with turn(["cpu"], "last", lambda device, ahead: None):
            held.set()

    thread = threading.Thread(target=hold)
    thread.start()
    for process in (waiter, holder):
        assert not held.is_set()
        process.kill()
        process.wait()
    assert held.wait(10)
    thread.join()
    assert tickets() == []


def test_they_come_in_the_order_of_their_tickets(another):
    came = []

    def wait_for_turn(name):
        with turn(["cpu"], name, lambda device, ahead: None):
            came.append(name)

    threads = []
    with turn(["cpu"], "first", never):
        for name in ("second", "third", "fourth"):
            threads.append(threading.Thread(target=wait_for_turn, args=(name,)))
            threads[-1].start()
            wait_until(lambda name=name: name in tickets())
    for thread in threads:
        thread.join()
    assert came == ["second", "third", "fourth"]

"""How a worker is started: one process, or one that starts several."""

from __future__ import annotations

import sys

import pytest
from small_run import small_config, wait_until

from workbench.errors import UserError
from workbench.runs.launch import GROUP, WORKER, Hosts, launch, worker_command


@pytest.mark.parametrize("devices", ["auto", "cpu", "1", "cuda:1"])
def test_one_device_is_one_process(tmp_path, devices):
    hardware = small_config(training__hardware__devices=devices).training.hardware
    assert worker_command(tmp_path, hardware) == [sys.executable, "-m", WORKER, str(tmp_path)]


@pytest.mark.parametrize("devices", ["2", "0,2", "cpu:2"])
def test_several_devices_or_hosts_are_started_by_one_that_watches(tmp_path, devices):
    hardware = small_config(training__hardware__devices=devices).training.hardware
    one = small_config().training.hardware
    assert worker_command(tmp_path, hardware)[:4] == [sys.executable, "-m", GROUP, str(tmp_path)]
    assert worker_command(tmp_path, one, Hosts(2, 0, "10.0.0.1"))[2] == GROUP
    assert worker_command(tmp_path, one)[2] == WORKER


@pytest.mark.parametrize(
    ("devices", "processes"),
    [("auto", 1), ("cpu", 1), ("1", 1), ("2", 2), ("cuda:1", 1), ("0,1,2,3", 4), ("3,0", 2), ("cpu:2", 2)],
)
def test_how_many_processes_devices_are(devices, processes):
    assert small_config(training__hardware__devices=devices).training.hardware.processes == processes


@pytest.mark.parametrize("devices", ["0", "0,0", "cuda", "cpu:0", "-1", "1,", ""])
def test_what_names_no_devices_is_refused(devices):
    with pytest.raises(UserError, match="devices"):
        small_config(training__hardware__devices=devices)


def test_a_run_is_never_taken_for_a_part_of_the_training_that_starts_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    told = "import os; print(os.environ.get('RANK'), os.environ.get('WORLD_SIZE'))"
    monkeypatch.setattr("workbench.runs.launch.worker_command", lambda *_: [sys.executable, "-c", told])
    launch(tmp_path, small_config().training.hardware)
    wait_until(lambda: (tmp_path / "log.txt").read_text() == "None None\n", 20)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc goes by these variables")
@pytest.mark.parametrize(("own", "faults"), [({}, False), ({"MALLOC_MMAP_THRESHOLD_": "65536"}, True)])
def test_a_worker_keeps_the_memory_that_it_has_freed_unless_told_otherwise(tmp_path, monkeypatch, own, faults):
    """Pages that were given back to the system fault when memory is taken again."""
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    told = (
        "import resource\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def use(megabytes=40): return len(b'x' * (megabytes << 20))\n"
        "use(); before = faults()\n"
        "for _ in range(5): use()\n"
        "print(faults() - before > 10_000)"
    )
    monkeypatch.setattr("workbench.runs.launch.worker_command", lambda *_: [sys.executable, "-c", told])
    launch(tmp_path, small_config().training.hardware)
    wait_until(lambda: (tmp_path / "log.txt").read_text() == f"{faults}\n", 20)


def test_what_lies_in_the_caller_s_folder_is_not_imported(tmp_path, monkeypatch):
    """The worker is of a session of its own, reads nothing from the terminal, and leaves no zombie."""
    told = "import os, sys; print(os.getsid(0) == os.getpid(), sys.stdin.read() == '', sys.path[0]); import random"
    monkeypatch.setattr("workbench.runs.launch.worker_command", lambda *_: [sys.executable, "-c", told])
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    launch(tmp_path, small_config().training.hardware)
    log = tmp_path / "log.txt"
    wait_until(lambda: log.read_text().endswith("\n"), 20)
    own_session, nothing_to_read, first_path = log.read_text().split(" ", 2)
    assert (own_session, nothing_to_read) == ("True", "True")
    assert first_path.strip() != str(tmp_path)


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        (Hosts(total=2, host=2, address="10.0.0.1"), "--hosts 2 --host-rank 2: hosts are counted from 0"),
        (Hosts(total=2), "--address"),
    ],
)
def test_hosts_that_cannot_meet_are_told(hosts, words):
    with pytest.raises(UserError, match=words):
        hosts.checked()

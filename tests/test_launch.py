"""How a worker is started: one process, or several that train together and tell as one."""

from __future__ import annotations

import sys

import pytest
from small_run import has_steps, small_config, wait_until

from workbench.models import load_model
from workbench.runs.launch import WORKER, launch, worker_command
from workbench.runs.run import Run


@pytest.mark.parametrize("devices", ["auto", "cpu", "1"])
def test_one_device_is_one_process(tmp_path, devices):
    hardware = small_config(training__hardware__devices=devices).training.hardware
    assert worker_command(tmp_path, hardware) == [sys.executable, "-m", WORKER, str(tmp_path)]


def test_several_devices_are_a_process_each(tmp_path):
    hardware = small_config(training__hardware__devices="0,2").training.hardware
    words = " ".join(worker_command(tmp_path, hardware))
    assert "accelerate.commands.launch" in words
    assert "--num_processes 2" in words
    assert "--gpu_ids 0,2" in words
    assert words.endswith(f"-m {WORKER} {tmp_path}")


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


@pytest.mark.slow
def test_two_processes_on_the_cpu_fill_one_run(tmp_path, monkeypatch):
    """Started by torchrun, since `accelerate launch` has several processes only on accelerators."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", WORKER]
    monkeypatch.setattr("workbench.runs.launch.worker_command", lambda folder, _: [*command, str(folder)])
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    run = Run.start(small_config(training__batch=2), tmp_path)
    assert run.wait(200).state == "finished", run.log.read_text()
    steps = [r["step"] for r in run.records() if r["split"] == "train" and not r.get("complete")]
    assert steps == [1, 2, 3, 4, 5, 6], "12 pictures, 2 for each of 2 processes a step"
    assert load_model(run.best_model).card.task.mode == "binary"

    run.resume({"epochs": 1000})
    wait_until(lambda: has_steps(run, 12))
    run.request_stop()
    status = run.wait(60)
    assert (status.state, status.step) == ("stopped", run.last_step), run.log.read_text()
    wait_until(lambda: not run.is_at_work())

"""Runs whose worker is killed, stopped, or finds the disk full: what is left, and that going on gives the same."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_run import has_steps, measured, small_config, wait_until

from workbench.errors import UserError
from workbench.models import load_model
from workbench.runs.checkpoints import load_checkpoint
from workbench.runs.records import RESUMED
from workbench.runs.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EVERY_STEP = {"recording__checkpoint_minutes": 0}


@pytest.fixture(autouse=True)
def no_worker_is_left(tmp_path):
    """A test that fails leaves nobody behind who holds the device."""
    yield
    for path in tmp_path.rglob("status.json"):
        if Run(path.parent).is_at_work():
            kill(Run(path.parent))


def finished(run: Run) -> Run:
    status = run.wait(120)
    assert status.state == "finished", (status, run.log.read_text())
    return run


def kill(run: Run) -> None:
    """As the system does when memory is short: no word, and no chance to write one."""
    pid = run.status().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not run.is_at_work())


def equal(one, other) -> bool:
    """Bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def assert_same(run: Run, other: Run) -> None:
    assert measured(run.records()) == measured(other.records())
    states = [load_checkpoint(each.checkpoints) for each in (run, other)]
    assert equal(states[0].state, states[1].state)
    assert equal(load_file(run.best_model), load_file(other.best_model))
    assert run.previews.epochs == other.previews.epochs
    for epoch in run.previews.epochs:
        for number in range(len(run.previews.names)):
            maps, others = run.previews.maps(epoch, number), other.previews.maps(epoch, number)
            assert (maps.probability == others.probability).all()


def test_killed_twenty_times_and_still_the_same(tmp_path):
    """At random moments: in steps, in validations, and while checkpoints are written."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"the moments are drawn from seed {seed}")
    chance = random.Random(seed)
    config = small_config(training__epochs=40, training__ema=0.9, training__schedule__name="cosine", **EVERY_STEP)
    whole = finished(Run.start(config, tmp_path / "whole", "run"))
    run = Run.create(config, tmp_path / "killed", "run")
    for _ in range(20):
        before = len(run.history().records)
        run.launch()
        wanted = before + chance.randrange(1, 9)
        wait_until(lambda wanted=wanted: len(run.history().records) >= wanted or run.status().ended, poll=0.001)
        time.sleep(chance.uniform(0, 0.04))
        if run.status().ended:
            break
        kill(run)
    lives = sum(RESUMED in record for record in run.history().records)
    assert lives >= 15, "the training is too short for twenty lives"
    if not run.status().ended:
        run.launch()
    finished(run)
    assert_same(run, whole)


@pytest.mark.parametrize("how", ["SIGTERM", "stop file"])
def test_a_stop_leaves_a_model_and_goes_on_exactly(tmp_path, how):
    """In mid-epoch, within seconds, and the data path may have moved with the run."""
    config = small_config(training__epochs=100, training__iterations=61)
    run = Run.start(config, tmp_path / "stopped", "run")
    wait_until(lambda: has_steps(run, 7))
    asked = time.monotonic()
    if how == "SIGTERM":
        os.kill(run.status().pid, signal.SIGTERM)
    else:
        run.request_stop()
        assert run.status().state in ("stopping", "stopped")
    status = run.wait(60)
    assert status.state == "stopped"
    assert time.monotonic() - asked < 20
    assert 7 <= run.last_step == status.step < 61
    assert load_model(run.best_model).card.task.mode == "binary"

    elsewhere = tmp_path / "elsewhere" / "run"
    shutil.copytree(run.folder, elsewhere)
    shutil.rmtree(tmp_path / "stopped")
    moved = Run.open(elsewhere)
    moved.resume()
    finished(moved)
    assert_same(moved, finished(Run.start(config, tmp_path / "whole", "run")))


def test_a_finished_run_can_be_made_longer(tmp_path):
    """The same as if it had been that long from the beginning, where the schedule does not depend on the end."""
    short = finished(Run.start(small_config(training__epochs=2), tmp_path / "short", "run"))
    short.resume({"epochs": 4})
    assert short.status().state in ("queued", "preparing", "running")
    finished(short)
    assert_same(short, finished(Run.start(small_config(training__epochs=4), tmp_path / "long", "run")))


def test_a_killed_worker_is_lost_and_not_running(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.runs.status.STALE", 0.5)
    run = Run.start(small_config(training__epochs=10_000), tmp_path)
    wait_until(lambda: has_steps(run, 1))
    kill(run)
    wait_until(lambda: run.status().state == "lost")
    assert "resumed" in run.status().detail


def test_a_second_run_waits_until_the_first_is_gone(tmp_path):
    first = Run.start(small_config(training__epochs=10_000), tmp_path, "first")
    wait_until(lambda: first.status().state == "running")
    second = Run.start(small_config(), tmp_path, "second")
    wait_until(lambda: "behind first: number 1 in the queue" in second.status().detail)
    assert second.status().state == "queued"
    third = Run.start(small_config(), tmp_path, "third")
    wait_until(lambda: "behind first, second: number 2 in the queue" in third.status().detail)
    third.request_stop()
    assert third.wait(30).state == "stopped"
    kill(first)  # nobody gives the device back: the system does
    finished(second)


FULL = "The disk of"


def check_ended_by_a_full_disk(run: Run) -> None:
    status = run.wait(120)
    assert status.state == "failed", run.log.read_text()
    assert status.error.startswith(FULL)
    assert "Traceback" not in run.log.read_text()
    step = run.last_step
    assert f"checkpoint of step {step} is whole" in status.error
    assert load_checkpoint(run.checkpoints).step == step
    assert not list(run.folder.rglob("*.part"))


def test_a_limit_of_file_sizes_ends_a_run_like_a_full_disk(tmp_path):
    """What every system can do: no file may grow over so many bytes."""
    import resource

    run = Run.start(small_config(training__epochs=10_000, model__width=8, **EVERY_STEP), tmp_path)
    wait_until(lambda: has_steps(run, 5))
    resource.prlimit(run.status().pid, resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
    check_ended_by_a_full_disk(run)
    run.resume({"epochs": 1})
    assert run.wait(60).state == "finished"


def test_a_full_disk_ends_a_run_with_its_last_checkpoint(tmp_path):
    """A disk of its own, where the system lets us make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    run = Run.create(small_config(training__epochs=10_000, model__width=8, **EVERY_STEP), disk)
    try:
        run.launch()
        wait_until(lambda: has_steps(run, 5))
        fill(disk / "other", leave=200_000)
        check_ended_by_a_full_disk(run)
        fill(disk / "more", leave=0)
        with pytest.raises(UserError, match=FULL):
            run.resume()
        for name in ("other", "more"):
            (disk / name).unlink()
        run.resume({"epochs": 1})
        assert run.wait(60).state == "finished"
    finally:
        if run.is_at_work():
            kill(run)
        unmount = ["umount", str(disk)]
        wait_until(lambda: subprocess.run(unmount, capture_output=True, check=False).returncode == 0)


def fill(path: Path, leave: int) -> None:
    path.write_bytes(os.urandom(max(0, shutil.disk_usage(path.parent).free - leave)))

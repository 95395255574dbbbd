"""Several processes fill one run: stopped, killed, failing, and on two hosts, with all that is told of it."""

from __future__ import annotations

import functools
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from small_run import has_steps, measured, small_config, wait_until
from test_interruptions import assert_same
from torch.distributed import HashStore

from workbench import cli
from workbench.commands.knobs import parsed
from workbench.commands.train import train
from workbench.config import HardwareConfig, load_config, save_config
from workbench.errors import UserError
from workbench.knobs import override
from workbench.models import load_model
from workbench.runs.changes import with_whole_paths
from workbench.runs.company import Company, CompanyOverError, is_a_consequence
from workbench.runs.group import device_environment
from workbench.runs.launch import Hosts
from workbench.runs.meeting import find_store, open_store
from workbench.runs.run import Run

alone_for_minutes = pytest.mark.timeout(600)
EVERY_STEP = {"recording__checkpoint_minutes": 0}
LONG = {"training__epochs": 10_000}


@pytest.fixture(autouse=True)
def one_core_each_and_nobody_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WORKBENCH_QUEUE", str(tmp_path / "queue"))
    yield
    for path in tmp_path.rglob("status.json"):
        for process in processes_of(Run(path.parent)):
            process.kill()


def config(**knobs):
    return small_config(**{"training__batch": 2, "training__hardware__devices": "cpu:2", **knobs})


def processes_of(run: Run) -> list[psutil.Process]:
    """The one that leads, and then those that train, in the order of their numbers."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(run.folder) in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return sorted(found, key=lambda process: process.pid)


def leader_and_workers(run: Run) -> tuple[psutil.Process, list[psutil.Process]]:
    leader = psutil.Process(psutil.Process(run.status().pid).ppid())
    workers = {process.environ()["RANK"]: process for process in leader.children()}
    return leader, [workers[number] for number in sorted(workers)]


def finished(run: Run) -> Run:
    status = run.wait(200)
    assert status.state == "finished", (status, run.log.read_text())
    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of two processes that nobody disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("WORKBENCH_QUEUE", str(tmp_path_factory.mktemp("queue")))
        run = Run.start(
            config(training__epochs=20, training__ema=0.9, **EVERY_STEP), tmp_path_factory.mktemp("whole"), "r"
        )
        return finished(run)


@pytest.mark.slow
def test_two_processes_fill_one_run(whole):
    steps = [r["step"] for r in whole.records() if r["split"] == "train" and not r.get("complete")]
    assert steps == list(range(1, 61)), "12 pictures, 2 for each of 2 processes a step"
    assert load_model(whole.best_model).card.task.mode == "binary"
    assert whole.environment()[-1]["processes"] == 2
    assert whole.status().device == "cpu, 2 processes"


@pytest.mark.slow
@alone_for_minutes
def test_killed_one_by_one_and_all_together_it_goes_on_exactly(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.runs.status.STALE", 0.5)
    run = Run.start(whole.config, tmp_path / "killed", "r")
    wait_until(lambda: has_steps(run, 4))
    _, (_, second) = leader_and_workers(run)
    second.kill()
    status = run.wait(100)
    assert status.state == "failed"
    assert status.error.startswith(f"Process 1 of the training was killed on {socket.gethostname()} by SIGKILL")
    run.resume()
    before = run.last_step
    wait_until(lambda: run.status().state == "running" and has_steps(run, before + 4))
    leader, workers = leader_and_workers(run)
    for process in (leader, *workers):
        process.kill()
    wait_until(lambda: run.status().state == "lost")
    wait_until(lambda: not run.is_at_work())
    run.resume()
    assert_same(finished(run), whole)


@pytest.mark.slow
def test_without_the_one_that_started_them_they_end(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.runs.status.STALE", 0.5)
    run = Run.start(config(**LONG), tmp_path, "r")
    wait_until(lambda: has_steps(run, 1))
    leader, workers = leader_and_workers(run)
    leader.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    wait_until(lambda: run.status().state == "lost")


@pytest.mark.slow
def test_stopped_and_longer(tmp_path):
    run = Run.start(config(**LONG), tmp_path, "r")
    wait_until(lambda: has_steps(run, 7))
    run.request_stop()
    status = run.wait(60)
    assert (status.state, status.step) == ("stopped", run.last_step), run.log.read_text()
    assert load_model(run.best_model)
    run.resume({"epochs": status.step // 3 + 2, "devices": "cpu"})  # alone from here on
    finished(run)
    assert run.environment()[-1]["processes"] == 1


BROKEN_IN_SECOND = """
import os
if os.environ.get("RANK") == "1":
    from workbench.training.loop import Trainer
    step = Trainer._train_step
    def broken(self, *batches):
        if self.course.position.step == 3:
            raise {error}
        return step(self, *batches)
    Trainer._train_step = broken
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("ZeroDivisionError('a lens')", ["mistake of the workbench", "ZeroDivisionError: a lens", "in process 1 on"]),
        ("__import__('workbench.errors').errors.UserError('Mend the lens.')", ["Mend the lens."]),
    ],
)
def test_the_error_of_the_one_that_failed_is_told(tmp_path, monkeypatch, error, words):
    """Not that of the first process, which only sees a connection break."""
    (tmp_path / "sitecustomize.py").write_text(BROKEN_IN_SECOND.format(error=error))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = Run.start(config(**LONG), tmp_path / "runs", "r")
    status = run.wait(100)
    assert status.state == "failed"
    assert all(word in status.error for word in words), (status.error, run.log.read_text())
    wait_until(lambda: not run.is_at_work())


@pytest.mark.slow
def test_a_loss_of_nan_at_a_checkpoint_ends_it(tmp_path):
    """Only the first process writes checkpoints, and notices then; the others must not wait for it."""
    run = Run.start(
        config(training__report_every=1000, training__optimizer__learning_rate=1e30, **EVERY_STEP), tmp_path
    )
    status = run.wait(60)
    assert status.state == "failed", run.log.read_text()
    assert "The loss became" in status.error


# --- hosts ---


@pytest.fixture
def train_on(tmp_path):
    """Gives the command of `workbench train` on one of two hosts, which share nothing but the network."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []

    def start(host, folder, *words):
        given = ["--hosts", "2", "--host-rank", str(host), "--address", "127.0.0.1", "--port", str(port)]
        environment = {**os.environ, "WORKBENCH_QUEUE": str(tmp_path / f"queue-{host}")}
        command = [sys.executable, "-m", "workbench", "train", *words, "--runs", str(folder), *given]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


@pytest.mark.slow
@alone_for_minutes
def test_two_hosts_are_two_processes_and_either_ends_both(whole, tmp_path, train_on):
    settings = tmp_path / "settings.yaml"
    save_config(override(whole.config, {"devices": "cpu"}), settings)
    first, second = tmp_path / "first", tmp_path / "second"
    along = train_on(1, second, str(settings))
    leading = train_on(0, first, str(settings), "--name", "r")
    assert leading.wait(200) == 0, leading.stdout.read()
    assert along.wait(20) == 0, along.stdout.read()
    run = Run.open(first / "r")
    assert measured(run.records()) == measured(whole.records())
    assert run.environment()[-1]["hosts"] == 2
    assert [path.name for path in second.iterdir()] == ["prepared"], "the run lies on host 0 alone"

    longer = train_on(0, first, "--resume", "r", "--epochs", "10000")
    along = train_on(1, second, "--data", "shapes", "--devices", "cpu")
    wait_until(lambda: has_steps(run, 70))
    os.killpg(along.pid, signal.SIGINT)
    assert longer.wait(60) == 0, longer.stdout.read()
    assert along.wait(20) == 0
    assert run.status().state == "stopped"
    assert run.last_step == run.status().step >= 70

    before = run.last_step
    longer = train_on(0, first, "--resume", "r")
    along = train_on(1, second, "--devices", "cpu")
    wait_until(lambda: has_steps(run, before + 4))
    (launcher,) = psutil.Process(along.pid).children()
    (helper,) = launcher.children()
    helper.kill()
    assert longer.wait(60) == 1
    assert along.wait(60) == 1
    assert run.status().state == "failed"
    assert run.status().error.startswith("Process 1 of the training was killed"), run.status().error


def test_where_hosts_cannot_meet():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(UserError, match="a free port"):
            open_store(Hosts(2, 0, "127.0.0.1", busy.getsockname()[1]))
    with pytest.raises(UserError, match="no host called nowhere"):
        find_store(Hosts(2, 1, "nowhere.invalid"))


def test_hosts_without_an_address_or_beyond_their_number_are_refused():
    assert Hosts(2, 1, "10.0.0.1").checked()
    with pytest.raises(UserError, match="--address"):
        Hosts(2, 1).checked()
    with pytest.raises(UserError, match="counted from 0"):
        Hosts(2, 2, "10.0.0.1").checked()


class TestCompany:
    """What processes tell each other, here from threads over a store in memory."""

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch):
        monkeypatch.setattr("workbench.runs.company.POLL", 0.01)

    def test_the_first_failure_is_the_one_that_is_told(self):
        store = HashStore()
        first, second = Company(store, 0, 2), Company(store, 1, 2)
        assert first.failure() is None
        assert second.fail("Mine.") == "Mine."
        assert first.fail("Another.") == "Mine."
        assert first.failure() == second.failure() == "Mine."

    def test_hosts_begin_together(self):
        store, told = HashStore(), []
        first, second = Company(store, 0, 2, 0, 2), Company(store, 1, 2, 1, 2)
        thread = threading.Thread(target=first.gather_hosts, args=("same", told.append))
        thread.start()
        wait_until(lambda: told)
        assert second.heard("begin") is None
        second.host_is_ready("same", "second")
        assert second.hear("begin", lambda: None) == {}
        thread.join()
        assert "host 1" in told[0]

    def test_other_pictures_on_another_host_are_refused(self):
        store = HashStore()
        Company(store, 1, 2, 1, 2).host_is_ready("others", "second")
        with pytest.raises(UserError, match="on host 1"):
            Company(store, 0, 2, 0, 2).gather_hosts("mine", print)

    def test_nobody_waits_for_the_first_when_it_has_gone(self):
        store = HashStore()
        Company(store, 0, 2).part()
        with pytest.raises(CompanyOverError):
            Company(store, 1, 2).hear("begin", lambda: None)

    def test_what_follows_from_another_s_end_is_no_cause(self):
        assert is_a_consequence(RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [::1]:4"))
        assert not is_a_consequence(RuntimeError("shape mismatch"))
        assert not is_a_consequence(ValueError("gloo"))


class FakeAccelerators:
    """As many as one likes, of any kind."""

    def __init__(self, monkeypatch, kind, count):
        import torch

        found = torch.device(kind) if count else None
        monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: found)
        monkeypatch.setattr(torch.accelerator, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("devices", "visible", "expected"),
    [
        ("2", None, "0,1"),
        ("0,2", None, "0,2"),
        ("3,1", None, "3,1"),
        ("0,2", "4,5,6,7", "4,6"),
        ("cuda:3", None, "3"),
    ],
)
def test_each_process_sees_the_devices_that_were_chosen(monkeypatch, devices, visible, expected):
    FakeAccelerators(monkeypatch, "cuda", 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert device_environment(HardwareConfig(devices=devices))["CUDA_VISIBLE_DEVICES"] == expected


def test_a_number_of_devices_is_processes_where_there_are_no_accelerators(monkeypatch):
    FakeAccelerators(monkeypatch, "cuda", 0)
    for devices in ("2", "cpu:2", "cpu", "auto"):
        assert device_environment(HardwareConfig(devices=devices))["ACCELERATE_USE_CPU"] == "true"
    with pytest.raises(UserError, match="no accelerator; choose fewer, or cpu:2"):
        device_environment(HardwareConfig(devices="0,1"))
    FakeAccelerators(monkeypatch, "cuda", 1)
    with pytest.raises(UserError, match="only 1, counted from 0"):
        device_environment(HardwareConfig(devices="2"))


def test_paths_of_a_run_are_whole_before_they_reach_another_folder():
    assert Path(with_whole_paths(small_config(data__path="x")).data.path).is_absolute()


def commands_of_the_guide():
    guide = (Path(__file__).parent.parent / "docs" / "scaling.md").read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```$", guide, flags=re.MULTILINE | re.DOTALL))
    return [line.partition("  #")[0] for line in blocks.splitlines() if line.startswith("workbench ")]


@pytest.mark.parametrize("command", commands_of_the_guide())
def test_the_commands_of_the_guide_are_understood(command, monkeypatch):
    given = []

    @functools.wraps(train)
    def noted(source="", data=None, hosts=1, host_rank=0, address=None, port=29500, knob=(), **_):
        given.append(override(load_config(source), parsed(knob)))
        Hosts(hosts, host_rank, address, port).checked()

    monkeypatch.setitem(cli.COMMANDS, "train", noted)
    assert cli.main(shlex.split(command)[1:]) == 0
    assert given[0].training.hardware.devices != "auto"

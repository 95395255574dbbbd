"""Two processes on one machine learn what one learns from batches of twice the size, and one of them tells it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_training import Discs, SmallNet, trainer

from workbench.training.hardware import take_leave

pytestmark = pytest.mark.slow

KNOBS = {"optimizer.name": "sgd", "learning_rate": 0.1, "epochs": 2}


def training_of(batch, **knobs):
    torch.manual_seed(0)
    model = SmallNet(norm=False, dropout=0.0, auxiliary=True)
    return trainer(model, train=Discs(21), valid=Discs(7, flips=False, seed=1), batch=batch, **{**KNOBS, **knobs})


def in_each_process(folder):
    """Run by each of two processes."""
    training = training_of(4)
    records = []
    for progress in training:
        records.append({**vars(progress), "took": None})
        if progress.step == 2 and not (Path(folder) / "middle").exists():
            torch.save(training.state_dict(), Path(folder) / "middle")
    number = training.hardware.process
    torch.save({"records": records, "state": training.state_dict()}, Path(folder) / f"whole-{number}")

    resumed = training_of(4)
    resumed.load_state_dict(torch.load(Path(folder) / "middle", weights_only=True))
    records = [{**vars(progress), "took": None} for progress in resumed]
    torch.save({"records": records, "state": resumed.state_dict()}, Path(folder) / f"resumed-{number}")

    stopped = training_of(4, report_every=2)
    for _ in stopped:
        stopped.stop()
    torch.save({"step": stopped.course.position.step}, Path(folder) / f"stopped-{number}")

    scaled = training_of(4, scale_learning_rate=True, sync_batch_norm=True)
    told = list(scaled)
    rates, notes = {p.learning_rate for p in told}, [note for p in told for note in p.notes]
    torch.save({"rates": rates, "notes": notes}, Path(folder) / f"scaled-{number}")
    take_leave()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    here = str(Path(__file__).parent)
    script = folder / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {here!r}); import test_processes; "
        f"test_processes.in_each_process({str(folder)!r})"
    )
    # `accelerate launch` starts several processes on a CPU only by mpirun; torch's own launcher does on any device.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(launch, capture_output=True, text=True, timeout=280, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return lambda name, number=0: torch.load(folder / f"{name}-{number}", weights_only=True)


def numbers(records, what):
    return [{**record["losses"], **record["metrics"]} for record in records if record["complete"] == what]


def test_two_processes_are_one_with_twice_the_batch(results):
    ours = results("whole")
    alone = training_of(8)
    expected = [vars(progress) for progress in alone]
    steps = [r["losses"]["loss"] for r in ours["records"] if r["split"] == "train"]
    assert steps == pytest.approx([r["losses"]["loss"] for r in expected if r["split"] == "train"], rel=1e-5)
    for name, weight in alone.evaluated_model.state_dict().items():
        torch.testing.assert_close(ours["state"]["learner"]["model"][name], weight, rtol=1e-4, atol=1e-5)


def test_validation_counts_every_picture_once(results):
    ours = [r for r in results("whole")["records"] if r["complete"] and r["split"] == "valid"]
    alone = training_of(4, epochs=1, learning_rate=1e-12)
    alone.learner.model.load_state_dict(results("whole")["state"]["learner"]["model"])
    *_, last = alone
    assert {**last.metrics, **last.losses} == pytest.approx({**ours[-1]["metrics"], **ours[-1]["losses"]}, rel=1e-6)


def test_only_the_first_process_tells(results):
    assert results("whole", 0)["records"]
    assert results("whole", 1)["records"] == []


def test_both_processes_hold_the_same_weights(results):
    one, other = (results("whole", number)["state"]["learner"]["model"] for number in (0, 1))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_going_on_in_mid_epoch_is_exact(results):
    whole, resumed = results("whole"), results("resumed")
    for record in [*whole["records"], *resumed["records"]]:
        record["images_per_second"] = 0
    assert resumed["records"] == whole["records"][-len(resumed["records"]) :]
    states = (result["state"]["learner"]["model"] for result in (whole, resumed))
    assert all(torch.equal(*pair) for pair in zip(*(state.values() for state in states), strict=True))


def test_both_stop_at_the_same_step(results):
    steps = [results("stopped", number)["step"] for number in (0, 1)]
    assert steps[0] == steps[1] == 2


def test_the_learning_rate_grows_with_the_processes_and_missing_sync_is_said(results):
    scaled = results("scaled")
    assert scaled["rates"] == {0.2}
    assert scaled["notes"] == ["Batch normalisation is not synchronised: torch has no such layer for the CPU."]

"""The alignment check on losses from every kind of log."""

import pytest

from workbench.cli import main
from workbench.config import RunConfig
from workbench.errors import UserError
from workbench.runs.alignment import align, losses_of_run, read_losses
from workbench.runs.records import RecordWriter
from workbench.runs.run import Run


def test_the_mean_errors_are_signed_as_in_the_original():
    found = align([1.1, 1.8], [1.0, 2.0])
    assert found.relative == pytest.approx((0.1 - 0.1) / 2)
    assert found.absolute == pytest.approx(-0.05)
    assert found.unsigned_relative == pytest.approx(0.1)
    assert found.unsigned_absolute == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("ours", "reference", "passed"),
    [
        ([1.049], [1.0], True),
        ([1.06], [1.0], False),
        ([0.0012], [0.001], True),  # 20 % more, but only 0.0002
        ([0.0013], [0.001], False),
        ([0.1], [1.0], True),  # any lower loss passes, which the unsigned errors tell
    ],
)
def test_the_rule(ours, reference, passed):
    found = align(ours, reference)
    assert found.passed == passed
    assert ("PASS" in str(found)) == passed


def test_a_pass_that_only_signs_allow_is_told():
    assert "Without signs" in str(align([0.1], [1.0]))
    assert "further apart" not in str(align([1.0], [1.0]))


def test_the_smaller_error_is_the_rule_that_is_printed():
    assert "rule: mean_absolute_error -0.5" in str(align([0.5], [1.0]).__class__(1, -0.1, -0.5, 0.1, 0.5, 0))
    assert "rule: mean_relative_error" in str(align([8.0], [10.0]).__class__(1, -0.9, -0.5, 0.1, 0.5, 0))


def test_lists_of_different_length_are_compared_as_far_as_both_go():
    found = align([1.0, 2.0, 3.0], [1.0, 2.0])
    assert (found.pairs, found.dropped) == (2, 1)


@pytest.mark.parametrize(("ours", "reference"), [([], [1.0]), ([1.0], [0.0]), ([float("nan")], [1.0])])
def test_what_cannot_be_compared_is_refused(ours, reference):
    with pytest.raises(UserError):
        align(ours, reference)


LOGS = {
    "mmengine.json": '{"lr": 0.01, "loss": 0.5, "step": 1}\n{"mIoU": 60.0, "step": 1}\n{"loss": 0.25, "step": 2}\n',
    "list.json": '[{"loss": 0.5}, {"loss": 0.25}]',
    "log.csv": "epoch,lr,loss,iou,val_loss\n0,0.001,0.5,0.1,0.9\n1,0.001,0.25,0.2,0.8\n",
    "log.tsv": "epoch\tloss\n0\t0.5\n1\t0.25\n",
    "lee.txt": "Epoch [1/2], Loss: 0.5000, \n[Training] Acc: 0.9\nEpoch [2/2], Loss: 0.2500, \n",
    "mmengine.log": "Iter(train) [ 50/100]  lr: 1e-2  loss: 0.5  decode.loss_ce: 0.4\n"
    "Iter(train) [100/100]  lr: 1e-2  loss: 2.5e-1  decode.loss_ce: 0.1\n",
    "numbers.txt": "0.5\n0.25\n",
}


@pytest.mark.parametrize("name", LOGS)
def test_losses_are_read_from_every_kind_of_log(name, tmp_path):
    path = tmp_path / name
    path.write_text(LOGS[name])
    assert read_losses(path) == [0.5, 0.25]


def test_another_column_by_its_name(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOGS["log.csv"])
    assert read_losses(path, "val_loss") == [0.9, 0.8]
    with pytest.raises(UserError, match=r"no losses called 'los'"):
        read_losses(path, "los")


def test_what_is_no_log(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(UserError, match="no text"):
        read_losses(tmp_path / "picture.png")
    with pytest.raises(UserError, match="no run and no file"):
        read_losses(tmp_path / "nothing.log")


def recorded(tmp_path, losses: list[float]) -> Run:
    run = Run.create(RunConfig(), tmp_path / "runs", "one")
    writer = RecordWriter(run.folder / "metrics.jsonl")
    for step, loss in enumerate(losses, start=1):
        record = {"split": "train", "step": step, "losses": {"loss": loss}, "metrics": {}}
        writer.append(record)
        writer.append(record | {"complete": True})
        writer.append(record | {"complete": True, "split": "valid", "losses": {"loss": 9.0}})
    writer.close()
    return run


def test_a_run_gives_its_training_losses(tmp_path):
    run = recorded(tmp_path, [0.5, 0.3])
    assert losses_of_run(run, "epoch") == losses_of_run(run, "step") == [0.5, 0.3]
    with pytest.raises(UserError, match="no training losses"):
        losses_of_run(Run.create(RunConfig(), tmp_path / "runs", "two"), "epoch")


def test_by_command(tmp_path, capsys):
    run = recorded(tmp_path, [0.5, 0.3])
    log = tmp_path / "log.csv"
    log.write_text(LOGS["log.csv"])
    with pytest.raises(SystemExit) as ended:
        main(["compare", run.name, str(log), "--align", "--runs", str(run.folder.parent)])
    assert ended.value.code == 1
    assert "FAIL" in capsys.readouterr().out
    assert main(["compare", run.name, run.name, "--align", "--runs", str(run.folder.parent)]) == 0
    assert "PASS" in capsys.readouterr().out

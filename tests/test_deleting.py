"""Deleting a data set that was sent: all of it goes, runs stay, and nobody's pictures vanish under his work."""

from __future__ import annotations

import threading
import time

import pytest
from sent_data import zip_of_folder
from trees import drawn, save

from workbench.config import RunConfig
from workbench.data.receive import receive_zip
from workbench.errors import UserError
from workbench.runs.datasets import Datasets, Desk
from workbench.runs.datasets.deleting import is_about
from workbench.runs.evaluated import evaluation_folder
from workbench.runs.preparing import prepare_for, prepared_folder
from workbench.runs.run import Run
from workbench.runs.status import Status, write_status

NAME = "uploads/cells"


@pytest.fixture
def desk(tmp_path):
    """A root with a folder that was sent as well."""
    for number, (picture, mask) in enumerate(drawn(3)):
        save(tmp_path / "data" / "cells" / "images" / f"{number}.png", picture)
        save(tmp_path / "data" / "cells" / "masks" / f"{number}.png", mask * 255)
    desk = Desk(Datasets(tmp_path / "runs", [tmp_path / "data"]))
    send(desk, tmp_path)
    return desk


def send(desk, folder):
    packed = zip_of_folder(folder / "data" / "cells", folder / "cells.zip")
    return desk.datasets.name_of(receive_zip(packed, desk.datasets.uploads))


def trained(desk, name="trained"):
    config = RunConfig(data={"path": desk.datasets.path(NAME), "preprocessing": {"size": 32}})
    return Run.create(config, desk.datasets.runs, name)


def test_everything_of_it_goes_but_for_the_runs(desk, tmp_path):
    folder, run = desk.datasets.uploads / "cells", trained(desk)
    decided = desk.datasets.decide(NAME, desk.datasets.config(NAME))
    for config in (decided, run.config):
        prepare_for(config.data, desk.datasets.runs, lambda *_: None)
    other = prepare_for(
        decided.data.model_copy(update={"path": "shapes", "options": {"count": 6}}), desk.datasets.runs, lambda *_: None
    )
    desk.datasets.forget(NAME)  # what was prepared before is found all the same
    desk.datasets.file_of_check(NAME).write_text('{"format": 1}')
    told = desk.deletion_told(NAME)
    assert "Trained on it: trained. They keep their models" in told

    desk.delete(NAME)
    assert not folder.exists()
    assert not any(prepared_folder(config.data, desk.datasets.runs).exists() for config in (decided, run.config))
    assert [path.name for path in desk.datasets.runs.glob(".data/*")] == ["uploads"]
    assert other.folder.is_dir()
    assert (tmp_path / "data" / "cells" / "images" / "0.png").is_file()
    assert Run.open(run.folder).config == run.config
    with pytest.raises(UserError, match="There is no data set"):
        desk.state({"data": NAME})
    assert send(desk, tmp_path) == "uploads/cells-2", "what runs know under a name never becomes other pictures"


def test_a_name_that_no_run_knows_is_free_again(desk, tmp_path):
    told = desk.deletion_told(NAME)
    assert "No run was trained on it." in told
    assert is_about(told, NAME)
    assert not any(is_about(told, other) for other in (NAME[:-1], f"{NAME}-2", None))
    desk.delete(NAME)
    assert list(desk.datasets.uploads.iterdir()) == []
    assert send(desk, tmp_path) == NAME


@pytest.mark.parametrize("name", ["data/cells", "data", "shapes", "../runs"])
def test_nothing_but_what_was_sent_is_deleted(desk, name, tmp_path):
    for act in (desk.deletion_told, desk.delete):
        with pytest.raises(UserError, match=r"was not sent to the app|There is no data set"):
            act(name)
    assert (tmp_path / "data" / "cells" / "masks" / "2.png").is_file()


def test_it_stays_while_somebody_uses_it(desk):
    def refused(sentence):
        for act in (desk.deletion_told, desk.delete):
            with pytest.raises(UserError, match=sentence):
                act(NAME)

    go = threading.Event()
    job = desk.jobs.start(NAME, "Preparing", lambda progress: go.wait(60), lambda _: None)
    refused("Preparing is not done yet")
    go.set()
    while job.at_work:
        time.sleep(0.01)

    run = trained(desk)
    with run.lock():
        refused("trained is at work with uploads/cells")
    at_work = Status("running", time.time(), "elsewhere")
    for folder, sentence in (
        (run.folder, "is at work"),
        (evaluation_folder(run, "valid", "last"), "is being evaluated"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        write_status(folder / "status.json", at_work)
        refused(sentence)
        (folder / "status.json").unlink()
    desk.delete(NAME)
    assert not (desk.datasets.uploads / "cells").exists()

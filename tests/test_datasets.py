"""The data sets of an app: names that are no paths, what is decided about them, and work that can be stopped."""

from __future__ import annotations

import threading
import time

import pytest
from sent_data import faulty_folder, zip_of_folder
from small_run import wait_until

from workbench.config import DataConfig, load_config
from workbench.data.doctor import Finding, Mend, Report, check
from workbench.data.receive import receive_zip
from workbench.data.splits import read_groups
from workbench.errors import UserError
from workbench.knobs import override
from workbench.runs.datasets import Datasets, Desk
from workbench.runs.datasets.checks import contents_of, keep_check
from workbench.runs.jobs import Jobs
from workbench.runs.run import list_runs


@pytest.fixture
def desk(tmp_path):
    """One data set with faults below a root."""
    faulty_folder(tmp_path / "data" / "cells")
    return Desk(Datasets(tmp_path / "runs", [tmp_path / "data"]))


NAME = "data/cells"


def done(desk, state="finished"):
    wait_until(lambda: not desk.jobs.get(NAME).at_work)
    assert desk.jobs.get(NAME).state == state, desk.jobs.get(NAME).error
    return desk.state({"data": NAME})


def config_of(desk, **knobs):
    return override(desk.datasets.config(NAME), {f"data.{knob}": value for knob, value in knobs.items()})


# --- names ---


def test_folders_uploads_and_drawn_pictures_have_names(desk, tmp_path):
    folder = receive_zip(zip_of_folder(tmp_path / "data" / "cells", tmp_path / "a.zip"), desk.datasets.uploads)
    assert desk.datasets.name_of(folder) == "uploads/a"
    assert set(desk.datasets.folders()) >= {"data", NAME, "uploads/a"}
    assert desk.datasets.path("shapes:multiclass") == "shapes:multiclass"
    assert list_runs(tmp_path / "runs") == []


@pytest.mark.parametrize("name", ["/etc", "../runs", "data/../..", "", None, ["data"], "uploads"])
def test_what_is_not_listed_is_refused(desk, name):
    with pytest.raises(UserError, match="There is no data set"):
        desk.datasets.path(name)


# --- what is decided ---


def test_what_is_decided_is_kept_by_data_set_and_forgotten_on_demand(desk):
    assert desk.datasets.decided() == []
    desk.datasets.decide(NAME, config_of(desk, folds=4, path="/somewhere/else"))
    assert desk.datasets.decided() == [NAME]
    assert load_config(desk.datasets.file(NAME)).data.folds == 4
    assert desk.datasets.config(NAME).data.path == desk.datasets.path(NAME)
    assert desk.datasets.config("data").data.folds is None
    desk.datasets.forget(NAME)
    assert desk.datasets.decided() == []
    assert desk.datasets.config(NAME).data.folds is None


# --- work ---


def test_work_goes_on_until_it_is_stopped_and_waits_its_turn():
    jobs, go, results = Jobs(), threading.Event(), []

    def long(progress):
        for number in range(1000):
            progress(number, 1000)
            go.wait(0.01)

    first = jobs.start("a", "Long", long, results.append)
    wait_until(lambda: first.done > 0)
    with pytest.raises(UserError, match="Long is not done yet"):
        jobs.start("a", "Again", long, results.append)
    second = jobs.start("b", "Short", lambda progress: 7, results.append)
    assert second.state == "waiting"
    jobs.stop("a")
    wait_until(lambda: second.state == "finished")
    assert (first.state, results) == ("stopped", [7])


def test_work_that_fails_says_why():
    def refused(progress):
        raise UserError("Not so: do it otherwise.")

    jobs = Jobs()
    job = jobs.start("a", "Work", refused, print)
    wait_until(lambda: not job.at_work)
    assert (job.state, job.error) == ("failed", "Not so: do it otherwise.")


def test_our_own_mistakes_end_the_work_too(monkeypatch):
    told = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    jobs = Jobs()
    job = jobs.start("a", "Work", lambda progress: 1 / 0, print)
    wait_until(lambda: told)
    assert told[0].exc_type is ZeroDivisionError
    assert job.state == "failed"
    assert "log" in job.error


# --- the way of a data set ---


def test_faults_are_found_mended_and_prepared(desk):
    assert "22 pictures with masks" in desk.about({"data": NAME})["report"]
    desk.check(NAME, config_of(desk))
    first = done(desk)["checked"]
    told = desk.findings({"data": NAME})
    codes = {finding["code"]: number for number, finding in enumerate(told["findings"])}
    assert {"unreadable_pictures", "mask_colours"} <= set(codes)
    before, after = told["findings"][codes["mask_colours"]]["illustrations"][0]["pictures"][1:]
    assert before.startswith("data:image/")
    assert before != after
    with pytest.raises(UserError, match="tick at least one"):
        desk.mend(NAME, [codes["unreadable_pictures"]])
    mended = desk.mend(NAME, [codes["mask_colours"]])
    assert mended.data.mask_values
    assert desk.datasets.config(NAME) == mended

    desk.check(NAME, mended)
    assert done(desk)["checked"] != first
    assert "mask_colours" not in {finding["code"] for finding in desk.findings({"data": NAME})["findings"]}
    with pytest.raises(UserError, match="prepare it first"):
        desk.gallery({"data": NAME, "page": 0})
    desk.prepare(NAME, config_of(desk, **{"preprocessing.size": 48}))
    assert done(desk)["prepared"]
    page = desk.gallery({"data": NAME, "page": 7, "split": "train"})
    assert (page["page"], page["pages"], page["total"]) == (0, 1, len(page["pictures"]))
    assert {picture["split"] for picture in page["pictures"]} == {"train"}
    assert "cell_07" in desk.prepared_told(NAME, config_of(desk)), "what was left out is told"
    folds = desk.prepared_told(NAME, config_of(desk, folds=3, fold=1))
    assert "prepared anew" in folds
    assert "Fold 1 of 3 validates. Pictures: 14 train, 7 valid, 0 test." in folds


def test_a_second_mend_keeps_together_what_the_first_did(desk):
    report = check(DataConfig(options={"count": 4, "size": 32}))

    def group(*names):
        finding = Finding("tiles", "warning", "", "", mend=Mend("", groups=dict.fromkeys(names, names[0])))
        found = Report(report.config, (finding,), report.summary)
        keep_check(desk.datasets.file_of_check(NAME), found, contents_of(report.config.path))
        return desk.mend(NAME, [0]).data.group_file

    names = {f"cell_{number:02d}" for number in range(5)}
    first = group("cell_00", "cell_01")
    groups = read_groups(group("cell_01", "cell_02"), names)
    assert set(read_groups(first, names)) == {"cell_00", "cell_01"}, "runs go by the earlier one"
    assert set(groups) == {"cell_00", "cell_01", "cell_02"}
    assert len(set(groups.values())) == 1


def test_what_the_doctor_found_is_there_when_the_app_is_started_again(desk, tmp_path):
    desk.check(NAME, config_of(desk))
    mark, told = done(desk)["checked"], desk.findings({"data": NAME})
    again = Desk(Datasets(tmp_path / "runs", [tmp_path / "data"]))
    assert again.state({"data": NAME})["checked"] == mark
    assert again.findings({"data": NAME}) == told
    assert abs(told["checked"] - time.time()) < 100
    assert not told["changed"]
    colours = next(number for number, found in enumerate(told["findings"]) if found["code"] == "mask_colours")
    assert again.mend(NAME, [colours]).data.mask_values == {0: 0, 255: 1, "#ff0000": 1}

    masks = tmp_path / "data" / "cells" / "masks"
    (masks / "cell_07.png").rename(masks / "cell_7.png")
    assert again.findings({"data": NAME})["changed"]
    with pytest.raises(UserError, match="has not been checked yet"):
        again.mend("shapes", [0])


@pytest.mark.parametrize(
    ("answer", "question", "told"),
    [
        ("gallery", {"page": 0, "split": "secret"}, "split"),
        ("gallery", {"page": -1}, "page"),
        ("gallery", {"page": 0, "order": "none"}, "order"),
        ("picture", {"name": "../../index.json"}, "There is no picture"),
        ("augmented", {"preset": "flips", "strength": "9", "seed": 0}, "strength"),
        ("augmented", {"preset": "none of it", "strength": 1, "seed": 0}, "augmentation"),
        ("augmented", {"preset": "flips", "strength": 1, "seed": "x"}, "seed"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(prepared_desk, answer, question, told):
    with pytest.raises(UserError, match=told):
        getattr(prepared_desk, answer)({"data": "shapes", **question})


@pytest.fixture(scope="module")
def prepared_desk(tmp_path_factory):
    desk = Desk(Datasets(tmp_path_factory.mktemp("runs")))
    small = {"data.options": {"count": 8, "size": 32}, "data.preprocessing.size": 32}
    desk.prepare("shapes", override(desk.datasets.config("shapes"), small))
    wait_until(lambda: desk.jobs.get("shapes").state == "finished")
    return desk


def test_augmentation_changes_with_preset_strength_and_seed(prepared_desk):
    def draws(preset, strength, seed=0):
        rows = prepared_desk.augmented({"data": "shapes", "preset": preset, "strength": strength, "seed": seed})["rows"]
        assert len(rows) == 3
        return rows[0]["pictures"]

    still = draws("medical", 0)
    assert all(picture == still[0] for picture in still)
    seen = [draws("medical", 1), draws("medical", 2), draws("isic2018", 1), draws("medical", 1, seed=1)]
    assert all(one[0] == still[0] for one in seen)
    assert len({one[1]["picture"] for one in seen}) == 4

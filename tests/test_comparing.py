"""What a viewer of several runs asks, and the shoot-outs of a folder of runs."""

from __future__ import annotations

import json
import shutil

import pytest

from workbench.errors import UserError
from workbench.inference.intervals import Interval
from workbench.runs.comparing import MOST_RUNS, Comparing
from workbench.runs.demo import add_demo_run
from workbench.runs.files import write_json
from workbench.runs.shootout import list_shootouts
from workbench.runs.standings import RESULTS, Standing, Standings, read_standings


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The demo, and a copy of it with another number of epochs."""
    folder = tmp_path_factory.mktemp("runs")
    demo = add_demo_run(folder)
    shutil.copytree(demo.folder, folder / "other")
    config = (folder / "other" / "config.yaml").read_text()
    (folder / "other" / "config.yaml").write_text(config.replace("epochs: 12", "epochs: 13"))
    return folder


@pytest.fixture
def viewer(runs):
    return Comparing(runs)


def test_scores_differences_and_what_may_be_concluded(viewer):
    answer = viewer.compare({"runs": ["demo", "other"], "split": "test"})
    assert json.dumps(answer, allow_nan=False)
    assert [row["run"] for row in answer["rows"]] == ["demo", "other"]
    value, low, high = answer["rows"][0]["scores"]["dice"]
    assert low < value < high
    assert answer["knobs"] == {"training.epochs": {"demo": "12", "other": "13"}}
    assert any("may be chance" in sentence for sentence in answer["sentences"])


def test_a_split_without_evaluation_is_told(viewer):
    answer = viewer.compare({"runs": ["demo", "other"], "split": "valid"})
    assert answer["rows"][0]["scores"] == {}
    assert any("not evaluated on valid" in sentence for sentence in answer["sentences"])


def test_curves_and_previews_of_each_run(viewer):
    curves = viewer.compared_curves({"run": "other", "offset": 0, "score": "dice"})
    assert {line["name"] for line in curves["lines"]} >= {"validation", "dice"}
    again = viewer.compared_curves({"run": "other", "offset": curves["offset"], "score": "dice"})
    assert again == {"offset": curves["offset"]}
    previews = viewer.compared_previews({"run": "demo"})
    maps = [viewer.compared_maps({"run": "demo", "epoch": epoch}) for epoch in (1, 12)]
    assert len(maps[0]) == len(previews["pictures"])
    assert maps[0] != maps[1]
    with_gate = viewer.compared_maps({"run": "demo", "epoch": 12, "gate": previews["gates"][-1]})
    assert with_gate[0]["attention"] is not None


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ({"runs": "demo"}, "at least two"),
        ({"runs": ["demo"]}, "at least two"),
        ({"runs": ["demo", "../demo"]}, "run"),
        ({"runs": ["demo", "gone"]}, "gone"),
        ({"runs": ["demo", "other"], "split": "../.."}, "split"),
        ({"runs": ["demo"] * (MOST_RUNS + 1)}, f"At most {MOST_RUNS}"),
    ],
)
def test_what_is_not_listed_is_refused(viewer, question, sentence):
    with pytest.raises(UserError, match=sentence):
        viewer.compare({"split": "test", **question})


def test_epochs_without_previews_are_refused(viewer):
    with pytest.raises(UserError, match="epoch 99"):
        viewer.compared_maps({"run": "demo", "epoch": 99})


# --- shoot-outs ---


def test_shootouts_beside_and_around_the_runs_are_found(tmp_path):
    assert list_shootouts(tmp_path / "contest" / "runs") == []
    for folder in ("contest", "contest/runs/inner", "contest/runs/.gone"):
        (tmp_path / folder).mkdir(parents=True)
        write_json(tmp_path / folder / "plan.json", {})
    found = [path.name for path in list_shootouts(tmp_path / "contest" / "runs")]
    assert found == ["contest", "inner"]


def test_standings_are_read_as_they_were_saved(tmp_path):
    assert read_standings(tmp_path) is None
    standing = Standing("a", "unet", ["a-seed-0"], 3, Interval(0.8, 0.7, 0.9), [0.8], 1000, 1.5, None)
    found = Standings("test", 9, [standing], "Only a has finished.", ["A note."])
    rows = [standing._asdict() | {"dice": standing.dice._asdict()}]
    write_json(tmp_path / RESULTS, {**found._asdict(), "standings": rows, "budget": "3epochs", "seeds": 1})
    assert read_standings(tmp_path) == found

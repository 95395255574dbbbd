"""The notebooks' live views without a browser: what they are told, what they answer, and the stills beside them."""

from __future__ import annotations

import io
import os
import socket
import threading
import time

import numpy as np
import plotly.graph_objects as go
import psutil
import pytest
from PIL import Image

from workbench import web
from workbench.config import DataConfig, RunConfig
from workbench.data.doctor import check
from workbench.data.layouts import open_source
from workbench.errors import UserError
from workbench.plots import loss_and_score_curves, loss_figure
from workbench.runs.demo import add_demo_run
from workbench.runs.records import RecordWriter
from workbench.runs.status import Status, write_status
from workbench.widgets import (
    Curves,
    Findings,
    KnobForm,
    LiveView,
    browse,
    browse_augmentations,
    devices,
    explorer,
    pictures,
    previews,
    progress,
    show,
)

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def run(tmp_path):
    """The demo, in a folder of its own."""
    return add_demo_run(tmp_path)


def bundle(shown):
    """What a cell's output holds."""
    found = shown._repr_mimebundle_()
    return found[0] if isinstance(found, tuple) else found


def picture(data: bytes) -> np.ndarray:
    """A still as an array."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def ask(view, name, question, monkeypatch):
    """What the browser is sent when it asks."""
    sent = []
    monkeypatch.setattr(view, "send", sent.append)
    view._hear(view, {"id": "one", "name": name, "question": question}, [])
    assert [message["id"] for message in sent] == ["one"]
    return sent[0]


# --- live views ---


def test_a_view_carries_its_module_and_values(run):
    view = previews(run)
    assert web.address("previews") in view._esm
    assert view._css == web.style("previews")
    assert view.values == {"run": run.name}
    view.put(run="another")
    assert view.values == {"run": "another"}


def test_views_do_not_share_styles(run):
    keys = {view._anywidget_id for view in (previews(run), progress(run), devices(run.folder.parent))}
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("make", "name", "question", "expected"),
    [
        (progress, "progress", {"run": "demo", "mark": ""}, "state"),
        (previews, "previews", {"run": "demo", "mark": ""}, "epochs"),
        (lambda run: devices(run.folder.parent), "devices", {}, "figures"),
        (lambda run: explorer(run.folder.parent, run.name), "list_models", {}, "runs"),
        (lambda run: explorer(run.folder.parent), "list_pictures", {"run": "demo"}, "drawn"),
    ],
)
def test_questions_are_answered(run, monkeypatch, make, name, question, expected):
    assert expected in ask(make(run), name, question, monkeypatch)["answer"]


def test_previews_give_the_maps_of_an_epoch(run, monkeypatch):
    question = {"run": "demo", "epoch": 3, "gate": "stride_2", "rescale": False}
    maps = ask(previews(run), "maps", question, monkeypatch)["answer"]
    assert len(maps) == len(run.previews.names)
    assert all(each["attention"].startswith("data:image/") for each in maps)


def test_the_explorer_predicts(run, monkeypatch):
    view = explorer(run.folder.parent, run.name)
    asked = {"run": "demo", "checkpoint": "best", "picture": {"source": "drawn", "key": "shape_00000"}}
    assert [each["key"] for each in ask(view, "predict", asked, monkeypatch)["answer"]["maps"] if each.get("gate")]


def test_mistakes_are_told_in_a_sentence(run, monkeypatch):
    told = ask(explorer(run.folder.parent), "list_pictures", {"run": "other"}, monkeypatch)["error"]
    assert "other" in told
    assert "demo" in told


def test_nobody_waits_in_vain_for_an_answer(monkeypatch):
    def broken(question):
        raise RuntimeError("ours")

    view, sent = LiveView("progress", (broken,)), []
    monkeypatch.setattr(view, "send", sent.append)
    with pytest.raises(RuntimeError, match="ours"):
        view._hear(view, {"id": 7, "name": "broken", "question": {}}, [])
    assert sent == [{"id": 7, "error": "Python could not answer; what went wrong stands in the log of the kernel."}]


def test_what_a_view_tells_is_kept(run):
    view = progress(run)
    view._hear(view, {"told": "changed", "facts": {"state": "finished"}}, [])
    assert view.told == {"changed": {"state": "finished"}}


@pytest.mark.parametrize("make", [previews, lambda run: explorer(run.folder.parent, run.name)])
def test_a_still_stands_beside_a_view(run, make):
    shown = bundle(make(run))
    assert WIDGET in shown
    assert len(np.unique(picture(shown["image/png"]).reshape(-1, 3), axis=0)) > 50


def test_views_of_nothing_have_no_still(tmp_path):
    assert "image/png" not in bundle(explorer(tmp_path))


def test_the_still_of_devices_is_their_table(run):
    assert "cpu" in bundle(devices(run.folder.parent))["text/html"]


# --- curves ---


def append(run, *records):
    writer = RecordWriter(run.folder / "metrics.jsonl")
    for record in records:
        writer.append(record)
    writer.close()


def points(curves, name):
    return next((list(trace.x) for trace in curves.data if trace.name == name), [])


def test_curves_grow_while_a_run_trains_and_stop_by_themselves(run):
    status = run.folder / "status.json"
    at_work = Status(
        "running",
        time.time(),
        socket.gethostname(),
        pid=os.getpid(),
        process_started=psutil.Process().create_time(),
    )
    write_status(status, at_work)
    curves = Curves(run, seconds=0.05)
    before = points(curves, "training, by step")
    append(run, {"split": "train", "step": 1000, "losses": {"loss": 0.5}})
    end = time.monotonic() + 20
    while points(curves, "training, by step") == before and time.monotonic() < end:
        time.sleep(0.02)
    assert points(curves, "training, by step") == [*before, 1000]
    write_status(status, Status("finished", time.time(), socket.gethostname()))
    curves.wait(20)
    assert not [thread for thread in threading.enumerate() if thread.name == f"curves of {run.name}"]
    assert curves.layout.title.text == f"{run.name}: finished"


def test_curves_of_a_run_that_ended_are_whole(run):
    curves = Curves(run, seconds=0.01)
    curves.wait(20)
    whole = {curve.name: list(curve.steps) for curve in loss_and_score_curves(run.records())}
    assert {trace.name: list(trace.x) for trace in curves.data} == whole
    assert "image/png" in bundle(curves)


def test_what_a_resumed_run_left_behind_goes_from_its_curves(run):
    curves = Curves(run, seconds=60)
    last = points(curves, "training, by step")[-1]
    append(run, {"resumed_from": last - 10}, {"split": "train", "step": last - 9, "losses": {"loss": 0.4}})
    curves.look()
    curves.stop()
    assert points(curves, "training, by step")[-1] == last - 9


# --- stills ---


def test_a_figure_comes_with_its_picture(run):
    figure = loss_figure(loss_and_score_curves(run.records()), "demo")
    shown = show(figure).bundle
    assert shown["application/vnd.plotly.v1+json"]["layout"]["title"]["text"] == "demo"
    assert picture(shown["image/png"]).std() > 10


@pytest.mark.parametrize("trace", [go.Scatter, go.Bar])
def test_another_figure_gives_another_picture(trace):
    one, other = (show(go.Figure(trace(x=[1, 2, 3], y=y))).bundle["image/png"] for y in ([1, 2, 3], [3, 1, 2]))
    assert one != other


def test_a_heatmap_has_a_picture():
    figure = go.Figure(go.Heatmap(z=[[0, 1], [1, 0]], x=["a", "b"], y=["c", "d"]))
    assert picture(show(figure).bundle["image/png"]).std() > 10


def test_maps_are_on_their_scale_from_0_to_1():
    """Two maps that differ are told apart, though each is constant."""
    faint, strong = (picture(pictures({"map": np.full((8, 8), value)}).bundle["image/png"]) for value in (0.478, 0.9))
    assert not np.array_equal(faint, strong)


def test_names_may_stand_twice():
    two = pictures([("same", np.zeros((8, 8, 3), np.uint8)), ("same", np.full((8, 8, 3), 255, np.uint8))])
    assert picture(two.bundle["image/png"]).shape[1] > picture(two.bundle["image/png"]).shape[0]


# --- controls ---


def test_pictures_follow_their_controls():
    view = browse(lambda level, kind: pictures({kind: np.full((8, 8), level)}), level=(0.0, 1.0, 0.5), kind=["a", "b"])
    before = bytes(view.picture.value)
    view.controls["level"].value = 0.9
    assert bytes(view.picture.value) != before
    assert view.asked == {"level": 0.9, "kind": "a"}
    assert bundle(view)["image/png"] == bytes(view.picture.value)


@pytest.mark.parametrize(("control", "value"), [("preset", "flips"), ("sample", 1), ("seed", 3), ("strength", 2.0)])
def test_augmentations_follow_every_control(control, value):
    view = browse_augmentations(open_source("shapes", count=3, size=32), ["dsb2018", "flips"])
    before = bytes(view.picture.value)
    view.controls[control].value = value
    assert bytes(view.picture.value) != before


def test_a_form_asks_for_what_its_fields_say():
    form = KnobForm(RunConfig())
    form.fields["model.name"].value = "unet"
    form.fields["training.epochs"].value = 3
    form.fields["training.optimizer.learning_rate"].value = "0.01"
    config = form.config
    assert (config.model.name, config.training.epochs, config.training.optimizer.learning_rate) == ("unet", 3, 0.01)
    assert config.model.width is None
    assert "Passes over the training pictures." in bundle(form)["text/html"]


def test_a_form_tells_what_cannot_be():
    form = KnobForm(RunConfig())
    form.fields["training.epochs"].value = 0
    assert "epochs" in form.message.value
    with pytest.raises(UserError):
        form.config  # noqa: B018
    form.fields["training.epochs"].value = 2
    assert not form.message.value


@pytest.mark.parametrize("ticked", [True, False])
def test_only_ticked_mends_are_written(tmp_path, ticked):
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    source = open_source("shapes", count=8, size=32)
    for item in source.items:
        Image.fromarray(source.read_image(item).array).save(tmp_path / "images" / f"{item.name}.png")
        mask = Image.fromarray(source.read_raw_mask(item) * 255)
        mask.resize((20, 20), Image.BILINEAR).resize((32, 32), Image.BILINEAR).save(
            tmp_path / "masks" / f"{item.name}.png"
        )
    config = DataConfig(path=str(tmp_path))
    findings = Findings(check(config, workers=1))
    assert findings.ticks
    for tick in findings.ticks.values():
        tick.value = ticked
    mended = findings.chosen.write_mends(config, tmp_path / "mended.yaml")
    assert (mended == config) is not ticked
    assert "soft edges" in bundle(findings)["text/html"]

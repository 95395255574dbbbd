"""Knobs: defaults, YAML in and out, overrides by dotted names, and one sentence for every mistake."""

import pytest
import yaml
from pydantic import ValidationError

from workbench.config import LossConfig, RunConfig, TrainingConfig, load_config, presets, save_config
from workbench.errors import UserError
from workbench.knobs import Knobs, knob_paths, override

CHANGED = {
    "data.mask_values": {255: 1, "#ff0000": 2},
    "data.crop": (64, 96),
    "model.options": {"recurrent_steps": 3},
    "training.batch": "auto",
    "training.loss.terms": {"bce": 0.5, "dice": 1.0},
    "training.optimizer.betas": (0.5, 0.999),
    "training.hardware.loss_scale": 1024.0,
}


def test_yaml_gives_back_the_same_config(tmp_path):
    config = override(RunConfig(), CHANGED)
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_what_a_file_leaves_out_is_at_its_default(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text("training:\n  epochs: 3\n  optimizer: {learning_rate: 1e-3}\n")
    config = load_config(path, {"batch": "2"})
    assert config == RunConfig(training={"epochs": 3, "batch": 2, "optimizer": {"learning_rate": 0.001}})
    (tmp_path / "empty.yaml").touch()
    assert load_config(tmp_path / "empty.yaml") == RunConfig()


def test_every_preset_is_read():
    for name in presets():
        assert isinstance(load_config(name), RunConfig)


def test_every_knob_has_a_description():
    assert [path for path, description in knob_paths(RunConfig).items() if len(description) < 10] == []


def test_configs_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        RunConfig().training.epochs = 3


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("epochs", "5", "training.epochs", 5),
        ("training.epochs", 5, "training.epochs", 5),
        ("batch", "auto", "training.batch", "auto"),
        ("batch", "16", "training.batch", 16),
        ("learning_rate", "1e-3", "training.optimizer.learning_rate", 0.001),
        ("optimizer.name", "sgd", "training.optimizer.name", "sgd"),
        ("betas", "[0.5, 0.999]", "training.optimizer.betas", (0.5, 0.999)),
        ("terms", "{bce: 1, dice: 2}", "training.loss.terms", {"bce": 1.0, "dice": 2.0}),
        ("training.loss.terms.focal", "2", "training.loss.terms", {"focal": 2.0}),
        ("model.options.recurrent_steps", "3", "model.options", {"recurrent_steps": 3}),
        ("model.options.deep_supervision", "true", "model.options", {"deep_supervision": True}),
        ("compile", "true", "training.hardware.compile", True),
        ("ema", "null", "training.ema", None),
        ("resize", "none", "data.preprocessing.resize", "none"),
        ("data.preprocessing.size", "64", "data.preprocessing.size", (64, 64)),
        ("crop", "[32, 48]", "data.crop", (32, 48)),
        ("data.path", "2018", "data.path", "2018"),
        ("devices", "0,1", "training.hardware.devices", "0,1"),
    ],
)
def test_overrides(name, text, path, value):
    found = override(RunConfig(), {name: text})
    for step in path.split("."):
        found = getattr(found, step)
    assert found == value
    assert type(found) is type(value)


def test_a_preset_of_drawn_shapes_takes_a_folder_as_well(tmp_path):
    assert load_config("demo").data.options["count"]
    assert load_config("demo", {"data.path": "shapes:multiclass"}).data.options["count"]
    assert load_config("demo", {"data.path": str(tmp_path)}).data.options == {}
    assert load_config("demo", {"data.path": str(tmp_path), "data.options": {"axis": 0}}).data.options == {"axis": 0}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: TrainingConfig(batch=0), ["batch = 0", "greater than or equal to 1", "'auto'"]),
        (lambda: TrainingConfig(epoch=3), ["'epoch'", "epochs", "Did you mean epochs?"]),
        (lambda: TrainingConfig(loss=LossConfig(terms={"bce": "much"})), ["terms = 'much'", "number"]),
        (lambda: RunConfig(training={"optimizer": {"name": "x"}}), ["training.optimizer.name = 'x'", "adam", "sgd"]),
        (
            lambda: RunConfig(training={"schedule": {"epoch": 1}}),
            ["training.schedule.epoch", "training.schedule.power"],
        ),
        (lambda: RunConfig(training={"hardware": {"devices": "cuda"}}), ["devices = 'cuda'", "0,1,2,3"]),
        (lambda: RunConfig(training={"batch": 0, "epochs": 0}), ["training.batch = 0", "training.epochs = 0"]),
        (lambda: override(RunConfig(), {"name": "x"}), ["model.name", "training.optimizer.name", "say which"]),
        (lambda: override(RunConfig(), {"epoch": "5"}), ["'epoch'", "epochs"]),
        (lambda: override(RunConfig(), {"epochs": "five"}), ["training.epochs = 'five'", "integer"]),
        (lambda: override(RunConfig(), {"fractions": "[1, 2"}), ["fractions", "[1, 2"]),
        (lambda: override(RunConfig(), {"model.options.a": 1, "model.options.a.b": 2}), ["model.options.a.b", "a"]),
    ],
)
def test_a_mistake_is_a_sentence_that_names_the_knob(make, words):
    with pytest.raises(UserError) as caught:
        make()
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training: {batch: 0}", ["training.batch = 0"]),
        ("training: [", ["not readable as YAML"]),
        ("[1, 2]", ["data, model, training"]),
        ("3: 4", ["data, model, training"]),
        ("training: 3", ["training = 3"]),
    ],
)
def test_a_mistake_in_a_file_names_the_file(tmp_path, text, words):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_config(path)
    assert all(word in str(caught.value) for word in [str(path), *words]), caught.value


def test_a_file_that_is_not_there_lists_the_presets(tmp_path):
    with pytest.raises(UserError, match=r"Unknown preset 'no-such'.*"):
        load_config("no-such")


def test_saving_leaves_the_old_file_when_it_cannot_be_whole(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"
    save_config(RunConfig(), path)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        save_config(override(RunConfig(), {"epochs": 7}), path)
    assert yaml.safe_load(path.read_text())["training"]["epochs"] == TrainingConfig().epochs
    assert list(tmp_path.iterdir()) == [path]


def test_a_mistake_inside_a_mistake_does_not_hide_the_next():
    class Inner(Knobs):
        size: int = 1

    class Outer(Knobs):
        inner: Inner = Inner()

    for _ in range(2):
        with pytest.raises(UserError, match=r"^inner\.size = 'x' is refused"):
            Outer(inner={"size": "x"})
    with pytest.raises(UserError, match=r"^size = 'x' is refused"):
        Inner(size="x")

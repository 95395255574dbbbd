"""Every preset goes from the files of its data set to its scores by command, with narrow networks."""

import pytest
from trees import make_cityscapes, make_dsb2018, make_isic2018

from workbench.cli import main
from workbench.config import load_config, presets
from workbench.models import create_model
from workbench.runs import worker
from workbench.runs.run import Run

TREES = {"isic2018": make_isic2018, "dsb2018": make_dsb2018, "cityscapes": make_cityscapes}
PUBLISHED = [name for name in presets() if name.partition("-")[0] in TREES]
SMALL = {"model.width": 4, "training.batch": 4, "training.hardware.devices": "cpu"}
SMALL_PICTURES = {"isic2018": {"preprocessing.size": [64, 64]}, "cityscapes": {"data.crop": [64, 128]}, "dsb2018": {}}


def test_all_systems_are_there():
    assert set(presets()) >= {
        *(f"isic2018-{model}{size}" for size in ("", "-224") for model in ("unet", "r2unet", "attention-unet")),
        *("isic2018-r2-attention-unet", "isic2018-r2-attention-unet-224", "cityscapes-unet-fcn", "demo"),
        *("dsb2018-unet", "dsb2018-unetpp", "dsb2018-unetpp-ds"),
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_is_what_was_published(name):
    config = load_config(name)
    training, optimizer, schedule = config.training, config.training.optimizer, config.training.schedule
    if name.startswith("isic2018"):
        assert (training.epochs, training.batch, optimizer.learning_rate) == (150, 16, 2e-4)
        assert (optimizer.name, optimizer.betas, optimizer.weight_decay) == ("adam", (0.5, 0.999), 1e-4)
        assert (schedule.name, schedule.decay_epochs, training.loss.terms) == ("linear", 70, {"bce": 1})
        assert config.data.preprocessing.size == ((224, 224) if name.endswith("224") else (256, 256))
        assert ("recurrent_steps" in config.model.options) == ("r2" in name)
    elif name.startswith("dsb2018"):
        assert (training.epochs, training.batch, config.data.preprocessing.size) == (100, 16, (96, 96))
        assert (optimizer.name, optimizer.learning_rate, optimizer.momentum) == ("sgd", 1e-3, 0.9)
        assert (schedule.name, schedule.minimum, training.loss.terms) == ("cosine", 1e-5, {"bce_dice": 1})
    else:
        assert (training.iterations, training.batch, training.validate_every) == (160_000, 4, 16_000)
        assert (optimizer.learning_rate, optimizer.weight_decay, schedule.power) == (0.01, 5e-4, 0.9)
        assert (config.data.crop, config.data.largest_class_share) == ((512, 1024), 0.75)
        assert training.loss.auxiliary_weight == 0.4


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("isic2018-unet", 34.527),
        ("isic2018-attention-unet-224", 34.879),
        ("isic2018-r2unet", 39.091),
        ("dsb2018-unet", 7.853),
        ("dsb2018-unetpp", 9.163),
        ("cityscapes-unet-fcn", 29.062),
    ],
)
def test_a_preset_builds_the_published_network(name, millions):
    model = load_config(name).model
    channels = 19 if name.startswith("cityscapes") else 1
    network = create_model(model.name, 3, channels, dropout=model.dropout, **model.options)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=2e-3)


@pytest.fixture
def workbench(tmp_path, monkeypatch, capsys):
    """A command whose run is worked on in this process, which spares the imports; gives what it printed."""
    monkeypatch.setattr("workbench.runs.run.launch", lambda folder, *_: worker.main(str(folder)))
    monkeypatch.setattr(worker, "_listen", lambda reporter: None)
    monkeypatch.setenv("WORKBENCH_QUEUE", str(tmp_path / "queue"))

    def run(*words):
        status = main([*words, "--runs", str(tmp_path / "runs")])
        printed = capsys.readouterr()
        assert status == 0, printed.err
        return printed.out

    return run


@pytest.mark.slow
@pytest.mark.parametrize("layout", TREES)
def test_the_presets_of_a_system_go_all_the_way_by_command(layout, tmp_path, workbench):
    """Twenty steps and three more after a resume, a score for the validation pictures, and all side by side."""
    data = str(TREES[layout](tmp_path / "data"))
    knobs = [word for knob, value in {**SMALL, **SMALL_PICTURES[layout]}.items() for word in (f"--{knob}", str(value))]
    names = [name for name in PUBLISHED if name.startswith(layout)]
    for name in names:
        workbench("train", name, "--data", data, "--name", name, "--iterations", "20", *knobs)
        run = Run.open(tmp_path / "runs" / name)
        losses = [r["losses"]["loss"] for r in run.records() if r["split"] == "train" and not r.get("complete")]
        assert len(losses) == 20
        assert min(losses[10:]) < losses[0]
        workbench("train", "--resume", name, "--iterations", "23")
        assert (run.status().state, run.last_step) == ("finished", 23)
        assert "pictures of valid" in workbench("evaluate", name, "--split", "valid", "--device", "cpu")
    if len(names) > 1:
        compared = workbench("compare", *names, "--split", "valid")
        assert all(name in compared for name in names)

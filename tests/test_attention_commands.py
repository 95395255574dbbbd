"""Looking into a model from the command line."""

import numpy as np
import pytest
from networks import discs, small, trained
from PIL import Image

from workbench import cli
from workbench.config import Preprocessing, RunConfig
from workbench.models import save_model
from workbench.runs.previews import PreviewMaps, PreviewPicture, Previews
from workbench.runs.run import Run
from workbench.task import Task

KNOWN = {
    "task": Task(classes=("ground", "disc")),
    "preprocessing": Preprocessing(resize="none", mean=(0.0,), std=(1.0,)),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Weights, a picture and its mask in the folder that commands start from."""
    monkeypatch.chdir(tmp_path)
    images, masks = discs(1, seed=1000)
    Image.fromarray((images[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)).save("disc.png")
    Image.fromarray(masks[0].numpy().astype(np.uint8)).save("mask.png")
    save_model(trained(), "gated.safetensors", **KNOWN)
    save_model(small("unet", classes=1), "plain.safetensors", **KNOWN)
    return tmp_path


def test_attention_in_figures_and_overlays(folder, capsys):
    words = [
        "attention",
        "gated.safetensors",
        "disc.png",
        "--truth",
        "mask.png",
        "--effects",
        "--sanity",
        "--out",
        "maps",
    ]
    assert cli.main(words) == 0
    printed = capsys.readouterr().out
    for expected in ("stride_2", "32 x 32", "Entropy", "opened", "shuffled", "depends on the weights"):
        assert expected in printed
    assert "ground" not in printed
    overlays = sorted(path.name for path in (folder / "maps").iterdir())
    assert overlays == ["disc_stride_1.png", "disc_stride_2.png"]
    assert Image.open(folder / "maps" / overlays[0]).size == (64, 64)


def test_a_model_without_gates_is_sent_to_attribution(folder, capsys):
    assert cli.main(["attention", "plain.safetensors", "disc.png"]) == 2
    assert "`workbench attribute` explains any model" in capsys.readouterr().err


def test_attribution_of_a_pixel_a_box_or_all(folder, capsys):
    for words in ([], ["--pixel", "30", "30"], ["--box", "0", "0", "9", "9", "--target", "ground"]):
        assert cli.main(["attribute", "gated.safetensors", "disc.png", "--out", "why.png", *words]) == 0
        assert Image.open("why.png").size == (64, 64)
    printed = capsys.readouterr().out.splitlines()
    assert "of disc on" in printed[0]
    assert "on 1 pixels" in printed[1]
    assert "of ground on 81 pixels" in printed[2]
    both = ["--pixel", "1", "1", "--box", "0", "0", "9", "9"]
    for words in (["--out", "why.png", *both], ["--out", "why.jpg"], ["--out", "no/why.png"]):
        assert cli.main(["attribute", "gated.safetensors", "disc.png", *words]) == 2


@pytest.fixture
def run(folder):
    """A run with previews of two epochs."""
    run = Run.create(RunConfig(), "runs", "gated")
    picture = PreviewPicture("disc", np.full((16, 24, 3), 90, np.uint8), np.zeros((16, 24), np.uint8))
    previews = Previews(run.folder / "previews")
    previews.begin([picture])
    for epoch in (1, 2):
        maps = {"stride_2": np.full((8, 12), 60 * epoch, np.uint8), "stride_1": np.full((16, 24), 90 * epoch, np.uint8)}
        previews.add(epoch, [PreviewMaps(np.zeros((16, 24), np.uint8), np.zeros((16, 24), np.uint8), maps)])
    return run


def test_a_film_of_the_epochs(run, capsys):
    assert cli.main(["attention", "film", "gated", "--to", "film.webp"]) == 0
    assert "stride_1 through 2 epochs" in capsys.readouterr().out
    with Image.open("film.webp") as film:
        assert film.n_frames == 2
    assert cli.main(["attention", "film", "gated", "--to", "film.gif", "--gate", "stride_2"]) == 0
    assert "stride_2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--picture", "2"], "has 1 preview pictures, and no number 2"),
        (["--gate", "stride_9"], "Unknown gate 'stride_9'. Choose one of: stride_1, stride_2."),
    ],
)
def test_mistakes_about_films_are_sentences(run, words, sentence, capsys):
    assert cli.main(["attention", "film", "gated", "--to", "film.webp", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_previews_without_attention_make_no_film(run, capsys):
    Previews(run.folder / "previews").add(1, [PreviewMaps(*np.zeros((2, 16, 24), np.uint8), {})])
    assert cli.main(["attention", "film", "gated", "--to", "film.webp"]) == 2
    assert "no previews of attention" in capsys.readouterr().err

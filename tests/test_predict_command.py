"""`workbench predict` from end to end: names, folders, what cannot be read, stacks, large pictures, memory."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from predicting import OWN_SIZE, TASKS, Brightness, lively, noise

from workbench import cli
from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.inference.batch import find_pictures, predict_files
from workbench.inference.predictor import Predictor
from workbench.models import create_model, save_model


@pytest.fixture
def weights(tmp_path):
    """A function that writes a small model's weights and returns their path."""

    def write(mode="binary", preprocessing=OWN_SIZE, name="attention_unet"):
        path = tmp_path / f"{mode}.safetensors"
        save_model(lively(name, TASKS[mode]), path, task=TASKS[mode], preprocessing=preprocessing)
        return path

    return write


@pytest.fixture
def mixed(tmp_path):
    """A folder of three sizes and two formats, a folder below it, three files that are broken, and one that is none."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    Image.fromarray(noise(40, 60)).save(folder / "a.png")
    Image.fromarray(noise(33, 21)).save(folder / "b.jpg")
    tifffile.imwrite(folder / "below" / "a.tif", noise(64, 64, 1)[..., 0])
    (folder / "text.png").write_text("no picture")
    (folder / "empty.tif").touch()
    whole = (folder / "a.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("notes")
    (folder / ".hidden.png").write_bytes(whole)
    return folder


def run(*words):
    """The exit status; of a command that ends by SystemExit, what it says."""
    try:
        return cli.main(["predict", *map(str, words), "--device", "cpu"])
    except SystemExit as stopped:
        return stopped.code


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", TASKS)
def test_a_folder_with_unreadable_files(mode, weights, mixed, tmp_path, capsys):
    out = tmp_path / "out"
    status = run(weights(mode), mixed, "--out", out, "--write", "label,overlay,probability,rle,geojson,csv")
    captured = capsys.readouterr()
    assert status == 1
    for name in ("text.png", "empty.tif", "cut.png"):
        (line,) = [line for line in captured.err.splitlines() if line.startswith("Skipped ") and name in line]
        assert line.endswith(".")
    assert "notes.txt" in captured.err
    assert ".hidden" not in captured.err
    assert "Predicted 3 of 6 pictures with pytorch on cpu" in captured.out
    found = files_in(out)
    for name in ("a", "b", "below/a"):
        assert {f"{name}_overlay.png", f"{name}_probability.tif", f"{name}.geojson"} <= found
    sizes = {picture["name"]: (picture["height"], picture["width"]) for picture in coco_of(out)["images"]}
    assert sizes == {"a": (40, 60), "b": (33, 21), "below/a": (64, 64)}
    with (out / "pictures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["picture"] for row in rows} == set(sizes)
    assert {row["class"] for row in rows} == set(TASKS[mode].foreground.values())
    label = "a_label.png" if mode != "multilabel" else "a_label_disc.png"
    with Image.open(out / label) as image:
        assert image.size == (60, 40)
    assert not [name for name in found if ".part" in name or Path(name).name.startswith(".")]


def coco_of(out):
    return json.loads((out / "coco.json").read_text())


def test_attention_of_a_network_without_gates_is_refused_before_the_first_picture(weights, mixed, tmp_path, capsys):
    assert run(weights(name="unet"), mixed, "--out", tmp_path / "out", "--write", "label,attention") == 2
    assert re.fullmatch(r"error: .*leave `attention` out.*\n", capsys.readouterr().err.splitlines(keepends=True)[-1])
    assert not (tmp_path / "out").exists()


def test_the_usual_is_label_and_overlay_and_status_0(weights, mixed, tmp_path, capsys):
    assert run(weights(), mixed / "a.png", mixed / "b.jpg", "--out", tmp_path / "out") == 0
    assert files_in(tmp_path / "out") == {"a_label.png", "a_overlay.png", "b_label.png", "b_overlay.png"}


def test_a_run_by_name_or_folder(weights, mixed, tmp_path):
    folder = tmp_path / "runs" / "demo"
    (folder / "checkpoints").mkdir(parents=True)
    weights().rename(folder / "checkpoints" / "best.safetensors")
    (folder / "config.yaml").write_text("{}")
    runs = ("--runs", tmp_path / "runs")
    for source in ("demo", folder):
        out = tmp_path / Path(source).name / "out"
        assert run(source, mixed / "a.png", "--out", out, *runs) == 0
        assert (out / "a_label.png").is_file()


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (("--threshold", "0.7"), True),
        (("--smallest-object", "30"), True),
        (("--fill-holes",), True),
        (("--augment", "flips"), True),
        (("--augment", "rotations"), True),
        (("--augment", "scales"), True),
        (("--augment", "all"), True),
        (("--tile", "240"), False),
        (("--tile", "240", "--overlap", "32"), True),
    ],
)
def test_every_knob_changes_the_result_and_exact_tiles_do_not(options, changes, weights, tmp_path):
    Image.fromarray(noise(260, 250)).save(tmp_path / "a.png")
    model, probabilities = weights(), "a_probability.tif"
    labels = []
    for name, more in (("plain", ()), ("other", options)):
        assert run(model, tmp_path / "a.png", "--out", tmp_path / name, "--write", "label,probability", *more) == 0
        with Image.open(tmp_path / name / "a_label.png") as image:
            labels.append(np.asarray(image))
    differs = (labels[0] != labels[1]).any()
    if "--tile" in options:
        plain, tiled = (tifffile.imread(tmp_path / name / probabilities).astype(int) for name in ("plain", "other"))
        assert (np.abs(plain - tiled).max() > 7) == changes  # of 65535
    else:
        assert differs == changes


def test_mistakes_are_one_sentence(weights, mixed, tmp_path, capsys):
    model = weights()
    out = tmp_path / "out"
    for words, expected in (
        ((model, "--out", out), "No picture is given"),
        ((model, mixed, "--out", out, "--write", "jpeg"), "geojson"),
        ((model, mixed, "--out", mixed / "a.png"), "is a file"),
        ((model, mixed, "--out", out, "--threshold", "2"), "threshold"),
        ((model, mixed, "--out", out, "--tile", "-1"), "tile"),
        ((tmp_path / "nothing.safetensors", mixed, "--out", out), "nothing.safetensors"),
        ((model, tmp_path / "nothing.png", "--out", out), "nothing.png"),
    ):
        status = run(*words)
        error = capsys.readouterr().err
        assert status in (1, 2), words
        assert expected in error
        assert len(error.splitlines()) == 1 + ("notes.txt" in error)


class TestNames:
    """What results are called."""

    def names(self, given, out="out"):
        return [job.name.as_posix() for job in find_pictures(given, Path(out)).pictures]

    def test_same_stems_in_one_folder_keep_their_suffix(self, tmp_path):
        for name in ("x.png", "x.jpg", "y.png", "Y.gif"):
            (tmp_path / name).touch()
        assert self.names([tmp_path]) == ["Y_gif", "x_jpg", "x_png", "y_png"]

    def test_same_names_in_two_folders_get_the_folder_s(self, tmp_path):
        for name in ("one/x.png", "two/x.png"):
            (tmp_path / name).parent.mkdir()
            (tmp_path / name).touch()
        assert self.names([tmp_path]) == ["one/x", "two/x"]
        assert self.names([tmp_path / "one" / "x.png", tmp_path / "two"]) == ["one/x_png", "two/x_png"]

    def test_what_stays_alike_is_refused(self, tmp_path):
        for name in ("a/m/x.png", "b/m/x.png"):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).touch()
        with pytest.raises(UserError, match="m/x_png"):
            self.names([tmp_path / "a" / "m", tmp_path / "b" / "m"])

    def test_a_file_given_twice_counts_once_and_results_are_not_predicted(self, tmp_path):
        (tmp_path / "out").mkdir()
        for name in ("x.nii.gz", "out/x_label.png"):
            (tmp_path / name).touch()
        assert self.names([tmp_path, tmp_path / "x.nii.gz"], tmp_path / "out") == ["x"]

    def test_pictures_without_a_suffix_are_found_by_their_content(self, tmp_path):
        Image.fromarray(noise(4, 4)).save(tmp_path / "IM0001", format="PNG")
        (tmp_path / "README").write_text("no")
        found = find_pictures([tmp_path], Path("out"))
        assert [job.path.name for job in found.pictures] == ["IM0001"]
        assert [path.name for path in found.left_out] == ["README"]


def test_stacks_are_written_slice_by_slice_and_volumes_whole(weights, tmp_path):
    model = weights(preprocessing=Preprocessing(resize="none", intensity="zscore"))
    volume = np.random.default_rng(0).integers(0, 99, (20, 18, 5)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([1.0, 1, 4, 1])), tmp_path / "v.nii.gz")
    tifffile.imwrite(tmp_path / "s.tif", noise(12, 16, 11).transpose(2, 0, 1), photometric="minisblack")
    out = tmp_path / "out"
    assert run(model, tmp_path / "v.nii.gz", tmp_path / "s.tif", "--out", out) == 0
    slices = {f"s_{index:02d}_{kind}.png" for index in range(11) for kind in ("label", "overlay")}
    assert files_in(out) == {"v_label.nii.gz", *slices}
    assert nibabel.load(out / "v_label.nii.gz").shape == volume.shape
    assert run(model, tmp_path / "v.nii.gz", "--out", out, "--write", "label", "--axis", "0") == 0
    assert "v_19_label.png" in files_in(out)


def test_large_pictures_are_streamed_and_what_cannot_be_is_said(weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("workbench.inference.predictor.MEMORY", 100_000)
    tifffile.imwrite(tmp_path / "large.tif", noise(300, 300), tile=(64, 64), photometric="rgb")
    out = tmp_path / "out"
    assert run(weights(), tmp_path / "large.tif", "--out", out, "--write", "label,csv", "--tile", "240") == 0
    assert "large_label.tif" in files_in(out)
    assert "csv cannot be written" in capsys.readouterr().err
    assert run(weights(), tmp_path / "large.tif", "--out", out, "--write", "csv") == 1
    assert "large.tif" in capsys.readouterr().err


def test_large_pages_are_streamed_each_for_itself_beside_small_ones(weights, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.inference.predictor.MEMORY", 1_000_000)
    with tifffile.TiffWriter(tmp_path / "pages.tif") as tiff:
        for seed, size in enumerate((300, 40, 280)):
            tiff.write(noise(size, size, seed=seed), photometric="rgb")
    out = tmp_path / "out"
    assert run(weights(), tmp_path / "pages.tif", "--out", out, "--write", "label", "--tile", "240") == 0
    assert files_in(out) == {"pages_0_label.tif", "pages_1_label.png", "pages_2_label.tif"}
    assert tifffile.imread(out / "pages_2_label.tif").shape == (280, 280)


def test_what_was_done_stays_when_it_is_given_up(mixed, tmp_path):
    out = tmp_path / "out"
    jobs = find_pictures([mixed / "a.png", mixed / "b.jpg"], out).pictures
    outcomes = predict_files(Predictor(Brightness()), jobs, out, ("label", "csv"))
    assert next(outcomes).problem is None
    outcomes.close()
    assert files_in(out) == {"a_label.png", "objects.csv", "pictures.csv"}


@pytest.mark.slow
def test_a_large_picture_takes_little_memory(tmp_path):
    size = 8192
    tiles = (noise(512, 512, 3, seed) for seed in range((size // 512) ** 2))
    with tifffile.TiffWriter(tmp_path / "large.tif") as tiff:
        tiff.write(tiles, shape=(size, size, 3), dtype=np.uint8, tile=(512, 512), photometric="rgb")
    model = create_model("attention_unet", 3, 1, width=2, depth=3)
    save_model(model, tmp_path / "m.safetensors", task=TASKS["binary"], preprocessing=OWN_SIZE)
    code = (
        "import resource, sys; from workbench.inference import predictor; from workbench import cli\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "predictor.MEMORY = 1 << 28\n"
        "before = peak(); status = cli.main(sys.argv[1:]); print(peak() - before); sys.exit(status)"
    )
    words = ["predict", "m.safetensors", "large.tif", "--out", "out", "--write", "label,probability", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    grown = int(done.stdout.split()[-1])
    assert grown < 600e6  # the picture alone is 200 MB, its probabilities in float32 268 MB
    assert tifffile.imread(tmp_path / "out" / "large_label.tif").shape == (size, size)

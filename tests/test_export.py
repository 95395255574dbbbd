"""Exported files: the same results in their own runtimes, all that a prediction needs inside, or no file at all."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from networks import OWN, discs, small, trained
from PIL import Image

import workbench
from workbench import cli
from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.inference.export import EXACT, HALF, Exported, check_file, export_model, fingerprint
from workbench.inference.exported import ExportedBackend, runtimes_for
from workbench.inference.formats import FORMATS, ncnn, torch_archive
from workbench.inference.predictor import Predictor
from workbench.inference.tiling import choose_tiling
from workbench.models import adapt, create_model, save_model
from workbench.task import Task

BINARY = Task(classes=("ground", "disc"))
THREE = Task(mode="multiclass", classes=("background", "disc", "ring"))
RULE = Preprocessing(resize="none", mean=(0.1, 0.2, 0.3), std=(0.5,))
KNOWN = {"task": BINARY, "preprocessing": RULE}
SMP = ["smp_unet", "smp_fpn", "smp_manet", "smp_deeplabv3plus", "smp_segformer"]


def picture(size: int = 64, seed: int = 1000) -> np.ndarray:
    images, _ = discs(1, size, seed)
    return (images[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    return path, export_model(trained(), path, attention=True, pictures=[picture()], threshold=0.3, **KNOWN)


def test_the_file_is_as_near_as_it_says(onnx_file):
    path, exported = onnx_file
    assert [(check.what, check.batch) for check in exported.checks] == [
        ("noise", 1),
        ("noise", 3),
        ("noise", 2),
        ("picture", 1),
    ]
    assert len({(check.height, check.width) for check in exported.checks}) == 4
    assert 0 < exported.difference <= exported.bound == EXACT
    assert exported.bytes == path.stat().st_size
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


def test_any_other_program_finds_sizes_outputs_and_metadata_in_it(onnx_file):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(onnx_file[0], providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.shape) == ("image", ["batch", 3, "4*height", "4*width"])
    assert [output.name for output in session.get_outputs()] == ["logits", "stride_2", "stride_1"]
    card = json.loads(session.get_modelmeta().custom_metadata_map["attention_unet_workbench"])
    assert card["task"] == {"mode": "binary", "classes": ["ground", "disc"]}
    assert card["preprocessing"]["mean"] == [0.1, 0.2, 0.3]
    assert (card["format"], card["version"], card["threshold"]) == (1, workbench.__version__, 0.3)
    assert (card["size_multiple"], card["smallest_size"]) == (4, 1)
    tiling = choose_tiling(card["context"], 4)
    assert (card["tile"], card["overlap"]) == (tiling.size, tiling.overlap)
    assert card["overlap"] >= 2 * card["context"] > 0
    assert card["weights"] == fingerprint(trained())
    (logits,) = session.run(["logits"], {"image": np.zeros((5, 3, 12, 8), np.float32)})
    assert logits.shape == (5, 1, 12, 8)


def test_the_predictor_takes_it_like_the_weights(onnx_file):
    ours = Predictor(trained(), **KNOWN)(picture(53))
    theirs = Predictor(ExportedBackend(onnx_file[0]))(picture(53))
    assert theirs.task == BINARY
    np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=1e-4)
    assert list(theirs.attention) == list(ours.attention)
    for gate, map_ in ours.attention.items():
        np.testing.assert_allclose(theirs.attention[gate], map_, atol=1e-4)


def test_the_threshold_in_the_file_holds_unless_another_is_asked_for(onnx_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture()).save("disc.png")
    sizes = []
    for words in ([], ["--threshold", "0.3"], ["--threshold", "0.9"]):
        assert cli.main(["predict", str(onnx_file[0]), "disc.png", "--out", "out", "--write", "label", *words]) == 0
        (label,) = (tmp_path / "out").glob("disc*.png")
        sizes.append(int((np.asarray(Image.open(label)) == 1).sum()))
        label.unlink()
    assert sizes[0] == sizes[1] > sizes[2] > 0
    assert Predictor(ExportedBackend(onnx_file[0])).filters.threshold == 0.3


def test_it_runs_without_pytorch_s_export_machinery_or_the_model_s_code(onnx_file):
    """In a process of its own that imports no model."""
    code = f"""
import numpy as np, onnxruntime, sys
session = onnxruntime.InferenceSession({str(onnx_file[0])!r}, providers=["CPUExecutionProvider"])
print(session.run(["logits"], {{"image": np.full((1, 3, 8, 8), 0.5, np.float32)}})[0].mean(), "torch" in sys.modules)
"""
    mean, has_torch = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    with torch.no_grad():
        assert float(mean) == pytest.approx(trained()(torch.full((1, 3, 8, 8), 0.5)).logits.mean().item(), abs=1e-4)
    assert has_torch == "False"


@pytest.mark.parametrize("to", [*(pytest.param(to, marks=pytest.mark.slow) for to in ("torch", "openvino")), "ncnn"])
def test_other_formats_give_the_same(to, tmp_path):
    for package in FORMATS[to].packages:
        pytest.importorskip(package)
    path = tmp_path / f"model{FORMATS[to].suffix}"
    exported = export_model(trained(), path, to, attention=True, pictures=[picture()], **KNOWN)
    assert exported.difference <= EXACT
    backend = ExportedBackend(path)
    assert backend.card.outputs == ("logits", "stride_2", "stride_1")
    assert backend.facts.name == to
    batch = torch.rand(2, 3, 20, 36)
    logits, maps = backend(batch)
    with torch.no_grad():
        expected = trained()(batch)
    np.testing.assert_allclose(logits, expected.logits, atol=1e-3)
    assert maps["stride_2"].shape == (2, 1, 10, 18)
    assert exported.bytes == sum(file.stat().st_size for file in tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("to", ["onnx", "torch", "openvino", "ncnn"])
def test_float16_is_half_as_large_and_near(to, tmp_path):
    for package in FORMATS[to].packages:
        pytest.importorskip(package)
    sizes = []
    for half in (False, True):
        path = tmp_path / f"{half}{FORMATS[to].suffix}"
        exported = export_model(trained(), path, to, half=half, pictures=[picture()], **KNOWN)
        sizes.append(exported.bytes)
    assert 1e-5 < exported.difference <= exported.bound == HALF
    assert ExportedBackend(path).card.precision == "float16"
    assert ExportedBackend(path).card.outputs == ("logits",)
    weights = sum(value.numel() for value in trained().parameters())
    assert sizes[0] - sizes[1] > 1.5 * weights


def test_onnx_in_openvino_too(onnx_file):
    pytest.importorskip("openvino")
    assert runtimes_for(onnx_file[0]) == ["onnxruntime", "openvino", "openvino-bf16"]
    batch = torch.rand(1, 3, 24, 40)
    with torch.no_grad():
        expected = trained()(batch).logits
    for runtime, tolerance in (("openvino", 1e-4), ("openvino-bf16", 0.1)):
        logits, maps = ExportedBackend(onnx_file[0], runtime)(batch)
        np.testing.assert_allclose(logits, expected, atol=tolerance * expected.abs().max().item())
        assert list(maps) == ["stride_2", "stride_1"]


def spoiled(graph, card, path):
    with torch.no_grad():
        graph.core.model.head.conv.bias += 0.05
    return torch_archive.write(graph, card, path)


def test_a_file_that_differs_is_refused_and_the_one_before_stays(tmp_path, monkeypatch):
    path = tmp_path / "model.pt2"
    export_model(trained(), path, "torch", **KNOWN)
    before = path.read_bytes()
    monkeypatch.setitem(FORMATS, "torch", FORMATS["torch"]._replace(write=spoiled))
    with pytest.raises(UserError, match=r"model.pt2 was not written, because .* on noise of .* and 1e-04 is allowed"):
        export_model(trained(), path, "torch", **KNOWN)
    with pytest.raises(UserError, match=r"differs by .* of a probability or gate, and 1e-02 is allowed"):
        export_model(trained(), path, "torch", half=True, **KNOWN)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.pt2"]


def test_numbers_that_are_none_are_refused(tmp_path):
    model = create_model("unet", width=4, depth=2)
    with torch.no_grad():
        model.head.conv.bias.fill_(1e5)  # more than float16 can hold, though the probability is 1 all the same
    with pytest.raises(UserError, match=r"was not written, .* differs by inf"):
        export_model(model, tmp_path / "model.pt2", "torch", half=True, **KNOWN)
    assert not any(tmp_path.iterdir())


def test_a_network_that_an_exporter_cannot_take_is_told(tmp_path):
    class Choosy(torch.nn.Module):
        def forward(self, image):
            return image[:, :1] if image.mean() > 0 else image[:, 1:2]

    model = adapt(Choosy())
    model.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    with pytest.raises(UserError, match="torch cannot take this network, choose another format; it said: "):
        export_model(model, tmp_path / "model.pt2", "torch", **KNOWN)
    assert not any(tmp_path.iterdir())


def test_what_ends_the_process_that_runs_it_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("ncnn")
    pytest.importorskip("pnnx")
    monkeypatch.setattr(ncnn, "TRIAL", "import os, sys; os.kill(os.getpid(), 8)")
    with pytest.raises(UserError, match=r"ncnn cannot run this network \(its process ended with -8\); take onnx"):
        export_model(trained(), tmp_path / "model.ncnn.param", "ncnn", **KNOWN)
    assert not any(tmp_path.iterdir())


def test_the_model_stays_as_it_was(tmp_path):
    model = create_model("unet", width=4, depth=2).train()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    export_model(model, tmp_path / "model.pt2", "torch", half=True, **KNOWN)
    assert model.training
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert next(model.parameters()).dtype == torch.float32


def test_checking_a_file_finds_other_weights(onnx_file):
    other = create_model("attention_unet", width=8, depth=3).eval()
    (check,) = check_file(onnx_file[0], other, [("picture", torch.rand(1, 3, 16, 16))])
    assert check.difference > 0.1


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("model.onnx", {"to": "tflite"}, r"Unknown format 'tflite'. Choose one of: ncnn, onnx, openvino, torch"),
        ("model.pt", {"to": "torch"}, r"A file for torch is called NAME.pt2, not model.pt"),
        ("nowhere/model.onnx", {}, "folder .*nowhere does not exist"),
        ("model.onnx", {"threshold": 1.0}, "A threshold lies between 0 and 1"),
        ("model.onnx", {"attention": True}, "no attention gates whose maps could be exported"),
        ("model.onnx", {"task": None}, "Nothing was saved with the weights about their classes"),
        ("model.onnx", {"task": THREE}, "gives 1 logits a pixel"),
    ],
)
def test_mistakes_are_sentences(name, options, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        export_model(small("unet", classes=1), tmp_path / name, **{**KNOWN, **options})
    assert not any(tmp_path.iterdir())


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.inference.formats.card.is_installed", lambda package: False)
    for to, sentence in [
        ("onnx", r"needs onnx and onnxscript and onnxruntime: pip install \"attention-unet-workbench\[export\]\""),
        ("ncnn", r"Exporting to ncnn needs ncnn and pnnx: pip install .*workbench\[runtimes\]"),
    ]:
        with pytest.raises(UserError, match=sentence):
            export_model(trained(), tmp_path / f"model{FORMATS[to].suffix}", to, **KNOWN)


def test_files_of_others_and_missing_ones_are_told(tmp_path, onnx_file):
    with pytest.raises(UserError, match="There is no file"):
        ExportedBackend(tmp_path / "model.onnx")
    with pytest.raises(UserError, match=r"Unknown runtime for model.onnx 'ncnn'. Choose one of: onnxruntime, openvino"):
        ExportedBackend(onnx_file[0], "ncnn")
    onnx = pytest.importorskip("onnx")
    model = onnx.load(onnx_file[0])
    model.metadata_props[0].value = '{"format": 2}'
    onnx.save(model, tmp_path / "newer.onnx")
    with pytest.raises(UserError, match=r"newer.onnx cannot be read by this version; update the workbench"):
        ExportedBackend(tmp_path / "newer.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(UserError, match=r"bare.onnx was not exported by the workbench"):
        ExportedBackend(tmp_path / "bare.onnx")


def test_the_command_writes_beside_the_weights_and_tells_the_differences(tmp_path, capsys):
    save_model(trained(), tmp_path / "best.safetensors", task=BINARY, preprocessing=RULE)
    assert cli.main(["export", str(tmp_path / "best.safetensors"), "--to", "torch", "--attention"]) == 0
    printed = capsys.readouterr().out
    assert "noise" in printed
    assert "picture" in printed
    assert f"Wrote {tmp_path / 'best.pt2'}" in printed
    assert ExportedBackend(tmp_path / "best.pt2").card.source == ""
    assert cli.main(["export", str(tmp_path / "other.safetensors")]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", [*OWN, "unetpp deep supervision", *SMP])
def test_every_own_network_and_five_of_smp_match_in_onnx(name, tmp_path):
    torch.manual_seed(0)
    name, _, deep = name.partition(" ")
    model = small(name, classes=3, **({"deep_supervision": True} if deep else {})).eval()
    gates = bool(model.gates())
    known = {"task": THREE, "preprocessing": RULE}
    exported = export_model(model, tmp_path / "model.onnx", attention=gates, pictures=[picture(100)], **known)
    assert isinstance(exported, Exported)
    assert exported.difference <= EXACT
    assert len(ExportedBackend(tmp_path / "model.onnx").card.outputs) == (5 if gates else 1)


@pytest.mark.slow
@pytest.mark.parametrize("to", ["torch", "openvino", "ncnn"])
@pytest.mark.parametrize("name", [*OWN, "smp_unet"])
def test_every_own_network_matches_in_the_other_formats(name, to, tmp_path):
    for package in FORMATS[to].packages:
        pytest.importorskip(package)
    torch.manual_seed(0)
    model = small(name, classes=3).eval()
    path = tmp_path / f"model{FORMATS[to].suffix}"
    known = {"task": THREE, "preprocessing": RULE}
    exported = export_model(model, path, to, attention=bool(model.gates()), pictures=[picture(100)], **known)
    assert exported.difference <= EXACT


@pytest.mark.slow
def test_what_openvino_cannot_take_directly_goes_by_way_of_onnx(tmp_path):
    for package in ("openvino", "onnx", "onnxscript"):
        pytest.importorskip(package)
    torch.manual_seed(0)
    exported = export_model(
        small("smp_manet", classes=1).eval(), tmp_path / "model.xml", "openvino", pictures=[picture(100)], **KNOWN
    )
    assert exported.difference <= EXACT

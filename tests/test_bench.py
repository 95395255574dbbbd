"""The bench: what it measures, how it is kept and compared, and which back end is taken for the fastest."""

import json
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from networks import small, trained

from workbench import cli
from workbench.config import Preprocessing
from workbench.errors import UserError
from workbench.inference import backends
from workbench.inference.backend import TorchBackend, weight_bytes
from workbench.inference.backends import BACKENDS, fastest, installed_backends, open_backend
from workbench.inference.bench import PLAIN, bench
from workbench.inference.bench_results import Bench, against, load_bench, save_bench
from workbench.inference.export import export_model
from workbench.inference.exported import ExportedBackend
from workbench.inference.machine import memory_peak, peaks
from workbench.inference.timing import Timing, interleave, timed
from workbench.models import count_multiply_adds, load_model, save_model
from workbench.task import Task

KNOWN = {"task": Task(), "preprocessing": Preprocessing(resize="none")}
CPU = torch.device("cpu")


def test_variants_take_turns_after_one_call_each():
    calls: list[str] = []
    told: list[tuple[int, int]] = []
    timings = interleave(
        {name: partial(calls.append, name) for name in "ab"}, 3, lambda done, total: told.append((done, total))
    )
    assert "".join(calls) == "ab" + "ab" * 3
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert all(len(timing.seconds) == 3 for timing in timings.values())


def test_the_figures_of_a_timing():
    timing = Timing((0.4, 0.1, 0.2, 0.3))
    assert (timing.fastest, timing.median) == (0.1, 0.25)
    assert timing.percentile_95 == pytest.approx(np.percentile(timing.seconds, 95))
    assert Timing((0.3,)).percentile_95 == 0.3
    assert timed(lambda: time.sleep(0.02)) >= 0.02


def test_memory_is_the_peak_and_not_what_is_left():
    with memory_peak() as grown:
        held = np.ones(100 << 20, np.uint8)  # more than the allocator keeps of what was freed before
        time.sleep(0.5)  # many looks, also where the machine is busy
        del held
    assert 90 << 20 < grown() < 150 << 20


def test_the_peak_is_that_of_a_matrix_product():
    at_best = peaks(CPU)
    assert set(at_best) == {torch.float32, torch.bfloat16}
    left = torch.randn(512, 512)
    left @ left
    assert 512**3 / timed(lambda: left @ left) < 5 * at_best[torch.float32]


@pytest.fixture(scope="module")
def measured():
    told: list[tuple[int, int]] = []
    model = small("attention_unet", classes=1)
    result = bench(
        model,
        48,
        [1, 2],
        backends=["pytorch", "pytorch-bf16"],
        train=True,
        rounds=3,
        device="cpu",
        progress=lambda *at: told.append(at),
    )
    return model, result, told


def test_every_variant_is_measured_at_every_batch(measured):
    model, result, told = measured
    variants = [PLAIN, "pytorch", "pytorch-bf16", "training", "training-bf16"]
    assert [(row.batch, row.variant) for row in result.rows] == [(batch, name) for batch in (1, 2) for name in variants]
    assert told[-1] == (6, 6)
    forward = count_multiply_adds(model, 48, 48)
    for row in result.rows:
        assert row.model == "attention_unet"
        assert row.multiply_adds == row.batch * forward * (3 if row.variant.startswith("training") else 1)
        assert row.images_per_second > 0
        assert 0 < row.latency_median <= row.latency_95
        assert row.images_per_second >= row.batch / row.latency_median
        assert row.share_of_peak > 0
        assert row.setup > 0
        assert (row.difference is None) == row.variant.startswith("training")
    differences = {row.variant: row.difference for row in result.rows if row.batch == 2}
    assert differences[PLAIN] == 0
    assert differences["pytorch"] < 1e-4
    assert differences["pytorch"] < differences["pytorch-bf16"] < 0.1
    by_name = {row.variant: row for row in result.rows if row.batch == 1}
    assert by_name[PLAIN].ratio == by_name["training"].ratio == 1
    assert by_name["pytorch"].ratio == pytest.approx(
        by_name["pytorch"].images_per_second / by_name[PLAIN].images_per_second
    )
    assert by_name[PLAIN].bytes == weight_bytes(model)
    assert by_name["pytorch-bf16"].bytes < by_name["pytorch"].bytes
    assert result.machine["threads"] == torch.get_num_threads()
    assert set(result.machine["peak_multiply_adds"]) == {"float32", "bfloat16"}


def test_the_model_is_left_alone(measured):
    model, _, _ = measured
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_results_are_kept_and_compared(measured, tmp_path):
    _, result, _ = measured
    save_bench(result, tmp_path / "bench.json")
    again = load_bench(tmp_path / "bench.json")
    assert again == result
    assert json.loads((tmp_path / "bench.json").read_text())["format"] == 1
    slower = Bench({}, [replace(row, images_per_second=row.images_per_second / 2) for row in result.rows[1:]], {})
    ratios = against(result, slower)
    assert len(ratios) == len(result.rows) - 1
    assert set(ratios.values()) == {2.0}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"backends": ["tensorrt"]}, r"Unknown back end 'tensorrt'. Choose one of: ncnn, onnxruntime, openvino"),
        ({"batches": []}, "A bench needs"),
        ({"batches": [0]}, "A bench needs"),
        ({"rounds": 0}, "A bench needs"),
        ({"device": "gpu9"}, "There is no device"),
    ],
)
def test_mistakes_are_sentences(options, sentence):
    with pytest.raises(UserError, match=sentence):
        bench(small("unet"), 32, **options)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', '{"format": 2}', '{"format": 1, "rows": [{"x": 1}]}'])
def test_files_that_are_no_result_are_told(content, tmp_path):
    path = tmp_path / "bench.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"is not a result of|written by another version"):
        load_bench(path)


def test_what_cannot_run_the_network_is_left_out_unless_it_was_named(monkeypatch):
    def refuse(*_, **__):
        raise UserError("It is too new.")

    monkeypatch.setitem(BACKENDS, "ncnn", refuse)
    monkeypatch.setattr("workbench.inference.bench.installed_backends", lambda: ["pytorch", "ncnn"])
    result = bench(small("unet", classes=1), 16, [1], rounds=1, device="cpu")
    assert [row.variant for row in result.rows] == [PLAIN, "pytorch"]
    assert result.left_out == {"ncnn": "It is too new."}
    with pytest.raises(UserError, match="too new"):
        bench(small("unet", classes=1), 16, [1], backends=["ncnn"], device="cpu")


def test_sizes_that_need_padding_are_measured_too():
    (plain, fast) = bench(small("unet", classes=1), 37, [1], backends=["pytorch"], rounds=1, device="cpu").rows
    assert fast.difference < 1e-4
    assert plain.size == 37


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BACKENDS if not name.startswith("pytorch")])
def test_every_other_back_end_too(name):
    if name not in installed_backends():
        pytest.skip(f"{name} is not installed")
    _, other = bench(trained(), 48, [2], backends=[name], rounds=2, device="cpu").rows
    assert other.difference < (0.05 if name.endswith("bf16") else 1e-4)
    assert other.bytes > 1000


def test_the_command_prints_keeps_compares_and_draws(tmp_path, capsys):
    file, plot = tmp_path / "bench.json", tmp_path / "bench.png"
    words = ["bench", "--model", "unet", "--width", "4", "--size", "32", "--batch", "1", "2", "--rounds", "2"]
    words += ["--backends", "pytorch", "--device", "cpu"]
    assert cli.main([*words, "--json", str(file), "--plot", str(plot)]) == 0
    printed = capsys.readouterr().out
    assert "Against plain" in printed
    assert "Against before" not in printed
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert cli.main([*words, "--against", str(file)]) == 0
    assert "Against before" in capsys.readouterr().out
    assert cli.main([*words, "--plot", str(tmp_path / "bench.jpeg")]) == 2
    assert cli.main([*words, "--json", str(tmp_path / "no" / "bench.json")]) == 2
    assert cli.main(["bench", "--model", str(tmp_path / "no.safetensors"), "--width", "4"]) == 2
    assert "A width can be chosen for a model by its name alone" in capsys.readouterr().err


class Sleeper(TorchBackend):
    """A back end of known speed."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(trained(), "cpu", **KNOWN)
        self.facts = self.facts._replace(name=name)
        self.seconds, self.shapes = seconds, []

    def __call__(self, batch):
        self.shapes.append(tuple(batch.shape))
        time.sleep(self.seconds)
        return torch.zeros(1), {}


def test_the_fastest_is_measured_and_said():
    slow, quick = Sleeper("slow", 0.05), Sleeper("quick", 0.001)
    assert fastest([slow, quick]) is quick
    assert quick.facts.name.startswith("quick (the fastest at 256x256: quick ")
    assert "slow 5" in quick.facts.name
    assert set(slow.shapes) == {(1, 3, 256, 256)}
    assert fastest([slow]) is slow


def test_weights_are_run_by_pytorch_unless_asked_otherwise(tmp_path):
    path = tmp_path / "best.safetensors"
    save_model(trained(), path, **KNOWN)
    assert open_backend(path, device="cpu").facts.name == "pytorch on cpu"
    assert open_backend(path, "auto", "cpu").facts.name == "pytorch on cpu"
    assert open_backend(path, "pytorch-bf16", "cpu").facts.name == "pytorch on cpu in bfloat16"
    with pytest.raises(UserError, match=r"Unknown back end 'tflite'. Choose one of: auto, ncnn"):
        open_backend(path, "tflite")
    with pytest.raises(UserError, match="There is no file"):
        open_backend(tmp_path / "no.onnx")


def test_auto_takes_exported_files_of_the_same_weights_into_account(tmp_path, monkeypatch):
    path = tmp_path / "best.safetensors"
    save_model(trained(), path, **KNOWN)
    export_model(load_model(path), tmp_path / "best.pt2", "torch")
    asked = []
    monkeypatch.setattr(backends, "fastest", lambda candidates: asked.append(candidates) or candidates[-1])
    assert isinstance(open_backend(path, "auto", "cpu"), ExportedBackend)
    assert [one.facts.name for one in asked[0]] == ["pytorch on cpu", "torch"]
    other = small("attention_unet", classes=1)
    save_model(other, path, **KNOWN)
    assert open_backend(path, "auto", "cpu").facts.name == "pytorch on cpu"
    assert [one.facts.name for one in asked[1]] == ["pytorch on cpu"]


def test_an_exported_file_runs_in_what_it_was_made_for(tmp_path):
    path = tmp_path / "best.pt2"
    export_model(trained(), path, "torch", **KNOWN)
    for backend in ("own", "auto", "pytorch"):
        assert open_backend(path, backend).facts.name == "torch"
    with pytest.raises(UserError, match=r"Unknown runtime for best.pt2 'ncnn'. Choose one of: torch"):
        open_backend(path, "ncnn")


def test_a_model_is_converted_on_demand():
    name = next((name for name in ("ncnn", "onnxruntime") if name in installed_backends()), None)
    if name is None:
        pytest.skip("no runtime is installed")
    backend = open_backend(trained(), name, "cpu", **KNOWN)
    batch = torch.rand(1, 3, 24, 40)
    logits, maps = backend(batch)
    with torch.no_grad():
        np.testing.assert_allclose(logits, trained()(batch).logits, atol=1e-3)
    assert list(maps) == ["stride_2", "stride_1"]
    assert backend.bytes > 1000
    with pytest.raises(UserError, match=f"{name} runs on the CPU here, not on cuda"):
        open_backend(trained(), name, "cuda", **KNOWN)

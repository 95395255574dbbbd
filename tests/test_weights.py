"""Model files, and checkpoints of the originals going in."""

import os
import sys
import types

import numpy as np
import pytest
import torch
from checkpoints import KEYS, OURS, original_state
from networks import small
from safetensors.torch import save_file

from workbench.config import ModelConfig, Preprocessing
from workbench.errors import UserError
from workbench.models import (
    adapt,
    create_model,
    import_weights,
    load_model,
    model_from_config,
    optimize_for_inference,
    read_card,
    save_model,
    weights,
)
from workbench.task import Task


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(small("unet"), path)
    return path


def test_the_card_stands_beside_the_weights(tmp_path):
    task = Task(mode="multiclass", classes=("sky", "ground"))
    preprocessing = Preprocessing(channels="bgr", mean=(0.1, 0.2, 0.3))
    path = tmp_path / "model.safetensors"
    written = save_model(
        small("attention_unet", dropout=0.2), path, task=task, preprocessing=preprocessing, source="a test"
    )
    assert read_card(path) == written
    loaded = load_model(path)
    assert loaded.card == written
    assert loaded.card.task == task
    assert loaded.card.preprocessing == preprocessing
    assert loaded.card.arguments == {"in_channels": 3, "classes": 2, "width": 4, "depth": 5, "dropout": 0.2}


def test_a_run_starts_from_a_file(model_file):
    config = ModelConfig(name="unet", width=4, weights=str(model_file))
    ours, saved = model_from_config(config, 3, 2), load_model(model_file)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), saved.parameters(), strict=True))
    with pytest.raises(UserError, match=r"do not fit unet: .* of another shape \(head.conv.bias \(2,\) instead of \(5"):
        model_from_config(config, 3, 5)


def test_what_load_model_could_not_build_again_is_not_saved(tmp_path):
    path = tmp_path / "model.safetensors"
    for model in (adapt(torch.nn.Conv2d(3, 1, 1)), optimize_for_inference(small("unet"))):
        with pytest.raises(UserError, match="Only a model made by create_model or load_model can be saved"):
            save_model(model, path)
    with pytest.raises(UserError, match=r"the folder .* does not exist"):
        save_model(small("unet"), tmp_path / "nowhere" / "model.safetensors")
    assert not path.exists()


def test_an_adapted_network_takes_weights_into_itself(tmp_path):
    network = adapt(torch.nn.Conv2d(3, 1, 1))
    path = tmp_path / "conv.safetensors"
    save_file({name: torch.ones_like(value) for name, value in network.state_dict().items()}, path)
    assert load_model(path, into=network) is network
    assert float(network.network.bias.detach()) == 1.0


def test_a_failed_write_leaves_the_file_that_was_there(model_file, monkeypatch):
    before = model_file.read_bytes()

    def full_disk(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(weights, "save_file", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_model(small("unet"), model_file)
    assert model_file.read_bytes() == before
    assert os.listdir(model_file.parent) == [model_file.name]


def test_files_that_cannot_be_loaded(tmp_path, model_file):
    with pytest.raises(UserError, match="There is no file"):
        load_model(tmp_path / "nothing.safetensors")
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(model_file.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"torn.safetensors is not a whole safetensors file"):
        load_model(torn)
    bare = tmp_path / "bare.safetensors"
    save_file({"x": torch.zeros(1)}, bare)
    with pytest.raises(UserError, match="no card of ours"):
        load_model(bare)
    newer = tmp_path / "newer.safetensors"
    save_file({"x": torch.zeros(1)}, newer, metadata={weights.CARD: '{"format": 99, "name": "unet", "arguments": {}}'})
    with pytest.raises(UserError, match=r"knows format 1.*Update the workbench"):
        load_model(newer)


@pytest.mark.parametrize("name", KEYS)
def test_every_original_is_recognised_by_its_keys(name, tmp_path):
    state = original_state(name)
    torch.save(state, tmp_path / "checkpoint.pkl")
    steps = 3 if name.startswith("R2") else None
    import_weights(tmp_path / "checkpoint.pkl", tmp_path / "model.safetensors", recurrent_steps=steps)
    model = load_model(tmp_path / "model.safetensors")
    assert model.spec.name == OURS[name]
    assert sum(value.numel() for value in model.state_dict().values()) == sum(value.numel() for value in state.values())
    assert model.spec.arguments.get("recurrent_steps") == steps
    assert model.spec.arguments.get("deep_supervision", False) == (name == "NestedUNet_deep_supervision")
    assert model(torch.zeros(1, 3, 40, 40)).logits.shape == (1, 19 if "fcn" in name else 1, 40, 40)


@pytest.mark.parametrize(
    ("name", "task", "preprocessing"),
    [
        ("AttU_Net", "binary", {"channels": "rgb", "resize": "width", "size": (256, 256), "multiple": 16}),
        ("UNet", "binary", {"channels": "bgr", "resize": "stretch", "size": (96, 96)}),
        ("unet-s5-d16_fcn", "multiclass", {"channels": "rgb", "resize": "none"}),
    ],
)
def test_an_imported_file_carries_its_familys_preprocessing(name, task, preprocessing, tmp_path):
    torch.save(original_state(name), tmp_path / "checkpoint.pth")
    card = import_weights(tmp_path / "checkpoint.pth", tmp_path / "model.safetensors")
    assert card.task.mode == task
    assert card.preprocessing.model_dump(include=set(preprocessing)) == preprocessing


def test_pytorch_nested_unets_pictures_are_divided_by_255_twice(tmp_path):
    torch.save(original_state("UNet"), tmp_path / "checkpoint.pth")
    preprocessing = import_weights(tmp_path / "checkpoint.pth", tmp_path / "model.safetensors").preprocessing
    pixel = np.array([10, 128, 250])
    theirs = ((pixel / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])) / 255
    ours = (pixel / 255 - np.array(preprocessing.mean)) / np.array(preprocessing.std)
    np.testing.assert_allclose(ours, theirs)


def with_history_buffers(state):
    """What a trained mmengine checkpoint holds beside its weights, and the modules that writing it takes."""
    names = ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer")
    modules = {name: types.ModuleType(name) for name in names}
    module = modules[names[-1]]

    class HistoryBuffer:
        def __init__(self):
            self._log_history = np.arange(3.0)
            self._count_history = np.arange(3, dtype=np.int64)
            self.last = np.float64(0.5)

    HistoryBuffer.__module__, HistoryBuffer.__qualname__ = module.__name__, "HistoryBuffer"
    module.HistoryBuffer = HistoryBuffer
    return modules, {
        "meta": {"epoch": 1, "dataset_meta": {"classes": ("road",), "palette": [[1, 2, 3]]}},
        "state_dict": state,
        "message_hub": {"log_scalars": {"train/loss": HistoryBuffer()}, "resumed_keys": {}},
        "optimizer": {"state": {}, "param_groups": [{"lr": np.float64(0.01)}]},
    }


def test_a_trained_mmengine_checkpoint_comes_in_without_mmengine(tmp_path, monkeypatch):
    state = original_state("unet-s5-d16_fcn")
    modules, content = with_history_buffers(state)
    with monkeypatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        torch.save(content, tmp_path / "iter_160000.pth")
    import_weights(tmp_path / "iter_160000.pth", tmp_path / "model.safetensors")
    model = load_model(tmp_path / "model.safetensors")
    assert torch.equal(model.head.pixels.conv.weight, state["decode_head.conv_seg.weight"])
    assert model.card.task.classes[0] == "road"
    assert "mmengine" not in sys.modules


@pytest.mark.parametrize("zipped", [True, False])
def test_dataparallel_and_the_older_file_format(zipped, tmp_path):
    state = original_state("U_Net")
    path = tmp_path / "unet.pkl"
    torch.save({f"module.{key}": value for key, value in state.items()}, path, _use_new_zipfile_serialization=zipped)
    import_weights(path, tmp_path / "model.safetensors")
    model = load_model(tmp_path / "model.safetensors")
    assert torch.equal(model.head.conv.weight, state["Conv_1x1.weight"])


class Payload:
    def __reduce__(self):
        return os.system, ("touch hacked",)


def surplus(state):
    return {**state, "Conv9.weight": torch.zeros(1), "Conv9.bias": torch.zeros(1)}


def missing(state):
    return {key: value for key, value in state.items() if "Up_conv2" not in key}


def cut_short(state):
    return {"Conv_1x1.weight": state["Conv_1x1.weight"]}


@pytest.mark.parametrize(
    ("name", "content", "steps", "sentence"),
    [
        ("U_Net", lambda s: {**s, "extra": Payload()}, None, r"holds more than weights \(it asks for \w+\.system\)"),
        ("U_Net", surplus, None, r"do not fit unet: 2 surplus \(Conv9.bias, Conv9.weight\)"),
        ("U_Net", missing, None, r"do not fit unet: 14 missing \(trunk.decoder.3.block.0.conv.bias, .* and 11 more\)"),
        ("U_Net", cut_short, None, "no convolution Conv1.conv.0.weight"),
        ("U_Net", lambda s: s, 2, "holds unet, which is not recurrent"),
        ("UNet", lambda s: s, 2, "holds no recurrent network"),
        ("R2U_Net", lambda s: s, None, "do not tell its recurrent steps; give recurrent_steps"),
        ("U_Net", lambda s: {"layer.weight": torch.zeros(2)}, None, "none of the known originals .*layer.weight"),
        ("U_Net", lambda s: [1, 2], None, "holds a list, not a state_dict"),
        ("U_Net", lambda s: {**s, "epoch": 3}, None, "its entry 'epoch' is not a tensor"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence_and_nothing_is_written(
    name, content, steps, sentence, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    torch.save(content(original_state(name)), "checkpoint.pth")
    with pytest.raises(UserError, match=sentence) as refusal:
        import_weights("checkpoint.pth", "model.safetensors", recurrent_steps=steps)
    assert "checkpoint" in str(refusal.value)
    assert os.listdir() == ["checkpoint.pth"]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_checkpoint(share, zipped, tmp_path):
    whole, torn = tmp_path / "whole.pth", tmp_path / "torn.pth"
    torch.save(original_state("U_Net"), whole, _use_new_zipfile_serialization=zipped)
    content = whole.read_bytes()
    torn.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"torn.pth (is not a whole PyTorch checkpoint|holds more than weights)"):
        import_weights(torn, tmp_path / "model.safetensors")
    assert not (tmp_path / "model.safetensors").exists()


def test_a_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / "notes.pth").write_text("not a checkpoint")
    with pytest.raises(UserError, match=r"notes.pth"):
        import_weights(tmp_path / "notes.pth", tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="There is no file"):
        import_weights(tmp_path / "nothing.pth", tmp_path / "model.safetensors")


def test_pretrained_encoder_weights_out_of_reach_are_told_in_a_sentence(monkeypatch):
    import segmentation_models_pytorch as library

    def unreachable(*args, **kwargs):
        raise FileNotFoundError("no connection")

    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", unreachable)
    assert library.encoders.hf_hub_download is unreachable
    with pytest.raises(
        UserError, match=r"'imagenet' of encoder resnet34 could not be fetched .* leave encoder_weights"
    ):
        create_model("smp_unet", encoder_weights="imagenet")


def test_loading_a_file_never_fetches_pretrained_weights(tmp_path, monkeypatch):
    model = small("smp_unet")
    model.spec.arguments["encoder_weights"] = "imagenet"
    save_model(model, tmp_path / "model.safetensors")
    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", None)
    assert load_model(tmp_path / "model.safetensors").card.arguments["encoder_weights"] == "imagenet"

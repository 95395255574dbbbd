"""The predictor: any size and depth, the saved preprocessing, poses, filters, streams and threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from predicting import OWN_SIZE, TASKS, Brightness, lively, noise, predictor

from workbench.config import Preprocessing
from workbench.data.normalise import picture_to_input
from workbench.data.reading import Facts
from workbench.errors import UserError
from workbench.inference.augmentation import AUGMENTATIONS, Pose, average, poses_of
from workbench.inference.backend import TorchBackend, find_device, find_weights
from workbench.inference.filters import Filters, filter_labels, holes
from workbench.inference.inputs import measure_regions
from workbench.inference.predictor import Predictor
from workbench.models import load_model, save_model


@pytest.mark.parametrize("mode", TASKS)
def test_it_is_what_the_model_says_of_the_normalised_picture(mode):
    model, task, picture = lively("attention_unet", TASKS[mode]), TASKS[mode], noise(53, 70)
    prediction = Predictor(model, device="cpu", task=task, preprocessing=OWN_SIZE)(picture)
    with torch.inference_mode():
        output = model(picture_to_input(picture, OWN_SIZE)[0][None])
        expected = task.probabilities(output.logits)[0].numpy()
    np.testing.assert_allclose(prediction.probabilities, expected, atol=1e-4)
    np.testing.assert_array_equal(prediction.labels, task.labels_of(torch.tensor(prediction.probabilities[None]))[0])
    assert prediction.size == (53, 70)
    assert list(prediction.attention) == list(output.attention)
    for gate in prediction.attention.values():
        assert gate.shape == (53, 70)
        assert 0 <= gate.min() <= gate.max() <= 1


@pytest.mark.parametrize("resize", ["none", "stretch", "letterbox", "shorter_side", "width"])
@pytest.mark.parametrize("size", [(1, 1), (7, 90), (150, 40)])
def test_results_have_the_picture_s_own_size(resize, size):
    predict = predictor(preprocessing=Preprocessing(resize=resize, size=(48, 64)))
    prediction = predict(noise(*size))
    assert prediction.labels.shape == size
    assert prediction.probabilities.shape == (1, *size)
    assert {gate.shape for gate in prediction.attention.values()} == {size}


def test_attention_lies_where_the_gate_saw_it():
    picture = np.zeros((64, 96), np.uint8)
    picture[16:32, 48:64] = 255
    prediction = Predictor(Brightness(multiple=16))(picture)
    gate = prediction.attention["gate"]
    assert prediction.attention.cells["gate"].shape == (4, 6)
    assert np.unravel_index(gate.argmax(), gate.shape)[0] in range(16, 32)
    assert gate[23, 55] > 0.9
    assert gate[23, 20] < 0.1


def test_attention_of_a_letterboxed_picture_leaves_the_padding_out():
    picture = np.zeros((32, 128), np.uint8)
    picture[:, 64:] = 255
    pre = Preprocessing(resize="letterbox", size=(64, 64), channels="grey", mean=(0.5,), std=(0.1,))
    gate = Predictor(Brightness(preprocessing=pre, multiple=8))(picture).attention["gate"]
    assert gate.shape == (32, 128)
    assert gate[:, :40].max() < 0.1
    assert gate[8:24, 80:].min() > 0.5


def test_every_depth_and_number_of_channels():
    predict = predictor(preprocessing=Preprocessing(resize="none", intensity="unit"))
    eight = noise(40, 40, 1)
    grey, wide = predict(eight), predict(eight.astype(np.uint16) * 257)
    np.testing.assert_allclose(grey.probabilities, wide.probabilities, atol=1e-5)
    assert predict(eight[..., 0]).size == (40, 40)
    with pytest.raises(UserError, match="4 channels"):
        predict(noise(40, 40, 4))
    with pytest.raises(UserError, match="uint8, uint16 or float32"):
        predict(np.zeros((4, 4), np.int64))


def test_a_model_for_other_channels_is_told():
    pre = Preprocessing(resize="none", channels="as_is")
    with pytest.raises(UserError, match="4 channels"):
        predictor(preprocessing=pre)(noise(40, 40, 4))


def test_a_result_that_is_no_number_is_told(tmp_path):
    picture = noise(40, 40).astype(np.float32) / 255
    picture[7, 9] = np.nan
    with pytest.raises(UserError, match="values that are nan or infinite"):
        predictor()(picture)
    tifffile.imwrite(tmp_path / "nan.tif", picture, photometric="rgb")
    with predictor().stream(tmp_path / "nan.tif") as stream, pytest.raises(UserError, match="nan or infinite"):
        next(stream.rows)
    model = lively("attention_unet", TASKS["binary"])
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    with pytest.raises(UserError, match="or the weights have"):
        Predictor(model, device="cpu", task=TASKS["binary"], preprocessing=OWN_SIZE)(noise(40, 40))


@pytest.mark.parametrize("intensity", ["percentile", "minmax", "zscore"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiles_are_normalised_by_the_whole_picture(intensity, dtype, tmp_path):
    picture = np.linspace(0, 250, 200 * 230).reshape(200, 230).astype(dtype)
    tifffile.imwrite(tmp_path / "ramp.tif", picture, tile=(64, 64))
    pre = Preprocessing(resize="none", channels="grey", intensity=intensity, mean=(0,), std=(1,))
    whole, tiled = (Predictor(Brightness(preprocessing=pre), tile=tile) for tile in (None, 64))
    expected = whole(tmp_path / "ramp.tif").probabilities
    np.testing.assert_allclose(tiled(tmp_path / "ramp.tif").probabilities, expected, atol=1e-6)
    with tiled.stream(tmp_path / "ramp.tif") as stream:
        streamed = np.concatenate([rows.probabilities for rows in stream.rows], axis=1)
    np.testing.assert_allclose(streamed, expected, atol=1e-3 if dtype == np.float32 else 1e-6)


def test_a_sampled_percentile_of_decimals_is_near(monkeypatch):
    values = np.random.default_rng(0).normal(10, 3, (900, 500, 1)).astype(np.float32)

    class Regions:
        facts = Facts(500, 900, 1, 32, "TIFF")

        def read(self, top, left, height, width):
            return values[top : top + height, left : left + width]

    monkeypatch.setattr("workbench.inference.inputs.SAMPLED", 50_000)
    found = measure_regions(Regions(), Preprocessing(channels="grey"))
    assert (found.minimum, found.maximum) == (values.min(), values.max())
    assert found.mean == pytest.approx(values.mean(), rel=1e-5)
    assert found.deviation == pytest.approx(values.std(), rel=1e-4)
    assert found.high == pytest.approx(np.percentile(values, 99.8), abs=0.3)


@pytest.mark.parametrize("mode", TASKS)
def test_a_stream_gives_the_same_rows_from_top_to_bottom(mode, tmp_path):
    tifffile.imwrite(tmp_path / "large.tif", noise(300, 260), tile=(64, 64), photometric="rgb")
    predict = predictor(mode=mode, tile=240)
    done = []
    with predict.stream(tmp_path / "large.tif", progress=lambda *numbers: done.append(numbers)) as stream:
        rows = list(stream.rows)
    expected = predict(tmp_path / "large.tif")
    assert len(rows) > 1
    assert [one.top + one.labels.shape[-2] for one in rows] == [*(one.top for one in rows[1:]), 300]
    np.testing.assert_array_equal(np.concatenate([one.labels for one in rows], axis=-2), expected.labels)
    np.testing.assert_allclose(np.concatenate([one.probabilities for one in rows], axis=1), expected.probabilities)
    assert done[-1][0] == done[-1][1] == len(done)


def test_what_cannot_be_streamed_is_told(tmp_path):
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, noise(30, 30), photometric="rgb")
    for options, what in (
        ({"preprocessing": Preprocessing(resize="stretch", size=(32, 32))}, "resizes"),
        ({"filters": Filters(fill_holes=True)}, "filters"),
    ):
        with pytest.raises(UserError, match=f"large.tif.*{what}"), predictor(**options).stream(path):
            pass


def test_a_prediction_that_memory_does_not_hold_is_refused_before_reading(tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.inference.predictor.MEMORY", 1000)
    Image.fromarray(noise(30, 30)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a.png.*30x30.*streams"):
        predictor()(tmp_path / "a.png")


def test_a_file_by_path_and_what_it_was(tmp_path):
    tifffile.imwrite(
        tmp_path / "stack.x.tif",
        np.stack([noise(20, 30, 1, seed)[..., 0] for seed in range(3)]),
        photometric="minisblack",
    )
    predict = predictor()
    one, other = (predict(tmp_path / "stack.x.tif", index=index) for index in (0, 2))
    assert (one.name, other.name) == ("stack.x_0", "stack.x_2")
    assert other.origin.index == 2
    np.testing.assert_array_equal(other.picture[..., 0], noise(20, 30, 1, 2)[..., 0])
    with pytest.raises(UserError, match="nothing"):
        predict(tmp_path / "nothing.png")


class TestPoses:
    """Test-time augmentation."""

    @pytest.mark.parametrize("name", AUGMENTATIONS)
    def test_undoing_gives_the_picture_back(self, name):
        picture = torch.nn.functional.interpolate(torch.rand(1, 2, 5, 4), (60, 48), mode="bicubic")[0]
        for pose in poses_of(name):
            back = pose.undo(pose.apply(picture), (60, 48))
            assert back.shape == picture.shape
            if pose.scale == 1:
                assert torch.equal(back, picture)
            else:
                assert (back - picture).abs().mean() < 0.02

    def test_poses_of_a_name_differ(self):
        picture = torch.rand(1, 8, 8)
        for name in ("flips", "rotations", "all"):
            seen = [pose.apply(picture) for pose in poses_of(name) if pose.scale == 1]
            assert len({tuple(view.flatten().tolist()) for view in seen}) == len(seen)

    def test_mean_and_deviation(self):
        answers = iter([torch.full((2, 4, 6), value) for value in (0.1, 0.4, 0.7)])
        spread = average(torch.zeros(3, 4, 6), (Pose(),) * 3, lambda picture: next(answers))
        torch.testing.assert_close(spread.mean, torch.full((2, 4, 6), 0.4))
        torch.testing.assert_close(spread.deviation, torch.full((4, 6), float(np.std([0.1, 0.4, 0.7]))))

    @pytest.mark.parametrize("name", ["flips", "rotations"])
    def test_a_turned_picture_gives_the_turned_result(self, name):
        predict, plain = predictor(augmentation=name), predictor()
        picture = noise(48, 64)
        turned = np.ascontiguousarray(picture[::-1, ::-1])
        upright, back = predict(picture), predict(turned).probabilities[:, ::-1, ::-1]
        np.testing.assert_allclose(upright.probabilities, back, atol=1e-5)
        assert np.abs(plain(picture).probabilities - plain(turned).probabilities[:, ::-1, ::-1]).max() > 1e-3
        assert upright.deviation.max() > 1e-3

    def test_without_augmentation_there_is_no_deviation(self):
        prediction = predictor()(noise(32, 32))
        assert prediction.deviation is None
        assert prediction.entropy.shape == (32, 32)

    def test_poses_in_tiles(self):
        picture = noise(260, 300)
        whole, tiled = (predictor(augmentation="flips", tile=tile)(picture) for tile in (None, 240))
        np.testing.assert_allclose(whole.probabilities, tiled.probabilities, atol=1e-4)
        np.testing.assert_allclose(whole.deviation, tiled.deviation, atol=1e-4)

    def test_scales_in_tiles_are_not_called_exact(self):
        (note,) = predictor(augmentation="scales", tile=352)(noise(360, 340)).notes
        assert "differ" in note

    def test_an_unknown_name(self):
        with pytest.raises(UserError, match="flips"):
            predictor(augmentation="flip")


@pytest.mark.parametrize(
    ("mode", "probabilities", "expected"),
    [
        ("binary", [0.5], 1),
        ("binary", [0.0], 0),
        ("multiclass", [0.25] * 4, 1),
        ("multiclass", [1, 0, 0, 0], 0),
        ("multilabel", [1, 0, 0.5], 1),
    ],
)
def test_entropy(mode, probabilities, expected):
    prediction = predictor(mode=mode)(noise(16, 16))
    values = np.broadcast_to(np.array(probabilities, np.float32)[:, None, None], (len(probabilities), 16, 16))
    object.__setattr__(prediction, "probabilities", values)
    np.testing.assert_allclose(prediction.entropy, expected, atol=1e-6)


class TestFilters:
    """From probabilities to labels."""

    ring = np.zeros((9, 12), np.uint8)
    ring[1:6, 1:6] = 1
    ring[2:5, 2:5] = 0
    ring[8, 10] = 1

    def test_threshold(self):
        values = np.linspace(0, 255, 256, dtype=np.uint8)[None]
        low, high = (Predictor(Brightness(), filters=Filters(threshold=share))(values) for share in (0.2, 0.9))
        assert low.labels.sum() > high.labels.sum() > 0
        np.testing.assert_array_equal(low.labels, low.probabilities[0] >= 0.2)

    def test_holes_are_filled_and_specks_dropped(self):
        filled = filter_labels(self.ring, TASKS["binary"], Filters(fill_holes=True))
        assert filled.sum() == 26
        dropped = filter_labels(self.ring, TASKS["binary"], Filters(smallest_object=17))
        assert dropped.sum() == 0
        both = filter_labels(self.ring, TASKS["binary"], Filters(smallest_object=17, fill_holes=True))
        assert both.sum() == 25

    def test_a_hole_at_the_edge_or_open_over_an_edge_is_none_but_over_a_corner_it_is(self):
        assert not holes(np.array([[1, 0, 1], [1, 1, 1]], bool)).any()
        closed = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]], bool)
        assert holes(closed).sum() == 1

    def test_diagonal_pixels_are_one_object(self):
        diagonal = np.eye(4, dtype=np.uint8)
        assert filter_labels(diagonal, TASKS["binary"], Filters(smallest_object=4)).sum() == 4

    def test_another_class_in_a_hole_stays(self):
        labels = np.zeros((7, 16), np.uint8)
        labels[1:6, 1:6], labels[2:5, 2:5] = 1, 0
        labels[1:6, 9:14], labels[2:5, 10:13], labels[3, 11] = 1, 0, 2
        filled = filter_labels(labels, TASKS["multiclass"], Filters(fill_holes=True))
        assert (filled[1:6, 1:6] == 1).all()
        assert filled[3, 11] == 2
        assert (filled[2:5, 10:13] == labels[2:5, 10:13]).all()

    def test_multilabel_planes_are_filtered_each_for_itself(self):
        planes = np.stack([self.ring, 1 - self.ring, np.zeros_like(self.ring)])
        filtered = filter_labels(planes, TASKS["multilabel"], Filters(smallest_object=10, fill_holes=True))
        assert [plane.sum() for plane in filtered] == [25, 107, 0]

    def test_without_background_the_nearest_class_takes_a_speck_s_place(self):
        task = TASKS["multiclass"].model_copy(update={"classes": ("road", "car", "sky")})
        labels = np.repeat(np.array([[0, 0, 0, 0, 2, 2, 2, 2]], np.uint8), 6, 0)
        labels[2, 1], labels[3, 6] = 1, 1
        filtered = filter_labels(labels, task, Filters(smallest_object=3))
        assert (filtered == [0, 0, 0, 0, 2, 2, 2, 2]).all()

    @pytest.mark.parametrize("filters", [Filters(threshold=0), Filters(threshold=1.5), Filters(smallest_object=-1)])
    def test_nonsense_is_refused(self, filters):
        with pytest.raises(UserError):
            predictor(filters=filters)


def test_threads_wait_for_each_other():
    backend, inside, most = Brightness(), [], []

    def slow(batch):
        inside.append(threading.get_ident())
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return Brightness.__call__(backend, batch)

    slow.facts, slow.context = backend.facts, 0
    predict = Predictor(slow)
    pictures = [noise(8, 8, 1, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(predict, pictures))
    assert max(most) == 1
    for picture, result in zip(pictures, results, strict=True):
        np.testing.assert_array_equal(result.labels, Predictor(backend)(picture).labels)


def test_pictures_are_padded_to_what_the_back_end_takes():
    backend = Brightness(multiple=16)
    Predictor(backend)(noise(17, 5, 1))
    assert backend.shapes == [(1, 1, 32, 16)]


class TestSources:
    """What a predictor can be made of."""

    def test_weights_and_runs_bring_their_task_and_preprocessing(self, tmp_path):
        run = tmp_path / "run"
        (run / "checkpoints").mkdir(parents=True)
        weights = run / "checkpoints" / "best.safetensors"
        pre = Preprocessing(resize="stretch", size=(32, 32))
        save_model(lively("unet", TASKS["binary"]), weights, task=TASKS["binary"], preprocessing=pre)
        picture = noise(50, 40)
        expected = Predictor(load_model(weights), device="cpu")(picture)
        for source in (weights, run, str(run)):
            found = Predictor(source, device="cpu")
            assert found.task == TASKS["binary"]
            assert found.facts.preprocessing == pre
            np.testing.assert_array_equal(found(picture).probabilities, expected.probabilities)

    def test_a_run_without_a_best_model_is_told(self, tmp_path):
        with pytest.raises(UserError, match="validated"):
            find_weights(tmp_path)

    def test_nothing_known_of_classes_or_other_classes(self):
        model = lively("unet", TASKS["binary"])
        with pytest.raises(UserError, match="classes"):
            Predictor(model)
        with pytest.raises(UserError, match="needs 4"):
            Predictor(model, task=TASKS["multiclass"], preprocessing=OWN_SIZE)

    def test_devices(self):
        assert find_device("cpu").type == "cpu"
        assert find_device("auto").type in ("cpu", "cuda", "mps", "xpu", "npu")
        for name in ("nonsense", "cuda:99", "xpu:7"):
            with pytest.raises(UserError, match="device"):
                find_device(name)

    def test_the_model_itself_stays_as_it_was(self):
        model = lively("unet", TASKS["binary"]).train()
        TorchBackend(model, "cpu", TASKS["binary"], OWN_SIZE)
        assert model.training

    @pytest.mark.parametrize("options", [{"tile": 0}, {"overlap": -1}])
    def test_sizes_are_checked(self, options):
        with pytest.raises(UserError, match=next(iter(options))):
            predictor(**options)

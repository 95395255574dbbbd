"""Batches of prepared pictures: the same whatever the workers, crops, and every layout the whole way."""

import pickle

import numpy as np
import pytest
import torch
import trees
from torch.utils.data import DataLoader

from workbench.config import DataConfig, Preprocessing
from workbench.data.crops import Crop, Window, cut, draw_window
from workbench.data.dataset import PreparedDataset, evaluation_dataset, loader, training_dataset
from workbench.data.normalise import to_input
from workbench.data.prepare import prepare
from workbench.data.transforms import create_transform
from workbench.errors import UserError

SIZE = Preprocessing(size=(32, 40))


def shapes(out, mode="binary", preprocessing=SIZE, **options):
    options = {"count": 20, "size": 48, **options}
    return prepare(DataConfig(path=f"shapes:{mode}", options=options, preprocessing=preprocessing), out, workers=1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return shapes(tmp_path_factory.mktemp("data") / "prepared")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Pictures of 96 x 96, to cut parts out of."""
    return shapes(tmp_path_factory.mktemp("data") / "prepared", preprocessing=Preprocessing(resize="none"), size=96)


def whole(batches):
    names, images, masks = zip(*batches, strict=True)
    return [name for some in names for name in some], torch.cat(images), torch.cat(masks)


def assert_same(one, other):
    assert one[0] == other[0]
    assert torch.equal(one[1], other[1])
    assert torch.equal(one[2], other[2])


@pytest.mark.parametrize(
    ("make", "layout", "mode"),
    [
        (trees.make_folder, "folder", "binary"),
        (trees.make_isic2018, "isic2018", "binary"),
        (trees.make_isic2018_split, "isic2018", "binary"),
        (trees.make_dsb2018, "dsb2018", "binary"),
        (trees.make_cityscapes, "cityscapes", "multiclass"),
        (trees.make_nested_unet, "folder", "multilabel"),
    ],
)
def test_every_layout_goes_the_whole_way(tmp_path, make, layout, mode):
    config = DataConfig(path=str(make(tmp_path / "data")), preprocessing=Preprocessing(size=(32, 64)))
    prepared = prepare(config, tmp_path / "prepared", workers=1)
    assert prepared.source["layout"] == layout
    assert prepared.task.mode == mode
    batch = next(iter(loader(training_dataset(prepared, config), 2, shuffle=True)))
    assert len(batch.name) == len(batch.image) == len(batch.mask) == 2
    assert batch.image.shape == (2, 3, 32, 64)
    assert batch.image.dtype == torch.float32
    assert -1.001 <= float(batch.image.min()) < float(batch.image.max()) <= 1.001
    assert batch.mask.shape == ((2, 3, 32, 64) if mode == "multilabel" else (2, 32, 64))
    assert batch.mask.dtype == torch.uint8
    assert set(batch.mask.unique().tolist()) <= {*range(len(prepared.task.classes) + (mode == "multilabel")), 255}
    valid = evaluation_dataset(prepared, config)
    assert len(valid) == prepared.facts["splits"]["valid"]
    assert sum(len(batch.name) for batch in loader(valid, 2)) == len(valid)


def test_batches_are_the_normalised_pictures(prepared):
    for channels in ("rgb", "bgr"):
        preprocessing = Preprocessing(size=(32, 40), channels=channels, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
        data = PreparedDataset(prepared, "train", preprocessing)
        names, images, masks = whole(loader(data, 4))
        for index, number in enumerate(data.numbers):
            assert names[index] == prepared.names[number]
            assert torch.allclose(images[index], to_input(prepared.image(number), preprocessing), atol=1e-6)
            assert np.array_equal(masks[index], prepared.mask(number))


def test_one_sample_is_a_row_of_the_batch(prepared):
    data = PreparedDataset(prepared, "train", SIZE)
    batch = next(iter(loader(data, 4)))
    sample = data[2]
    assert sample.name == batch.name[2]
    assert torch.equal(sample.image, batch.image[2])
    assert_same(whole(loader(data, 4)), whole(DataLoader(data, 4, collate_fn=lambda batch: batch.whole)))


def test_pictures_keep_their_own_intensity(tmp_path):
    preprocessing = Preprocessing(size=(32, 40), intensity="zscore", mean=(0,), std=(1,))
    data = PreparedDataset(shapes(tmp_path / "out", preprocessing=preprocessing), "train", preprocessing)
    images = whole(loader(data, 4))[1]
    assert torch.allclose(images.mean((1, 2, 3)), torch.zeros(len(images)), atol=1e-4)
    assert torch.allclose(images.std((1, 2, 3), correction=0), torch.ones(len(images)), atol=1e-4)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("augmented", [False, True])
def test_workers_change_nothing(wide, workers, augmented):
    def epochs(workers):
        crop = Crop((32, 32), foreground=0.5) if augmented else None
        transform = create_transform("isic2018", 1.0, (32, 32)) if augmented else None
        data = PreparedDataset(wide, "train", Preprocessing(resize="none"), transform, crop, seed=7)
        batches = loader(data, 4, shuffle=True, workers=workers)
        for epoch in range(3):
            data.set_epoch(epoch)
            yield whole(batches)

    for one, other in zip(epochs(0), epochs(workers), strict=True):
        assert_same(one, other)


def test_epochs_and_seeds_differ_and_come_again(wide):
    def epoch(seed, number):
        transform = create_transform("flips")
        data = PreparedDataset(wide, "train", Preprocessing(resize="none"), transform, Crop((40, 40)), seed)
        data.set_epoch(number)
        return whole(loader(data, 4, shuffle=True))

    assert_same(epoch(1, 5), epoch(1, 5))
    for seed, number in ((1, 6), (2, 5)):
        names, images, _ = epoch(seed, number)
        assert names != epoch(1, 5)[0]
        assert not torch.equal(images, epoch(1, 5)[1])


def test_shuffling_takes_every_picture_once(prepared):
    data = PreparedDataset(prepared, "train", SIZE)
    names = whole(loader(data, 3, shuffle=True))[0]
    assert sorted(names) == sorted(prepared.names[n] for n in data.numbers)
    assert names != [prepared.names[n] for n in data.numbers]
    assert len(whole(loader(data, 4, shuffle=True, drop_last=True))[0]) == 12


def test_it_pickles_small(prepared):
    data = pickle.dumps(prepared)
    assert len(data) < 1000
    assert np.array_equal(pickle.loads(data).image(3), prepared.image(3))


def test_another_preprocessing_is_refused(prepared):
    for other in (Preprocessing(size=(40, 32)), Preprocessing(resize="letterbox", size=(32, 40))):
        with pytest.raises(UserError, match="prepared otherwise than asked for"):
            PreparedDataset(prepared, "train", other)
    with pytest.raises(UserError, match="Unknown split 'val'"):
        PreparedDataset(prepared, "val", SIZE)


def test_pictures_of_other_sizes_are_refused_in_one_batch_but_not_alone(tmp_path):
    trees.make_folder(tmp_path / "data", 4)
    picture, mask = trees.drawn(1, 64)[0]
    trees.save(tmp_path / "data/images/z.png", picture)
    trees.save(tmp_path / "data/masks/z.png", mask * 255)
    knobs = Preprocessing(resize="none")
    config = DataConfig(path=str(tmp_path / "data"), preprocessing=knobs, fractions=(1, 0, 0))
    prepared = prepare(config, tmp_path / "out")
    data = PreparedDataset(prepared, "train", knobs)
    with pytest.raises(UserError, match=r"48x48 and z 64x64.*data\.crop"):
        whole(loader(data, 5))
    assert [tuple(batch.image.shape) for batch in loader(data, 1)][-1] == (1, 3, 64, 64)
    cropped = PreparedDataset(prepared, "train", knobs, crop=Crop((56, 56)))
    images, masks = whole(loader(cropped, 5))[1:]
    assert images.shape == (5, 3, 56, 56)
    assert (masks[0] == 255).sum() == 56 * 56 - 48 * 48


@pytest.mark.parametrize("mode", ["binary", "multiclass", "multilabel"])
def test_a_crop_is_the_part_of_the_picture(tmp_path, mode):
    knobs = Preprocessing(resize="none", mean=(0,), std=(1,))
    prepared = shapes(tmp_path / "out", mode, knobs, size=96)
    data = PreparedDataset(prepared, "train", knobs, crop=Crop((24, 40)), seed=3)
    for sample in (data[index] for index in range(len(data))):
        number = prepared.names.index(sample.name)
        part = (sample.image * 255).round().byte().permute(1, 2, 0).numpy()
        picture = prepared.image(number)
        found = [
            (top, left)
            for top, left in np.argwhere((picture[:-23, :-39] == part[0, 0]).all(2))
            if np.array_equal(picture[top : top + 24, left : left + 40], part)
        ]
        assert found
        top, left = found[0]
        assert np.array_equal(sample.mask, prepared.mask(number)[..., top : top + 24, left : left + 40])


def test_crops_reach_every_border_and_not_beyond(wide):
    rng = np.random.default_rng(0)
    windows = [draw_window(wide, 0, Crop((90, 90)), (90, 90), rng) for _ in range(400)]
    assert {window.top for window in windows} == set(range(7))
    assert {window.left for window in windows} == set(range(7))


def test_foreground_crops_are_centred_on_the_foreground(tmp_path):
    mask = np.zeros((96, 128), np.uint8)
    mask[60:63, 30:34] = 255
    trees.save(tmp_path / "data/images/a.png", np.zeros((96, 128, 3), np.uint8))
    trees.save(tmp_path / "data/masks/a.png", mask)
    config = DataConfig(path=str(tmp_path / "data"), preprocessing=Preprocessing(resize="none"), fractions=(1, 0, 0))
    prepared = prepare(config, tmp_path / "out")
    rng = np.random.default_rng(0)

    def centres(foreground):
        windows = [draw_window(prepared, 0, Crop((8, 8), 1.0, foreground), (8, 8), rng) for _ in range(600)]
        return [(window.top + 4, window.left + 4) for window in windows]

    assert set(centres(1.0)) == {(row, column) for row in (60, 61, 62) for column in (30, 31, 32, 33)}
    hits = [sum(60 <= row < 63 and 30 <= column < 34 for row, column in centres(share)) for share in (0.0, 0.5)]
    assert hits[0] < 10
    assert 220 < hits[1] < 380


def test_crops_with_one_class_only_are_drawn_again(wide):
    def shares(largest):
        data = PreparedDataset(wide, "train", Preprocessing(resize="none"), crop=Crop((32, 32), largest), seed=1)
        masks = []
        for epoch in range(6):
            data.set_epoch(epoch)
            masks.append(whole(loader(data, 7))[2])
        filled = torch.cat(masks).float().mean((1, 2))
        return float((torch.maximum(filled, 1 - filled) > 0.75).float().mean())

    assert shares(0.75) < 0.5 * shares(1.0)


def test_scaled_crops_see_more_or_less(wide):
    data = PreparedDataset(
        wide, "train", Preprocessing(resize="none"), create_transform("cityscapes", 1.0, (32, 32)), Crop((32, 32))
    )
    images, masks = whole(loader(data, 14))[1:]
    assert images.shape == (14, 3, 32, 32)
    assert set(masks.unique().tolist()) <= {0, 1, 255}


def test_cut_reads_within_and_pads_without():
    array = np.arange(60, dtype=np.uint8).reshape(6, 10)
    assert np.array_equal(cut(array, Window(1, 2, 3, 4), 255, (0, 1)), array[1:4, 2:6])
    padded = cut(array, Window(-2, 7, 9, 5), 255, (-2, -1))
    assert padded.shape == (9, 5)
    assert np.array_equal(padded[2:8, :3], array[:, 7:])
    assert (padded[:2] == 255).all()
    assert (padded[:, 3:] == 255).all()
    outside = cut(array[..., None], Window(20, 20, 2, 2), 0, (0, 1))
    assert outside.shape == (2, 2, 1)
    assert not outside.any()


def test_mixed_channels_are_refused(tmp_path):
    for number, channels in enumerate((1, 3, 3)):
        picture = np.random.default_rng(number).integers(0, 255, (16, 16, channels), np.uint8)
        trees.save(tmp_path / "data/images" / f"{number}.png", picture.squeeze())
        trees.save(tmp_path / "data/masks" / f"{number}.png", np.eye(16, dtype=np.uint8))
    knobs = Preprocessing(resize="none", channels="as_is")
    config = DataConfig(path=str(tmp_path / "data"), preprocessing=knobs, fractions=(1, 0, 0))
    prepared = prepare(config, tmp_path / "out")
    with pytest.raises(UserError, match="1 or 3 channels"):
        training_dataset(prepared, config)


def test_augmented_pictures_differ_from_the_plain_ones(prepared):
    config = DataConfig(preprocessing=SIZE, augmentation="isic2018")
    plain = whole(loader(training_dataset(prepared, config.model_copy(update={"augmentation": "none"})), 4))
    changed = whole(loader(training_dataset(prepared, config), 4))
    assert plain[0] == changed[0]
    assert 0 < sum(not torch.equal(a, b) for a, b in zip(plain[1], changed[1], strict=True)) < len(plain[0])

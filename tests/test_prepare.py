"""Preparing: what is stored, what is done again, and what an accident leaves."""

import json
import multiprocessing
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
import trees
from PIL import Image

from workbench.config import DataConfig, Preprocessing
from workbench.data import prepare as preparing
from workbench.data.geometry import fit_picture, put_mask, put_picture
from workbench.data.layouts import open_source
from workbench.data.prepare import prepare
from workbench.data.prepared import open_prepared, splits_of
from workbench.data.splits import Splits, write_splits
from workbench.errors import UserError

SMALL = Preprocessing(size=(32, 40))


def config_of(path, **knobs):
    return DataConfig(**{"path": str(path), "preprocessing": SMALL, **knobs})


class Counted:
    """A progress that remembers what it was told."""

    def __init__(self, stop_at=None):
        self.told = []
        self.stop_at = stop_at

    def __call__(self, done, total):
        self.told.append((done, total))
        if done == self.stop_at:
            raise KeyboardInterrupt

    @property
    def decoded(self):
        return len(self.told) - 1


@pytest.fixture
def folder(tmp_path):
    return trees.make_folder(tmp_path / "data", 8)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "prepared"


def assert_same_arrays(one, other):
    assert one.names == other.names
    for number in range(len(one.names)):
        assert np.array_equal(one.image(number), other.image(number))
        assert np.array_equal(one.mask(number), other.mask(number))


def test_arrays_are_the_resized_files(folder, out):
    counted = Counted()
    prepared = prepare(config_of(folder), out, counted)
    assert counted.told == [(n, 8) for n in range(9)]
    for number, (picture, mask) in enumerate(trees.drawn(8)):
        fit = fit_picture(mask.shape, SMALL)
        assert prepared.fit(number) == fit
        assert np.array_equal(prepared.image(number), put_picture(picture, fit))
        assert np.array_equal(prepared.mask(number), put_mask(mask, fit))
        assert np.array_equal(prepared.foreground_rows(number), (prepared.mask(number) == 1).sum(1))
    assert prepared.task.classes == ("background", "foreground")
    assert prepared.facts["splits"] == {"train": 5, "valid": 1, "test": 2}
    assert prepared.facts["original_sizes"] == {"48x48": 8}
    assert prepared.facts["report"][0] == "folder: 8 pictures with masks, no splits."
    assert_same_arrays(prepared, open_prepared(out))


def test_statistics_are_those_of_the_training_pixels(folder, out):
    prepared = prepare(config_of(folder), out)
    pixels = np.concatenate([prepared.image(n).reshape(-1, 3) for n in prepared.splits["train"]]) / 255
    statistics = prepared.facts["channel_statistics"]
    assert np.allclose(statistics["mean"], pixels.mean(0), atol=1e-6)
    assert np.allclose(statistics["std"], pixels.std(0), atol=1e-6)
    masks = np.stack([prepared.mask(n) for n in range(8)])
    assert np.isclose(prepared.facts["classes"]["foreground"], (masks == 1).mean())
    assert [entry.share for entry in prepared.entries] == pytest.approx(masks.mean((1, 2)))


@pytest.mark.parametrize("resize", ["none", "shorter_side", "letterbox", "width"])
def test_every_resize(tmp_path, out, resize):
    for number, size in enumerate([(40, 60), (60, 40), (32, 32), (50, 51)] * 2):
        picture, mask = trees.drawn(1, 64, seed=number)[0]
        trees.save(tmp_path / "data/images" / f"{number}.png", picture[: size[0], : size[1]])
        trees.save(tmp_path / "data/masks" / f"{number}.png", mask[: size[0], : size[1]])
    preprocessing = Preprocessing(resize=resize, size=(24, 32), multiple=8)
    prepared = prepare(config_of(tmp_path / "data", preprocessing=preprocessing), out)
    for number, entry in enumerate(prepared.entries):
        fit = fit_picture(entry.original, preprocessing)
        assert prepared.image(number).shape == (*fit.frame, 3)
        assert prepared.mask(number).shape == fit.frame
        assert (prepared.mask(number) == 255).sum() == np.prod(fit.frame) - np.prod(fit.inner)


@pytest.mark.parametrize(("channels", "count"), [("rgb", 3), ("bgr", 3), ("grey", 1), ("as_is", 3)])
def test_channels(folder, out, channels, count):
    preprocessing = Preprocessing(size=(32, 40), channels=channels)
    assert prepare(config_of(folder, preprocessing=preprocessing), out).image(0).shape == (32, 40, count)


def test_processes_and_one_process_do_the_same(tmp_path):
    folder = trees.make_folder(tmp_path / "data", 30, size=24)
    counted = Counted()
    one = prepare(config_of(folder), tmp_path / "one", workers=1)
    two = prepare(config_of(folder), tmp_path / "two", counted, workers=2)
    assert counted.told[-1] == (30, 30)
    assert_same_arrays(one, two)
    assert one.facts["fingerprint"] == two.facts["fingerprint"]


def test_nothing_is_done_twice(folder, out):
    first = prepare(config_of(folder), out)
    counted = Counted()
    second = prepare(config_of(folder), out, counted)
    assert counted.told == [(8, 8)]
    assert first.facts == second.facts


def test_only_what_changed_is_done_again(folder, out):
    before = prepare(config_of(folder), out)
    picture, mask = trees.drawn(1, 48, seed=99)[0]
    trees.save(folder / "images/picture_2.png", picture)  # changed
    trees.save(folder / "masks/picture_2.png", mask * 255)
    trees.save(folder / "images/picture_9.png", picture)  # added
    trees.save(folder / "masks/picture_9.png", mask * 255)
    (folder / "images/picture_5.png").unlink()  # removed
    (folder / "masks/picture_5.png").unlink()
    os.utime(folder / "images/picture_1.png", (1, 1))  # touched only
    counted = Counted()
    after = prepare(config_of(folder), out, counted)
    assert counted.decoded == 3
    assert after.names == (
        "picture_0",
        "picture_1",
        "picture_2",
        "picture_3",
        "picture_4",
        "picture_6",
        "picture_7",
        "picture_9",
    )
    assert np.array_equal(after.image(2), put_picture(picture, after.fit(2)))
    assert after.entries[1].offsets == before.entries[1].offsets
    assert after.facts["fingerprint"] != before.facts["fingerprint"]
    counted = Counted()
    prepare(config_of(folder), out, counted)
    assert counted.decoded == 0


def test_other_knobs_are_another_preparation_and_the_old_one_goes(folder, out):
    prepare(config_of(folder), out)
    arrays = {path.name for path in out.glob("arrays-*")}
    other = prepare(config_of(folder, preprocessing=Preprocessing(size=(16, 16))), out)
    assert other.image(0).shape == (16, 16, 3)
    assert len(list(out.glob("arrays-*"))) == 1
    assert {path.name for path in out.glob("arrays-*")} != arrays


def test_split_knobs_need_no_decoding(folder, out):
    first = prepare(config_of(folder), out)
    counted = Counted()
    second = prepare(config_of(folder, fractions=(0.5, 0.25, 0.25), split_seed=3), out, counted)
    assert counted.decoded == 0
    assert second.facts["splits"] == {"train": 4, "valid": 2, "test": 2}
    assert first.splits != second.splits


def test_interrupted_it_goes_on(folder, out):
    with pytest.raises(KeyboardInterrupt):
        prepare(config_of(folder), out, Counted(stop_at=3), workers=1)
    with pytest.raises(UserError, match="not a prepared folder"):
        open_prepared(out)
    counted = Counted()
    prepared = prepare(config_of(folder), out, counted)
    assert counted.told[0] == (3, 8)
    assert counted.decoded == 5
    assert_same_arrays(prepared, prepare(config_of(folder), out.with_name("other")))


def test_half_written_ends_do_not_count(folder, out):
    with pytest.raises(KeyboardInterrupt):
        prepare(config_of(folder), out, Counted(stop_at=5), workers=1)
    arrays = next(out.glob("arrays-*"))
    with open(arrays / "journal.jsonl", "a") as file:
        file.write('{"name": "picture_5", "stam')
    images = arrays / "images.bin"
    os.truncate(images, images.stat().st_size - 100)  # the fifth picture is cut
    counted = Counted()
    prepared = prepare(config_of(folder), out, counted)
    assert counted.told[0] == (4, 8)
    assert_same_arrays(prepared, prepare(config_of(folder), out.with_name("other")))


KILLED = """
import sys
from workbench.config import DataConfig, Preprocessing
from workbench.data.prepare import prepare
import time
if __name__ == "__main__":
    def slow(done, total):
        print(done, flush=True)
        time.sleep(0.05)
    prepare(DataConfig(path=sys.argv[1], preprocessing=Preprocessing(size=(32, 40))), sys.argv[2], slow, workers=1)
"""


def test_killed_it_goes_on_and_the_lock_is_free(folder, out):
    process = subprocess.Popen([sys.executable, "-c", KILLED, folder, out], stdout=subprocess.PIPE, text=True)
    while process.stdout.readline().strip() != "4":
        assert process.poll() is None
    process.kill()
    process.wait()
    counted = Counted()
    prepared = prepare(config_of(folder), out, counted)
    assert counted.told[0][0] in (4, 5)
    assert_same_arrays(prepared, prepare(config_of(folder), out.with_name("other")))


def _with_little_room(folder, out, results):
    resource.setrlimit(resource.RLIMIT_FSIZE, (18_000, resource.RLIM_INFINITY))
    try:
        prepare(config_of(folder), out, workers=1)
    except UserError as error:
        results.put(str(error))
    else:
        results.put("went through")


def test_a_full_disk_leaves_what_was_there(folder, out):
    whole = prepare(config_of(folder), out)
    copy = [whole.image(n).copy() for n in range(8)]
    more = trees.make_folder(folder, 12, seed=5)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    process = context.Process(target=_with_little_room, args=(more, out, results))
    process.start()
    said = results.get(timeout=60)
    process.join()
    assert "is full" in said
    assert "start again to go on" in said
    there = open_prepared(out)
    assert there.names == whole.names
    assert all(np.array_equal(there.image(n), picture) for n, picture in enumerate(copy))
    assert len(prepare(config_of(more), out).names) == 12


def test_two_processes_do_not_hurt_each_other(folder, out):
    def start():
        return subprocess.Popen([sys.executable, "-c", KILLED, folder, out], stdout=subprocess.PIPE, text=True)

    first = start()
    first.stdout.readline()
    second = start()
    told = [process.communicate(timeout=60)[0].split() for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0]
    assert sorted(map(len, told)) == [1, 8]  # one did the work, the other found it done
    assert_same_arrays(open_prepared(out), prepare(config_of(folder), out.with_name("other")))


def test_one_broken_picture_of_many_is_told_and_left_out(tmp_path, out):
    folder = trees.make_folder(tmp_path / "data", 21, size=16)
    (folder / "images/picture_3.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    prepared = prepare(config_of(folder), out, workers=1)
    assert len(prepared.names) == 20
    assert list(prepared.facts["skipped"]) == ["picture_3"]
    assert "picture_3" in prepared.facts["report"][-1]


def test_many_broken_pictures_are_refused(folder, out):
    for number in (1, 2):
        (folder / f"images/picture_{number}.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"2 of 8 pictures .* cannot be prepared. The first: .*picture_1"):
        prepare(config_of(folder), out)


def test_a_mask_of_another_size_is_refused_by_name(folder, out):
    Image.new("L", (20, 48)).save(folder / "masks/picture_0.png")
    with pytest.raises(UserError, match="picture_0: its mask is 20x48, but the picture is 48x48"):
        prepare(config_of(folder), out)


def test_a_folder_of_others_is_not_written_into(folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("...")
    with pytest.raises(UserError, match="holds other files"):
        prepare(config_of(folder), tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    with pytest.raises(UserError, match="is a file"):
        prepare(config_of(folder), tmp_path / "mine/thesis.tex")


def test_a_broken_index_is_one_sentence(folder, out):
    prepare(config_of(folder), out)
    (out / "index.json").write_text("{")
    with pytest.raises(UserError, match="delete it and prepare again"):
        open_prepared(out)
    (out / "index.json").write_text(json.dumps({"format": 0}))
    with pytest.raises(UserError, match="another version"):
        open_prepared(out)


def test_split_file_wins(folder, out, tmp_path):
    names = [item.name for item in open_source(folder).items]
    wanted = Splits(tuple(names[:3]), tuple(names[3:5]), tuple(names[5:7]))
    write_splits(tmp_path / "split.json", wanted)
    prepared = prepare(config_of(folder, split_file=str(tmp_path / "split.json")), out)
    assert splits_of(prepared) == wanted
    assert any("does not mention 1 pictures" in sentence for sentence in prepared.facts["report"])


def test_duplicates_and_patterns_stay_together(tmp_path, out):
    folder = trees.make_folder(tmp_path / "data", 12)
    for number in range(4):
        for kind in ("images", "masks"):
            data = (folder / kind / f"picture_{number}.png").read_bytes()
            (folder / kind / f"copy_{number}.png").write_bytes(data)
    for seed in range(5):
        prepared = prepare(config_of(folder, split_seed=seed, fractions=(0.5, 0.25, 0.25)), out)
        where = {name: split for split, names in splits_of(prepared)._asdict().items() for name in names}
        assert all(where[f"copy_{n}"] == where[f"picture_{n}"] for n in range(4))
    assert "8 pictures are duplicates of others and stay in one split." in prepared.facts["report"]
    prepared = prepare(config_of(folder, group_pattern=r"_(\d)$", fractions=(0.5, 0.25, 0.25)), out)
    assert sum(prepared.facts["splits"].values()) == 16


def test_folds_leave_the_layouts_own_test_pictures(tmp_path, out):
    folder = trees.make_isic2018_split(tmp_path / "isic", (6, 3, 2))
    own = prepare(config_of(folder), out)
    assert own.facts["splits"] == {"train": 6, "valid": 3, "test": 2}
    folds = [prepare(config_of(folder, folds=3, fold=fold), out) for fold in range(3)]
    assert [fold.facts["splits"] for fold in folds] == [{"train": 6, "valid": 3, "test": 2}] * 3
    assert {splits_of(fold).test for fold in folds} == {splits_of(own).test}
    assert len({name for fold in folds for name in splits_of(fold).valid}) == 9


def test_sixteen_bits_and_slices_stay(tmp_path, out):
    import tifffile

    stack = np.random.default_rng(0).integers(0, 4000, (6, 20, 20)).astype(np.uint16)
    (tmp_path / "data").mkdir()
    tifffile.imwrite(tmp_path / "data/cells.tif", stack)
    tifffile.imwrite(tmp_path / "data/cells_mask.tif", (stack > 2000).astype(np.uint8))
    knobs = Preprocessing(resize="none", channels="grey", intensity="percentile")
    prepared = prepare(config_of(tmp_path / "data", preprocessing=knobs), out)
    assert all(np.array_equal(prepared.image(n)[..., 0], stack[n]) for n in range(6))
    assert sum(prepared.facts["splits"].values()) == 6
    assert min(prepared.facts["splits"].values()) > 0
    assert any("split apart" in sentence for sentence in prepared.facts["report"])


def test_the_number_of_classes_is_that_of_all_masks(tmp_path, out):
    for number in range(30):
        mask = np.full((16, 16), number % 3, np.uint8)
        mask[0, 0] = 5 if number == 29 else 0
        trees.save(tmp_path / "data/images" / f"{number:02d}.png", np.full((16, 16, 3), number, np.uint8))
        trees.save(tmp_path / "data/masks" / f"{number:02d}.png", mask)
    prepared = prepare(config_of(tmp_path / "data", preprocessing=Preprocessing(resize="none")), out, workers=1)
    assert len(prepared.task.classes) == 6


def test_shapes_need_no_files(out):
    prepared = prepare(config_of("shapes:multilabel", options={"count": 5, "size": 32}), out)
    assert prepared.mask(0).shape == (3, 32, 40)
    assert prepared.task.mode == "multilabel"
    counted = Counted()
    assert len(prepare(config_of("shapes:multilabel", options={"count": 8, "size": 32}), out, counted).names) == 8
    assert counted.decoded == 3
    counted = Counted()
    prepare(config_of("shapes:multilabel", options={"count": 8, "size": 32, "seed": 1}), out, counted)
    assert counted.decoded == 8


def test_a_dead_worker_is_one_sentence(tmp_path, out, monkeypatch):
    folder = trees.make_folder(tmp_path / "data", 30, size=16)
    monkeypatch.setattr(preparing, "_start_worker", _die)
    with pytest.raises(UserError, match="A process that prepared pictures died"):
        prepare(config_of(folder), out, workers=2)


def _die(_job):
    os._exit(1)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pictures(out):
    """10,000 pictures: every process stays under 500 MB."""
    import psutil

    peaks = {os.getpid(): 0}
    at_start = psutil.Process().memory_info().rss

    def watch(done, _total):
        if done % 200 == 0:
            own = psutil.Process()
            for process in (own, *own.children(recursive=True)):
                try:
                    peaks[process.pid] = max(peaks.get(process.pid, 0), process.memory_info().rss)
                except psutil.NoSuchProcess:  # it ended since
                    continue

    size = Preprocessing(size=(128, 128))
    prepare(config_of("shapes", preprocessing=size, options={"count": 10_000, "size": 64}), out, watch)
    script = f"""
import psutil
from workbench.config import Preprocessing
from workbench.data.dataset import PreparedDataset, loader
from workbench.data.prepared import open_prepared

before = psutil.Process().memory_info().rss  # torch alone may take more than all the rest
data = PreparedDataset(open_prepared({str(out)!r}), "train", Preprocessing(size=(128, 128)))
pictures, most = 0, 0
for batch in loader(data, 16, shuffle=True):
    pictures += len(batch.name)
    most = max(most, psutil.Process().memory_info().rss)
print(pictures, most - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    pictures, grown = map(int, done.stdout.split())
    assert pictures == 7000
    assert grown < 250e6
    assert peaks[os.getpid()] - at_start < 250e6
    workers = [peak for pid, peak in peaks.items() if pid != os.getpid()]
    assert len(workers) >= 2
    assert max(workers) < 500e6

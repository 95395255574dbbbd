from pathlib import PurePath

import numpy as np
import pytest
import tifffile
import trees

from workbench.config import DataConfig
from workbench.data.labels import choose_labels, read_mask
from workbench.data.layouts import LAYOUTS, open_source
from workbench.data.layouts.pairing import bare, name_files, pair
from workbench.errors import UserError


def pairs_of(*paths):
    found = pair(name_files(map(PurePath, paths)))
    return {str(image.path): tuple(map(str, masks)) for image, masks in found.matched}


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/a.jpg", "masks/a.png"),
        ("imgs/a.jpg", "labels/a.png"),
        ("Images/a.JPG", "Annotations/a.PNG"),
        ("image/a.png", "gt/a.png"),
        ("JPEGImages/a.jpg", "SegmentationClass/a.png"),
        ("images/a.jpg", "annotations/trimaps/a.png"),
        ("images/a.jpg", "a.png"),
        ("a.jpg", "masks/a.png"),
        ("a.jpg", "a.png"),
        ("a.png", "a_mask.png"),
        ("a.png", "a_GT.png"),
        ("a.tif", "a-mask.tif"),
        ("a.nii.gz", "a_seg.nii.gz"),
        ("t2.nii.gz", "t2_seg-manual.nii.gz"),
        ("img2d.tif", "mask2d.tif"),
        ("data/images/img2d.tif", "data/images/mask2d.tif"),
        ("image_01.png", "label_01.png"),
        ("images/a.png", "masks/a_segmentation.png"),
        ("images/a.png", "masks/a_label.png"),
        ("train/images/a.png", "train/masks/a.png"),
        ("images/train/a.png", "masks/train/a.png"),
        ("train/a.png", "train_GT/a_segmentation.png"),
        ("train_images/a.png", "train_masks/a.png"),
        ("images/val/city/a.png", "labels/val/city/a.png"),
    ],
)
def test_names_that_go_together(image, mask):
    # a mask in the top folder without any word of it is not told from a picture
    expected = {} if mask == "a.png" and "/" in image else {image: (mask,)}
    assert pairs_of(image, mask) == expected


def test_common_ends_are_taken_off_where_nothing_else_matches():
    files = [f"images/{n}_training.tif" for n in (21, 22, 23)] + [f"1st_manual/{n}_manual1.gif" for n in (21, 22, 23)]
    assert pairs_of(*files)["images/22_training.tif"] == ("1st_manual/22_manual1.gif",)


def test_same_names_in_other_folders_do_not_meet():
    files = [f"{split}/{kind}/1.png" for split in ("train", "val") for kind in ("images", "masks")]
    assert pairs_of(*files) == {
        "train/images/1.png": ("train/masks/1.png",),
        "val/images/1.png": ("val/masks/1.png",),
    }


def test_an_exact_name_goes_before_a_like_one():
    files = ["images/a.png", "images/a_mask.png", "masks/a.png", "masks/a_mask.png"]
    assert pairs_of(*files) == {"images/a.png": ("masks/a.png",), "images/a_mask.png": ("masks/a_mask.png",)}


@pytest.mark.parametrize(
    ("stem", "rest"),
    [("t2_seg-manual", "t2"), ("img2d", "2d"), ("mask", "mask"), ("masked_man", "masked_man"), ("a_b_GT", "a_b")],
)
def test_bare(stem, rest):
    assert bare(stem) == rest


def test_folder(tmp_path):
    source = open_source(trees.make_folder(tmp_path, suffix="_seg"))
    assert source.layout == "folder"
    assert source.report == "folder: 6 pictures with masks, no splits."
    assert [item.name for item in source.items] == [f"picture_{n}" for n in range(6)]
    labels = choose_labels(source, DataConfig())
    assert labels.task.mode == "binary"
    for item, (picture, mask) in zip(source.items, trees.drawn(6), strict=True):
        assert np.array_equal(source.read_image(item).array, picture)
        assert np.array_equal(source.read_raw_mask(item), mask * 255)
        assert np.array_equal(read_mask(source, item, labels), mask)


@pytest.mark.parametrize("order", ["{split}/{kind}", "{kind}/{split}"])
def test_folder_with_splits(tmp_path, order):
    for seed, split in enumerate(("train", "val", "test")):
        images, masks = (order.format(split=split, kind=kind) for kind in ("images", "masks"))
        trees.make_folder(tmp_path, 2, images=images, masks=masks, seed=seed)
    source = open_source(tmp_path)
    assert sorted(item.split for item in source.items) == ["test", "test", "train", "train", "valid", "valid"]
    assert len({item.name for item in source.items}) == 6
    assert "split into" in source.report


def test_multilabel_folders(tmp_path):
    source = open_source(trees.make_nested_unet(tmp_path))
    labels = choose_labels(source, DataConfig())
    assert labels.task.mode == "multilabel"
    assert labels.task.classes == ("0", "1", "2")
    for item, (_, planes) in zip(source.items, trees.drawn(4, mode="multilabel"), strict=True):
        assert np.array_equal(read_mask(source, item, labels), planes)


def test_tiles_and_their_group(tmp_path):
    for x in (0, 256):
        trees.save(tmp_path / "images" / f"slide_7_x{x}_y0.png", np.zeros((8, 8, 3), np.uint8))
        trees.save(tmp_path / "masks" / f"slide_7_x{x}_y0.png", np.zeros((8, 8), np.uint8))
    assert {item.group for item in open_source(tmp_path).items} == {"slide_7"}


def test_slices_of_a_volume(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = np.random.default_rng(0).integers(0, 900, (20, 16, 12)).astype(np.int16)
    for name, array in (("t2", volume), ("t2_seg-manual", (volume > 500).astype(np.uint8))):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / f"{name}.nii.gz")
    (tmp_path / "LICENSE").write_text("MIT")
    counts = []
    for axis, slices in enumerate(volume.shape):
        source = open_source(tmp_path, axis=axis)
        assert len(source.items) == slices
        assert {item.group for item in source.items} == {"t2"}
        counts.append(sum(int(source.read_raw_mask(item).sum()) for item in source.items))
        for item in source.items[:3]:
            assert np.array_equal(source.read_image(item).array[..., 0] > 500, source.read_raw_mask(item) > 0)
    assert counts == [int((volume > 500).sum())] * 3


def test_stack_with_numbered_objects(tmp_path):
    rng = np.random.default_rng(0)
    objects = np.zeros((5, 64, 64), np.uint16)
    for number in range(81):
        row, column = divmod(number, 9)
        objects[:, row * 7 : row * 7 + 5, column * 7 : column * 7 + 5] = number + 1
    stack = (objects * 0 + 100 + 50 * (objects > 0) + rng.integers(0, 9, objects.shape)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "img3d.tif", stack)
    tifffile.imwrite(tmp_path / "mask3d.tif", objects)
    source = open_source(tmp_path)
    assert len(source.items) == 5
    labels = choose_labels(source, DataConfig())
    assert labels.objects
    assert labels.task.mode == "binary"
    assert np.array_equal(read_mask(source, source.items[2], labels), objects[2] > 0)
    assert source.read_image(source.items[2]).array.dtype == np.uint16


def test_isic2018(tmp_path):
    source = open_source(trees.make_isic2018(tmp_path / "ISIC" / "dataset"))
    assert source.layout == "isic2018"
    assert source.report == "isic2018: 10 pictures with masks, no splits."
    assert source.items[1].name == "ISIC_0000007"
    assert choose_labels(source, DataConfig()).task.classes == ("background", "lesion")
    assert open_source(tmp_path).root == source.root


def test_isic2018_split(tmp_path):
    source = open_source(trees.make_isic2018_split(tmp_path))
    assert source.layout == "isic2018"
    assert [item.split for item in source.items] == ["train"] * 5 + ["valid"] * 2 + ["test"] * 3


def test_dsb2018(tmp_path):
    root = trees.make_dsb2018(tmp_path)
    for path in (root, root / "stage1_train"):
        source = open_source(path)
        assert source.layout == "dsb2018"
        labels = choose_labels(source, DataConfig())
        for item, (picture, mask) in zip(source.items, trees.drawn(6), strict=True):
            assert np.array_equal(read_mask(source, item, labels), mask)
            assert np.array_equal(source.read_image(item).array[..., :3], picture)


@pytest.mark.parametrize("train_ids", [False, True])
def test_cityscapes(tmp_path, train_ids):
    source = open_source(trees.make_cityscapes(tmp_path, train_ids))
    assert source.layout == "cityscapes"
    assert [(item.split, item.group) for item in source.items] == [
        (split, city)
        for split, city in (("train", "aachen"), ("train", "bochum"), ("valid", "frankfurt"))
        for _ in "12"
    ]
    assert "2 test pictures have no public labels" in source.report
    assert source.items[0].masks[0].name.endswith("labelTrainIds.png") == train_ids
    labels = choose_labels(source, DataConfig())
    assert len(labels.task.classes) == 19
    ids = read_mask(source, source.items[0], labels)
    _, mask = trees.drawn(8, 128, "multiclass")[0]
    expected = np.array([0, 2, 13, 18])[mask[:64]]
    assert np.array_equal(ids[4:], expected[4:])
    assert np.all(ids[:4] == 255)


def test_every_layout_finds_its_own(tmp_path):
    made = {
        "folder": trees.make_folder(tmp_path / "folder"),
        "isic2018": trees.make_isic2018(tmp_path / "isic"),
        "dsb2018": trees.make_dsb2018(tmp_path / "dsb"),
        "cityscapes": trees.make_cityscapes(tmp_path / "cityscapes"),
        "shapes": "shapes",
    }
    assert set(made) == set(LAYOUTS)
    for layout, path in made.items():
        assert open_source(path).layout == layout
        assert open_source(path, layout).items == open_source(path).items


def test_a_folder_called_shapes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trees.make_folder(tmp_path / "shapes", 2)
    assert open_source("./shapes").layout == "folder"
    assert open_source("shapes").layout == "shapes"


def refused(path, **options):
    with pytest.raises(UserError) as error:
        open_source(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_mistakes_are_one_sentence(tmp_path):
    assert "no folder" in refused(tmp_path / "nowhere")
    assert "is empty" in refused(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing")
    assert "no picture" in refused(tmp_path)
    assert "is a file" in refused(tmp_path / "notes.txt")
    assert "Unknown layout 'coco'" in refused(tmp_path, layout="coco")
    assert "not laid out as dsb2018" in refused(tmp_path, layout="dsb2018")
    trees.make_folder(tmp_path, 5)
    assert "Unknown option of the folder layout 'axes'" in refused(tmp_path, axes=1)
    for path in (tmp_path / "masks").iterdir():
        path.unlink()
    said = refused(tmp_path)
    assert "5 pictures" in said
    assert "picture_0.png" in said
    assert "and 2 more" in said
    trees.make_folder(tmp_path / "other", 5)
    for path in (tmp_path / "other" / "images").iterdir():
        path.unlink()
    assert "5 masks" in refused(tmp_path / "other")


def test_nothing_matches(tmp_path):
    trees.make_folder(tmp_path, 3)
    for number, path in enumerate(sorted((tmp_path / "masks").iterdir())):
        path.rename(path.with_name(f"{'xyz'[number]}.png"))
    said = refused(tmp_path)
    assert "None of the 3 pictures" in said
    assert "among the 3 masks" in said


def test_a_few_without_partner_are_told_not_refused(tmp_path):
    trees.make_folder(tmp_path, 6)
    (tmp_path / "masks" / "picture_2.png").unlink()
    (tmp_path / "images" / "picture_4.png").unlink()
    source = open_source(tmp_path)
    assert len(source.items) == 4
    assert [path.name for path in source.images_alone] == ["picture_2.png"]
    assert [path.name for path in source.masks_alone] == ["picture_4.png"]
    assert "1 picture without a mask (picture_2.png), 1 mask without a picture (picture_4.png)" in source.report


def test_names_that_match_twice(tmp_path):
    trees.make_folder(tmp_path, 3)
    trees.save(tmp_path / "images" / "picture_1.jpg", np.zeros((8, 8, 3), np.uint8))
    said = refused(tmp_path)
    assert "match more than one way" in said
    assert "picture_1.jpg" in said


def test_volume_and_mask_of_other_lengths(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 16, 16), np.uint16))
    tifffile.imwrite(tmp_path / "a_mask.tif", np.zeros((4, 16, 16), np.uint8))
    assert "has 5 slices" in refused(tmp_path)

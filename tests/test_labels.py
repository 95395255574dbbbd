import numpy as np
import pytest
import trees

from workbench.config import DataConfig
from workbench.data.labels import choose_labels, complete_task, distinct, read_mask, to_class_ids
from workbench.data.layouts import open_source
from workbench.errors import UserError

SIZE = (24, 32)


def folder(root, *masks):
    for number, mask in enumerate(masks):
        trees.save(root / "images" / f"{number}.png", np.full((*SIZE, 3), number, np.uint8))
        trees.save(root / "masks" / f"{number}.png", mask)
    return open_source(root)


def stripes(*values, dtype=np.uint8):
    """A mask with a stripe of each value."""
    mask = np.zeros(SIZE, dtype)
    for number, value in enumerate(values):
        mask[:, number * 32 // len(values) : (number + 1) * 32 // len(values)] = value
    return mask


@pytest.mark.parametrize(
    ("values", "mode", "ids"),
    [
        ((0, 255), "binary", (0, 1)),
        ((0, 1), "binary", (0, 1)),
        ((0, 1, 2, 3), "multiclass", (0, 1, 2, 3)),
        ((0, 1, 2, 255), "multiclass", (0, 1, 2, 255)),
        ((0, 1, 255), "multiclass", (0, 1, 255)),
    ],
)
def test_what_works_by_itself(tmp_path, values, mode, ids):
    source = folder(tmp_path, stripes(*values), stripes(0))
    labels = choose_labels(source, DataConfig())
    assert labels.task.mode == mode
    assert np.array_equal(read_mask(source, source.items[0], labels), stripes(*ids))
    assert labels.report


def numbered(count, first=1):
    """A mask of separate objects, each with a number of its own."""
    mask = np.zeros(SIZE, np.uint8)
    for number in range(count):
        row, column = divmod(number, 8)
        mask[row * 3 : row * 3 + 2, column * 4 : column * 4 + 3] = number + first
    return mask


@pytest.mark.parametrize("counts", [(12, 30, 17, 40), (64,)])
def test_numbered_objects_are_foreground(tmp_path, counts):
    masks = [numbered(count) for count in counts]
    source = folder(tmp_path, *masks)
    labels = choose_labels(source, DataConfig())
    assert labels.objects
    assert labels.task.mode == "binary"
    assert np.array_equal(read_mask(source, source.items[0], labels), masks[0] > 0)


def test_organs_in_one_piece_are_classes(tmp_path):
    source = folder(tmp_path, *[numbered(13)] * 5, numbered(9))
    labels = choose_labels(source, DataConfig())
    assert labels.task.mode == "multiclass"
    assert len(labels.task.classes) == 14
    either = choose_labels(source, DataConfig(mode="binary"))
    assert np.array_equal(read_mask(source, source.items[0], either), numbered(13) > 0)


def test_soft_edges_are_no_objects_and_not_foreground(tmp_path):
    soft = np.linspace(0, 255, SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint8)
    source = folder(tmp_path, soft)
    for mode in ("auto", "binary"):
        with pytest.raises(UserError, match="unclear"):
            choose_labels(source, DataConfig(mode=mode))


def test_a_class_that_only_one_mask_has(tmp_path):
    source = folder(tmp_path, *[stripes(0, 1, 2)] * 60, stripes(0, 5))
    labels = choose_labels(source, DataConfig())
    rare = next(item for item in source.items if item.name == "60")
    assert np.array_equal(read_mask(source, rare, labels), stripes(0, 5))
    assert complete_task(labels, 6).classes == tuple(f"class {n}" for n in range(6))


@pytest.mark.parametrize("values", [(0, 100, 200), (7, 90, 255), (0, 1, 200)])
def test_what_is_not_clear_is_refused_with_the_values(tmp_path, values):
    source = folder(tmp_path, stripes(*values))
    with pytest.raises(UserError, match=r"unclear .*\b90\b|unclear .*200.*workbench data check"):
        choose_labels(source, DataConfig())


def test_masks_that_say_the_same_in_two_ways_are_refused(tmp_path):
    source = folder(tmp_path, stripes(0, 255), stripes(0, 1))
    with pytest.raises(UserError, match="unclear"):
        choose_labels(source, DataConfig())


def test_mapping_from_the_config(tmp_path):
    source = folder(tmp_path, stripes(0, 100, 200))
    labels = choose_labels(source, DataConfig(mask_values={0: 0, "100": 2, 200: 1}, classes=("a", "b", "c")))
    assert labels.task.classes == ("a", "b", "c")
    assert np.array_equal(read_mask(source, source.items[0], labels), stripes(0, 2, 1))


def test_unlisted_values_are_named(tmp_path):
    source = folder(tmp_path, stripes(0, 100, 203))
    config = DataConfig(mask_values={0: 0, 100: 1})
    with pytest.raises(UserError, match=r"mask of 0 holds the value 203.*workbench data check"):
        read_mask(source, source.items[0], choose_labels(source, config))
    snapping = choose_labels(source, config.model_copy(update={"snap_mask_values": True}))
    assert np.array_equal(read_mask(source, source.items[0], snapping), stripes(0, 1, 1))


def test_colours(tmp_path):
    red, green, black = (220, 20, 60), (0, 128, 0), (0, 0, 0)
    mask = np.zeros((*SIZE, 3), np.uint8)
    mask[:8], mask[8:16], mask[16:] = red, green, black
    source = folder(tmp_path, mask)
    with pytest.raises(UserError, match=r"unclear .*#dc143c"):
        choose_labels(source, DataConfig())
    mapping = {"#dc143c": 2, "#008000": 1, "#000000": 0}
    ids = read_mask(source, source.items[0], choose_labels(source, DataConfig(mask_values=mapping)))
    assert [int(ids[row, 0]) for row in (0, 8, 16)] == [2, 1, 0]
    near = mask + np.uint8([3, 4, 2])
    labels = choose_labels(source, DataConfig(mask_values=mapping, snap_mask_values=True))
    assert np.array_equal(to_class_ids(near, labels, "it"), ids)
    with pytest.raises(UserError, match="#df183e"):
        to_class_ids(near, choose_labels(source, DataConfig(mask_values=mapping)), "it")


def test_a_value_to_ignore(tmp_path):
    source = folder(tmp_path, stripes(0, 128, 255))
    labels = choose_labels(source, DataConfig(mask_values={0: 0, 255: 1, 128: 255}))
    assert labels.task.mode == "binary"
    assert np.array_equal(read_mask(source, source.items[0], labels), stripes(0, 255, 1))


def test_wrong_wishes_are_refused(tmp_path):
    source = folder(tmp_path, stripes(0, 1, 2))
    with pytest.raises(UserError, match="asks for a multilabel task"):
        choose_labels(source, DataConfig(mode="multilabel"))
    with pytest.raises(UserError, match="have 3 classes, but there are 2 names"):
        choose_labels(source, DataConfig(classes=("a", "b")))
    with pytest.raises(UserError, match="not 'red'"):
        choose_labels(source, DataConfig(mask_values={"red": 1}))


def test_a_binary_task_from_classes_is_any_of_them(tmp_path):
    source = folder(tmp_path, stripes(0, 1, 2))
    labels = choose_labels(source, DataConfig(mode="binary"))
    assert np.array_equal(read_mask(source, source.items[0], labels), stripes(0, 1, 1))


def test_distinct():
    assert distinct(np.array([[3, 0], [3, 255]], np.uint8)) == [0, 3, 255]
    assert distinct(np.array([[[0, 1, 2], [255, 0, 0]]], np.uint8)) == [0x000102, 0xFF0000]
    assert distinct(np.array([[-1, 70000]], np.int32)) == [-1, 70000]

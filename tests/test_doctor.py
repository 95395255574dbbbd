"""The doctor: every planted fault is found with exactly its files, and a clean set has none."""

import json
import re
import shutil

import cv2
import numpy as np
import pytest
import yaml
from break_dsb import BREAKS, break_all, build, draw_nuclei, write_sample
from PIL import Image

from workbench.cli import main
from workbench.config import DataConfig, Preprocessing, load_config
from workbench.data.doctor import check
from workbench.data.doctor.likeness import arranged, clusters, nearly_equal, seams
from workbench.data.doctor.look import look
from workbench.data.doctor.page import as_html
from workbench.data.labels import choose_labels, read_mask
from workbench.data.layouts import open_source
from workbench.data.splits import Splits, read_groups, split_by_fractions, write_groups
from workbench.errors import UserError


def codes(report, *severities):
    return {finding.code for finding in report.findings if not severities or finding.severity in severities}


def one(report, code):
    (found,) = [finding for finding in report.findings if finding.code == code]
    return found


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    planted = break_all(folder)
    return folder, planted, check(folder, workers=1)


@pytest.mark.parametrize("code", BREAKS)
def test_each_fault_alone_is_found_with_exactly_its_files(clean, tmp_path, code):
    folder = tmp_path / "data"
    shutil.copytree(clean, folder)
    planted = BREAKS[code](folder)
    report = check(folder, workers=1)
    assert set(one(report, code).files) == set(planted)
    assert codes(report, "error", "warning") <= {code}


@pytest.mark.parametrize("code", BREAKS)
def test_all_faults_at_once_do_not_hide_each_other(broken, code):
    _, planted, report = broken
    assert set(one(report, code).files) == set(planted[code])


def test_nothing_else_is_found(broken):
    _, planted, report = broken
    assert codes(report, "error", "warning") | {"empty_masks"} == set(planted)


def test_a_clean_set_has_no_fault(clean):
    report = check(clean, workers=1)
    assert codes(report) == {"zero_255"}
    assert report.refusal == ""
    assert report.mends == ()


def test_every_finding_tells_what_it_does_and_how_to_mend_it(broken):
    _, _, report = broken
    for finding in report.findings:
        assert finding.title.endswith((".", ")"))
        assert finding.severity == "note" or (finding.explanation and (finding.advice or finding.mend))
        for illustration in finding.illustrations:
            assert all(p.dtype == np.uint8 and p.ndim == 3 and p.shape[2] == 3 for p in illustration.pictures)
    with_mends = [finding for finding in report.mends if finding.code in ("soft_edges", "soft_masks", "mask_colours")]
    assert len(with_mends) == 3
    assert all(len(finding.illustrations[0].pictures) == 3 for finding in with_mends)  # picture, before, after


def test_the_mends_make_masks_readable_as_they_were_meant(clean, broken):
    folder, planted, report = broken
    config = report.mended(DataConfig(path=str(folder)))
    source = open_source(folder)
    labels = choose_labels(source, config)
    meant = open_source(clean)
    items = {item.name: item for item in source.items}
    for code in ("soft_edges", "mask_colours"):
        for name in planted[code]:
            mask = read_mask(source, items[name], labels)
            truth = next(item for item in meant.items if item.name == name)
            expected = meant.read_raw_mask(truth) > 0
            assert set(np.unique(mask)) <= {0, 1}
            assert (mask == expected).mean() > 0.97


def test_0_and_1_among_0_and_255_are_mapped_only_where_nothing_is_snapped(clean, tmp_path, broken):
    folder = tmp_path / "data"
    shutil.copytree(clean, folder)
    BREAKS["odd_values"](folder)
    alone = check(folder, workers=1)
    assert alone.mended(DataConfig()).mask_values == {0: 0, 255: 1, 1: 1}
    assert one(broken[2], "odd_values").mend is None  # snapping would turn its 1 into background without a word


def test_after_the_mends_the_doctor_is_content(clean, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(clean, folder)
    for code in ("soft_edges", "mask_colours", "tiles", "near_duplicates"):
        BREAKS[code](folder)
    config = DataConfig(path=str(folder))
    report = check(config, workers=1)
    assert len(report.mends) == 4
    again = check(report.write_mends(config, tmp_path / "config.yaml"), workers=1)
    assert codes(again, "error", "warning") == set()
    groups = json.loads((tmp_path / "config.groups.json").read_text())
    assert len({groups[name] for name in ("cell_16", "cell_17", "cell_18", "cell_19")}) == 1


def _save(folder, name, mask, suffix="png", **options):
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(folder / "masks" / f"{name}.{suffix}", **options)


def _rewritten(tmp_path, change, suffix="png", count=12, **options):
    """A set whose masks are all changed alike."""
    folder = tmp_path / "data"
    for number in range(count):
        image, mask = draw_nuclei(np.random.default_rng(number))
        write_sample(folder, f"cell_{number:02d}", image, mask)
        (folder / "masks" / f"cell_{number:02d}.png").unlink()
        _save(folder, f"cell_{number:02d}", change(mask > 0), suffix, **options)
    return folder


def _colours(mask):
    colours = np.array([[255, 255, 255], [0, 0, 200]], np.uint8)
    return colours[mask.astype(int)]


@pytest.mark.parametrize(
    ("change", "suffix", "code", "values"),
    [
        (lambda m: (m * 255).astype(np.uint8), "jpg", "soft_edges", {0: 0, 255: 1}),
        (_colours, "png", "mask_colours", {"#ffffff": 0, "#0000c8": 1}),
        (lambda m: np.dstack([m * 255] * 3).astype(np.uint8), "png", "mask_colours", {"#000000": 0, "#ffffff": 1}),
        (lambda m: (m + 1).astype(np.uint8), "png", "off_by_one", {1: 0, 2: 1}),
        (lambda m: (m * 128).astype(np.uint8), "png", "odd_values", {0: 0, 128: 1}),
    ],
)
def test_a_whole_set_of_other_values_is_mended(tmp_path, change, suffix, code, values):
    folder = _rewritten(tmp_path, change, suffix)
    report = check(folder, workers=1)
    found = one(report, code)
    assert found.count == 12
    config = report.mended(DataConfig(path=str(folder)))
    assert config.mask_values == values
    source = open_source(folder)
    labels = choose_labels(source, config)
    for number, item in enumerate(source.items):
        _, mask = draw_nuclei(np.random.default_rng(number))
        assert (read_mask(source, item, labels) == (mask > 0)).mean() > 0.99
    assert codes(check(config, workers=1), "error", "warning") == set()


def test_class_ids_with_pixels_to_ignore_are_no_fault(tmp_path):
    def change(mask):
        ids = mask.astype(np.uint8)
        ids[:, 48:] *= 3
        ids[:4] = 255
        return ids

    report = check(_rewritten(tmp_path, change), workers=1)
    assert codes(report, "error") == set()
    assert one(report, "ignored").severity == "note"
    assert "class 2" in one(report, "missing_classes").title


def test_one_mask_of_ids_one_too_high_is_found(tmp_path):
    folder = _rewritten(tmp_path, lambda mask: mask.astype(np.uint8) + 2 * np.eye(96, dtype=bool).astype(np.uint8))
    path = folder / "masks" / "cell_05.png"
    Image.fromarray(np.asarray(Image.open(path)) + 1).save(path)
    report = check(folder, workers=1)
    assert one(report, "off_by_one").files == ("cell_05",)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda mask: mask.astype(np.uint8) * 0, "nothing_marked"),
        (lambda mask: mask.astype(np.uint8) * 0 + 255, "one_class"),
    ],
)
def test_it_refuses_where_nothing_can_be_learned(tmp_path, change, code):
    folder = _rewritten(tmp_path, change)
    report = check(folder, workers=1)
    assert one(report, code).severity == "error"
    assert one(report, code).title in report.refusal


def test_only_ignored_pixels_are_refused(tmp_path):
    folder = _rewritten(tmp_path, lambda mask: np.full(mask.shape, 255, np.uint8))
    config = DataConfig(path=str(folder), mask_values={0: 0, 1: 1, 255: 255})
    report = check(config, workers=1)
    assert one(report, "only_ignored").title in report.refusal


def test_nan_in_a_picture_is_refused(tmp_path):
    import tifffile

    folder = _rewritten(tmp_path, lambda mask: mask.astype(np.uint8))
    (folder / "images" / "cell_03.png").unlink()
    picture = np.full((96, 96), 0.5, np.float32)
    picture[4, 4] = np.nan
    tifffile.imwrite(folder / "images" / "cell_03.tif", picture)
    report = check(folder, workers=1)
    assert one(report, "not_finite").files == ("cell_03",)
    assert "nan" in report.refusal


def test_dim_16_bit_pictures_are_scaled_by_the_mend(tmp_path):
    folder = tmp_path / "data"
    for number in range(10):
        image, mask = draw_nuclei(np.random.default_rng(number))
        write_sample(folder, f"cell_{number}", image[:, :, 0].astype(np.uint16) * 4, mask)
    as_stored = DataConfig(path=str(folder), preprocessing=Preprocessing(intensity="unit"))
    report = check(as_stored, workers=1)
    assert one(report, "dim_pictures").count == 10
    assert len(one(report, "dim_pictures").illustrations[0].pictures) == 2
    config = report.mended(as_stored)
    assert config.preprocessing.intensity == "percentile"
    assert codes(check(config, workers=1), "error", "warning") == set()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_synthetic_pictures_of_all_tasks_have_no_fault(kind, difficulty):
    report = check(open_source(f"shapes:{kind}", count=60, size=64, difficulty=difficulty), workers=1)
    assert codes(report, "error", "warning") == set()
    assert report.summary.mode == kind


def test_masks_of_a_file_a_class_are_no_fault(tmp_path):
    for number in range(8):
        image, mask = draw_nuclei(np.random.default_rng(number))
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "images" / f"p{number}.png")
        for plane in (0, 1):
            (tmp_path / "masks" / str(plane)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.roll(mask, 9 * plane)).save(tmp_path / "masks" / str(plane) / f"p{number}.png")
    report = check(tmp_path, workers=1)
    assert codes(report, "error", "warning") == set()
    assert report.summary.mode == "multilabel"


def test_slices_of_a_stack_are_not_taken_for_copies_of_each_other(tmp_path):
    import tifffile

    image, mask = draw_nuclei(np.random.default_rng(0))
    noise = np.random.default_rng(1).normal(0, 1, (6, 96, 96))
    stack = np.clip(image[None, :, :, 0] + noise, 0, 255).astype(np.uint8)
    tifffile.imwrite(tmp_path / "volume.tif", stack)
    tifffile.imwrite(tmp_path / "volume_mask.tif", np.repeat((mask > 0)[None].astype(np.uint8), 6, 0))
    report = check(tmp_path, workers=1)
    assert report.summary.pictures == 6
    assert codes(report, "error", "warning") == set()


def test_copies_and_tiles_across_the_layouts_own_splits_are_leaks(tmp_path):
    for split, numbers in (("train", range(20)), ("val", range(20, 26)), ("test", range(26, 32))):
        for number in numbers:
            write_sample(tmp_path / split, f"cell_{number:02d}", *draw_nuclei(np.random.default_rng(number)))
    image, mask = draw_nuclei(np.random.default_rng(99), 96, 192)
    write_sample(tmp_path / "train", "west", image[:, :96], mask[:, :96])
    write_sample(tmp_path / "test", "east", image[:, 96:], mask[:, 96:])
    shutil.copy(tmp_path / "train/images/cell_03.png", tmp_path / "val/images/cell_20.png")
    report = check(tmp_path, workers=1)
    leaks = one(report, "leaks")
    assert set(leaks.files) == {"west", "east", "cell_03", "cell_20"}
    config = report.write_mends(DataConfig(path=str(tmp_path)), tmp_path / "c.yaml")
    again = check(config, workers=1)
    assert "leaks" not in codes(again)
    assert again.summary.splits == {"train": 23, "valid": 5, "test": 6}


def test_several_processes_find_the_same_and_tell_progress(broken):
    folder, _, report = broken
    seen = []
    again = check(folder, progress=lambda done, total: seen.append((done, total)), workers=2)
    assert again.as_text() == report.as_text()
    assert seen == [(number, 42) for number in range(1, 43)]


def test_a_set_worth_processes_is_read_by_them(tmp_path):
    folder = tmp_path / "many"
    build(folder, count=60)
    assert check(folder, workers=2).as_json() == check(folder, workers=1).as_json()


def test_near_copies_are_found_whatever_was_done_to_them_and_nothing_else():
    pictures = [draw_nuclei(np.random.default_rng(number), 160, 200)[0] for number in range(30)]

    def small(picture):
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)

    changes = [
        lambda p: cv2.resize(p, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA),
        lambda p: cv2.GaussianBlur(p, (0, 0), 1.5),
        lambda p: np.clip(p * 0.7 + 10, 0, 255).astype(np.uint8),
        lambda p: np.rot90(p).copy(),
        lambda p: p[::-1].copy(),
        lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1),
    ]
    changed = [change(pictures[number]) for number, change in enumerate(changes)]
    thumbnails = np.stack([small(picture) for picture in [*pictures, *changed]])
    assert nearly_equal(thumbnails) == [(number, 30 + number) for number in range(len(changes))]
    flat = np.full((5, 32, 32), 7.0)
    assert nearly_equal(flat) == []


def test_seams_are_found_among_strangers(tmp_path):
    large, mask = draw_nuclei(np.random.default_rng(5), 192, 288)
    for number in range(6):
        part = np.s_[number // 3 * 96 :, number % 3 * 96 :]
        write_sample(tmp_path, f"tile{number}", large[part][:96, :96], mask[part][:96, :96])
    build(tmp_path, count=30)
    source = open_source(tmp_path)
    names = [item.name for item in source.items]
    borders = np.stack([look(source, item).picture.borders for item in source.items])
    found = {frozenset((names[seam.one], names[seam.other])) for seam in seams(borders)}
    true = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
    assert found <= {frozenset((f"tile{a}", f"tile{b}")) for a, b in true}
    assert len(found) >= 6
    tiles = [number for number, name in enumerate(names) if name.startswith("tile")]
    assert arranged(borders[tiles]) == {number: (number // 3, number % 3) for number in range(6)}


def test_strangers_have_no_seams():
    source = open_source("shapes", count=300, size=64)
    assert seams(np.stack([look(source, item).picture.borders for item in source.items])) == []


def test_clusters_join_what_is_joined_by_way_of_others():
    assert clusters([("a", "b"), ("c", "d"), ("b", "e")]) == [["a", "b", "e"], ["c", "d"]]


def test_the_page_needs_nothing_else_and_escapes_names(tmp_path):
    build(tmp_path, count=8)
    name = "<script>alert('x')&"
    shutil.copy(tmp_path / "images" / "cell_00.png", tmp_path / "images" / f"{name}.png")
    page = as_html(check(tmp_path, workers=1))
    assert name not in page
    assert "&lt;script&gt;alert" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "data:image/" in page
    assert len(page) < 500_000


def test_the_command_writes_what_it_is_asked_to(tmp_path, capsys):
    folder = tmp_path / "data"
    build(folder, count=30)
    BREAKS["soft_edges"](folder)
    files = {kind: tmp_path / f"out.{kind}" for kind in ("json", "html", "yaml")}
    words = ["data", "check", str(folder), "--workers", "1"]
    with pytest.raises(SystemExit, match="1"):  # 2 of 30 are more than one in twenty
        main(words)
    told = capsys.readouterr()
    assert "soft edges" in told.out
    assert "--fix mends it" in told.err
    options = [
        word
        for kind, option in (("json", "--json"), ("html", "--html"), ("yaml", "--fix"))
        for word in (option, str(files[kind]))
    ]
    assert main([*words, *options]) == 0
    report = json.loads(files["json"].read_text())
    assert [f["files"] for f in report["findings"] if f["code"] == "soft_edges"] == [["cell_01", "cell_02"]]
    assert report["summary"]["pictures"] == 30
    assert files["html"].read_text().startswith("<!DOCTYPE html>")
    config = load_config(files["yaml"])
    assert config.data.snap_mask_values
    assert main(["data", "check", str(files["yaml"]), "--workers", "1"]) == 0


def test_a_configuration_that_is_there_keeps_its_other_knobs(tmp_path):
    folder = tmp_path / "data"
    build(folder, count=20)
    BREAKS["soft_edges"](folder)
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"training": {"epochs": 7}, "data": {"augmentation": "isic2018"}}))
    main(["data", "check", str(folder), "--fix", str(file), "--workers", "1"])
    config = load_config(file)
    assert (config.training.epochs, config.data.augmentation, config.data.path) == (7, "isic2018", str(folder))
    assert config.data.mask_values == {0: 0, 255: 1}


def test_a_file_that_cannot_be_written_is_told_before_the_work(tmp_path, capsys):
    assert main(["data", "check", "shapes", "--html", str(tmp_path / "no" / "page.html")]) == 2
    assert "There is no folder" in capsys.readouterr().err


def test_groups_there_and_back_and_kept_together(tmp_path):
    names = [f"p{number}" for number in range(40)]
    groups = {name: f"g{number // 5}" for number, name in enumerate(names)}
    write_groups(tmp_path / "groups.json", groups)
    read = read_groups(tmp_path / "groups.json", names[:20])
    assert read == {name: groups[name] for name in names[:20]}
    splits = split_by_fractions(names, groups=groups)
    assert isinstance(splits, Splits)
    for part in splits:
        assert all(groups[name] not in {groups[n] for other in splits if other != part for n in other} for name in part)
    with pytest.raises(UserError, match="names none of the pictures"):
        read_groups(tmp_path / "groups.json", ["other"])
    with pytest.raises(UserError, match="no group file"):
        read_groups(tmp_path / "no.json", names)
    (tmp_path / "bad.json").write_text("[1]")
    with pytest.raises(UserError, match="mapping"):
        read_groups(tmp_path / "bad.json", names)


def test_mends_of_one_group_of_knobs_do_not_undo_each_other(tmp_path):
    import tifffile

    for number in range(12):
        image, mask = draw_nuclei(np.random.default_rng(number))
        four = np.dstack([image, image[:, :, :2]]).astype(np.uint16) * 4
        write_sample(tmp_path, f"cell_{number}", image, mask)
        (tmp_path / "images" / f"cell_{number}.png").unlink()
        tifffile.imwrite(
            tmp_path / "images" / f"cell_{number}.tif", four, photometric="minisblack", planarconfig="contig"
        )
    as_stored = DataConfig(path=str(tmp_path), preprocessing=Preprocessing(intensity="unit"))
    report = check(as_stored, workers=1)
    assert {"channels", "dim_pictures"} <= codes(report)
    preprocessing = report.mended(as_stored).preprocessing
    assert (preprocessing.channels, preprocessing.intensity) == ("as_is", "percentile")

"""Writers: read back by other libraries (Pillow, tifffile, pycocotools, shapely, nibabel, pydicom), the same pixels."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import nibabel
import numpy as np
import pydicom
import pytest
import shapely
import tifffile
from PIL import Image
from predicting import TASKS, made_up, noise, predictor
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO

from workbench.config import Preprocessing
from workbench.data.reading import read_facts, read_labels, read_picture
from workbench.errors import UserError
from workbench.inference.measure import find_objects, measure_objects
from workbench.inference.prediction import Origin
from workbench.inference.writers import FORMATS, check_formats
from workbench.inference.writers.coco import compress
from workbench.inference.writers.files import replacing, words
from workbench.inference.writers.streamed import LAYERS, write_stream
from workbench.overlays import palette

every_mode = pytest.mark.parametrize("mode", TASKS)


def write(name, prediction, out, base="cells"):
    """The files of one format, per picture and in the end."""
    writer = FORMATS[name].open(out)
    return [*writer.add(prediction, out / base), *writer.finish()]


def planes_of(prediction):
    return prediction.labels.reshape(-1, *prediction.size)


@every_mode
def test_label_png_has_ids_colours_and_names(mode, tmp_path):
    prediction = made_up(mode)
    paths = write("label", prediction, tmp_path)
    task = prediction.task
    for number, (path, plane) in enumerate(zip(paths, planes_of(prediction), strict=True)):
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), plane)
            names = json.loads(image.text["classes"])
            colours = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(read_labels(path), plane)
        if mode == "multilabel":
            assert names == {"1": task.classes[number]}
            assert path.name == f"cells_label_{task.classes[number]}.png"
            assert (colours[plane == 1] == palette(task)[number]).all()
        else:
            assert names == {str(i): name for i, name in enumerate(task.classes)}
            np.testing.assert_array_equal(colours, palette(task)[plane])


@every_mode
def test_sixteen_bit_labels_with_the_pixel_size(mode, tmp_path):
    prediction = made_up(mode, spacing=(0.5, 0.25))
    (path,) = write("tiff16", prediction, tmp_path)
    pages = tifffile.imread(path).reshape(-1, *prediction.size)
    assert pages.dtype == np.uint16
    np.testing.assert_array_equal(pages, planes_of(prediction))
    assert read_facts(path).spacing == pytest.approx((0.5, 0.25))


@every_mode
def test_object_numbers_are_those_of_the_table(mode, tmp_path):
    prediction = made_up(mode)
    (path,) = write("objects", prediction, tmp_path)
    pages = tifffile.imread(path).reshape(-1, *prediction.size)
    names = list(prediction.task.foreground.values())
    assert len(pages) == len(names)
    for row in measure_objects(prediction):
        assert (pages[names.index(row.class_name)] == row.object).sum() == row.area_px


@every_mode
def test_probabilities_in_16_bits(mode, tmp_path):
    prediction = made_up(mode)
    (path,) = write("probability", prediction, tmp_path)
    pages = tifffile.imread(path).reshape(-1, *prediction.size)
    np.testing.assert_allclose(pages / 65535, prediction.probabilities, atol=1e-5)
    with tifffile.TiffFile(path) as tiff:
        assert tuple(page.description for page in tiff.pages) == prediction.task.scored


def test_uncertainty_has_a_page_more_with_augmentation(tmp_path):
    prediction = made_up("multiclass")
    (path,) = write("uncertainty", prediction, tmp_path)
    np.testing.assert_allclose(tifffile.imread(path), prediction.entropy, atol=1e-6)
    augmented = replace(prediction, deviation=prediction.probabilities[0] / 9)
    (path,) = write("uncertainty", augmented, tmp_path)
    np.testing.assert_allclose(tifffile.imread(path)[1], augmented.deviation)


def test_overlay_and_attention_are_pictures_of_the_same_size(tmp_path):
    prediction = made_up("binary")
    for path in (*write("overlay", prediction, tmp_path), *write("attention", prediction, tmp_path)):
        with Image.open(path) as image:
            assert image.size == (80, 60)
            assert image.mode == "RGB"
            assert ("attention" in path.name) == (image.text.get("scale") == "0 to 1")
    without = replace(prediction, attention={})
    with pytest.raises(UserError, match="gates"):
        write("attention", without, tmp_path)


@every_mode
def test_coco_runs_decode_to_the_same_pixels(mode, tmp_path):
    prediction = made_up(mode)
    (path,) = write("rle", prediction, tmp_path)
    coco = COCO(path)
    names = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
    assert list(names.values()) == list(prediction.task.foreground.values())
    for number, name in prediction.task.foreground.items():
        expected = planes_of(prediction)[number] if mode == "multilabel" else prediction.labels == number
        (category,) = (key for key, value in names.items() if value == name)
        annotations = coco.loadAnns(coco.getAnnIds(catIds=[category]))
        masks = [coco_masks.decode(annotation["segmentation"]) for annotation in annotations]
        np.testing.assert_array_equal(np.sum(masks, axis=0), expected)
        for annotation, mask in zip(annotations, masks, strict=True):
            rle = coco_masks.encode(np.asfortranarray(mask))
            assert annotation["segmentation"]["counts"] == rle["counts"].decode()
            assert annotation["bbox"] == coco_masks.toBbox(rle).tolist()
            assert annotation["area"] == mask.sum()


def test_long_and_short_runs_as_pycocotools_has_them():
    rng = np.random.default_rng(0)
    for share in (0.0, 0.01, 0.5, 1.0):
        mask = np.asfortranarray(rng.random((700, 900)) < share).astype(np.uint8)
        flat = mask.ravel(order="F")
        starts = np.flatnonzero(np.diff(flat, prepend=flat[:1])).tolist()
        counts = np.diff([0, *starts, flat.size]).tolist()
        counts = [0, *counts] if flat[0] else counts
        assert compress(counts) == coco_masks.encode(mask)["counts"].decode()


@every_mode
def test_geojson_polygons_fill_to_the_same_pixels(mode, tmp_path):
    prediction = made_up(mode)
    prediction.labels[..., 10:30, 10:30] = 1
    prediction.labels[..., 15:20, 12:20] = 0
    (path,) = write("geojson", prediction, tmp_path)
    found = json.loads(path.read_text())
    assert found["type"] == "FeatureCollection"
    y, x = np.mgrid[:60, :80] + 0.5
    filled = {name: np.zeros((60, 80), int) for name in prediction.task.foreground.values()}
    holes = 0
    for feature in found["features"]:
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert shape.is_valid
        holes += sum(len(part.interiors) for part in getattr(shape, "geoms", [shape]))
        properties = feature["properties"]
        assert properties["objectType"] == "annotation"
        assert len(properties["classification"]["color"]) == 3
        filled[properties["classification"]["name"]] += shapely.contains_xy(shape, x, y)
    for number, name in prediction.task.foreground.items():
        expected = planes_of(prediction)[number] if mode == "multilabel" else prediction.labels == number
        np.testing.assert_array_equal(filled[name], expected)
    assert len(found["features"]) == sum(len(objects.facts) for objects in find_objects(prediction))
    assert holes > 0


@every_mode
def test_tables(mode, tmp_path):
    writer = FORMATS["csv"].open(tmp_path)
    pictures = {"sub/one": made_up(mode, seed=1), "two": made_up(mode, seed=2, spacing=(0.5, 0.5))}
    for name, prediction in pictures.items():
        assert writer.add(prediction, tmp_path / name) == []
    objects, summary = writer.finish()
    rows = list(csv.DictReader(objects.open()))
    assert {row["picture"] for row in rows} == set(pictures)
    for name, prediction in pictures.items():
        own = [row for row in rows if row["picture"] == name]
        expected = measure_objects(prediction)
        assert [int(row["area_px"]) for row in own] == [one.area_px for one in expected]
        assert [row["class"] for row in own] == [one.class_name for one in expected]
        assert (own[0]["area_mm2"] == "") == (name == "sub/one")
    assert len(list(csv.DictReader(summary.open()))) == 2 * len(prediction.task.foreground)


def test_a_class_name_makes_a_file_name_of_its_own():
    assert words(["CD3+", "CD3-", "a/b", "a b", "A?b", "..", "Zelle ä"]) == [
        *("CD3+", "CD3-", "a_b", "a_b_3", "A_b_4", "class", "Zelle_ä")
    ]


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "a.txt"

    def fail():
        with replacing(path) as part:
            part.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(path.parent.iterdir()) == []
    with replacing(path) as part:
        part.write_text("whole")
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]
    with pytest.raises(UserError, match="cannot be written"), replacing(path / "below.txt") as part:
        part.write_text("")


def test_unknown_formats_are_answered_with_the_known_ones():
    with pytest.raises(UserError, match="geojson"):
        check_formats(["label", "jpeg"])


class TestNifti:
    """Labels on the voxels of the source, whichever way it lies."""

    AFFINES = (
        np.diag([1.0, 2.0, 3.0, 1]),
        np.diag([-1.0, -2.0, 3.0, 1]),
        np.array([[0, 0, 3.0, 5], [-1.0, 0, 0, 7], [0, -2.0, 0, 1], [0, 0, 0, 1]]),
    )

    def source(self, path, affine, kind=nibabel.Nifti1Image):
        values = np.random.default_rng(0).integers(0, 200, (9, 8, 7)).astype(np.int16)
        nibabel.save(kind(values, affine), path)
        return values

    @pytest.mark.parametrize("affine", AFFINES)
    @pytest.mark.parametrize("axis", [None, 0, 1, 2])
    def test_a_threshold_comes_back_on_the_same_voxels(self, affine, axis, tmp_path):
        path = tmp_path / "in.nii.gz"
        values = self.source(path, affine)
        writer, written = FORMATS["nifti"].open(tmp_path), []
        slices = read_facts(path, axis=axis).slices
        for index in reversed(range(slices)):
            array, facts = read_picture(path, index=index, axis=axis)
            labels = (array[..., 0] > 100).astype(np.uint8)
            prediction = replace(
                made_up("binary"), labels=labels, facts=facts, origin=Origin(path, index, axis), name="in"
            )
            assert written == []
            written = writer.add(prediction, tmp_path / "in")
        (label,) = written
        found = nibabel.load(label)
        np.testing.assert_array_equal(np.asarray(found.dataobj), values > 100)
        np.testing.assert_array_equal(found.affine, nibabel.load(path).affine)
        assert found.get_data_dtype() == np.uint8
        assert label.name == "in_label.nii.gz"

    def test_overlapping_classes_are_volumes(self, tmp_path):
        path = tmp_path / "in.nii"
        self.source(path, self.AFFINES[1], nibabel.Nifti2Image)
        measured = Preprocessing(resize="none", intensity="zscore")
        predict, writer = predictor(mode="multilabel", preprocessing=measured), FORMATS["nifti"].open(tmp_path)
        predictions = [predict(path, index=index) for index in range(7)]
        written = [writer.add(prediction, tmp_path / "in") for prediction in predictions][-1]
        found = nibabel.load(written[0])
        assert found.shape == (9, 8, 7, 3)
        for index, prediction in enumerate(predictions):
            np.testing.assert_array_equal(
                read_picture(written[0], index=index).array.transpose(2, 0, 1), prediction.labels
            )


class TestDicom:
    """A segmentation object that other programs lay on the picture."""

    def source(self, path, frames=1):
        from pydicom.dataset import FileDataset, FileMetaDataset
        from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
        meta.MediaStorageSOPInstanceUID = generate_uid()
        picture = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        for keyword, value in {
            "SOPClassUID": CTImageStorage,
            "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
            "StudyInstanceUID": generate_uid(),
            "SeriesInstanceUID": generate_uid(),
            "FrameOfReferenceUID": generate_uid(),
            "PatientName": "Somebody",
            "PatientID": "7",
            "Modality": "CT",
            "Rows": 60,
            "Columns": 80,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 16,
            "BitsStored": 16,
            "HighBit": 15,
            "PixelRepresentation": 1,
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "PixelSpacing": [0.5, 0.25],
            "SliceThickness": 2,
            "ImagePositionPatient": [1, 2, 3],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        }.items():
            setattr(picture, keyword, value)
        if frames > 1:
            picture.NumberOfFrames = frames
        picture.PixelData = np.random.default_rng(0).integers(0, 2000, (frames, 60, 80)).astype("<i2").tobytes()
        picture.save_as(path, enforce_file_format=True)
        return picture

    @every_mode
    def test_segments_hold_the_same_pixels_on_the_same_place(self, mode, tmp_path):
        path = tmp_path / "in.dcm"
        picture = self.source(path)
        prediction = replace(made_up(mode), facts=read_facts(path), origin=Origin(path, 0, None), name="in")
        (written,) = write("dicom", prediction, tmp_path, "in")
        seg = pydicom.dcmread(written)
        assert seg.Modality == "SEG"
        assert (seg.PatientID, seg.StudyInstanceUID) == ("7", picture.StudyInstanceUID)
        assert seg.FrameOfReferenceUID == picture.FrameOfReferenceUID
        names = {segment.SegmentNumber: segment.SegmentLabel for segment in seg.SegmentSequence}
        assert list(names.values()) == list(prediction.task.foreground.values())
        pixels = seg.pixel_array.reshape(-1, 60, 80)
        assert len(pixels) == len(seg.PerFrameFunctionalGroupsSequence) == seg.NumberOfFrames
        for plane, groups in zip(pixels, seg.PerFrameFunctionalGroupsSequence, strict=True):
            name = names[groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
            (number,) = (key for key, value in prediction.task.foreground.items() if value == name)
            expected = planes_of(prediction)[number] if mode == "multilabel" else prediction.labels == number
            np.testing.assert_array_equal(plane, expected)
            assert groups.PlanePositionSequence[0].ImagePositionPatient == [1, 2, 3]
            assert groups.PixelMeasuresSequence[0].PixelSpacing == [0.5, 0.25]
            source = groups.DerivationImageSequence[0].SourceImageSequence[0]
            assert source.ReferencedSOPInstanceUID == picture.SOPInstanceUID
            assert source.SpatialLocationsPreserved == "YES"
            for dimension in seg.DimensionIndexSequence:
                assert dimension.DimensionIndexPointer in groups[dimension.FunctionalGroupPointer][0]

    def test_frames_that_are_empty_are_left_out(self, tmp_path):
        path = tmp_path / "in.dcm"
        self.source(path, frames=3)
        writer = FORMATS["dicom"].open(tmp_path)
        labels = np.zeros((3, 60, 80), np.uint8)
        labels[2, 10:20, 30:33] = 1
        for index in range(3):
            facts = read_facts(path, index=index)
            prediction = replace(
                made_up("binary"), labels=labels[index], facts=facts, origin=Origin(path, index, None), name="in"
            )
            written = writer.add(prediction, tmp_path / "in")
        seg = pydicom.dcmread(written[0])
        assert seg.NumberOfFrames == 1
        np.testing.assert_array_equal(seg.pixel_array, labels[2])
        (groups,) = seg.PerFrameFunctionalGroupsSequence
        assert groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber == 3

    def test_nothing_found_is_one_empty_frame(self, tmp_path):
        path = tmp_path / "in.dcm"
        self.source(path)
        prediction = replace(
            made_up("binary"),
            labels=np.zeros((60, 80), np.uint8),
            facts=read_facts(path),
            origin=Origin(path, 0, None),
        )
        (written,) = write("dicom", prediction, tmp_path, "in")
        assert not pydicom.dcmread(written).pixel_array.any()


@pytest.mark.parametrize("name", ["nifti", "dicom"])
def test_a_picture_that_is_no_volume_is_told(name, tmp_path):
    with pytest.raises(UserError, match="write label instead"):
        write(name, made_up("binary"), tmp_path)


class TestStreamed:
    """Large pictures, row by row."""

    @every_mode
    def test_the_same_as_the_whole(self, mode, tmp_path):
        source = tmp_path / "large.tif"
        tifffile.imwrite(
            source, noise(600, 700), tile=(64, 64), photometric="rgb", resolution=(20, 10), resolutionunit=3
        )
        predict = predictor(mode=mode, tile=400)
        whole = predict(source)
        with predict.stream(source) as stream:
            paths = write_stream(stream, predict.task, tmp_path / "large", list(LAYERS))
        assert {path.name for path in tmp_path.iterdir()} == {path.name for path in [source, *paths]}
        found = {path.name.removeprefix("large_").removesuffix(".tif"): path for path in paths}
        for name, path in found.items():
            kind, _, rest = name.partition("_")
            pixels = tifffile.imread(path)
            number = predict.task.scored.index(rest) if rest else 0
            if kind == "probability":
                np.testing.assert_allclose(pixels / 65535, whole.probabilities[number], atol=1e-4)
            else:
                np.testing.assert_array_equal(pixels, planes_of(whole)[number])
            assert read_facts(path).spacing == pytest.approx((1.0, 0.5))
        if mode != "multilabel":
            np.testing.assert_array_equal(read_labels(found["label"]), whole.labels)
            shown = read_picture(found["label"]).array
            np.testing.assert_array_equal(shown, palette(predict.task)[whole.labels])

    def test_what_was_not_finished_is_not_there(self, tmp_path):
        source = tmp_path / "large.tif"
        tifffile.imwrite(source, noise(600, 300), tile=(64, 64), photometric="rgb")

        def stop(done, total):
            if done == total:
                raise KeyboardInterrupt

        predict = predictor(tile=400)
        with pytest.raises(KeyboardInterrupt), predict.stream(source, progress=stop) as stream:
            write_stream(stream, predict.task, tmp_path / "large", ["label"])
        assert [path.name for path in tmp_path.iterdir()] == ["large.tif"]

    def test_a_disk_that_takes_no_more_is_told(self, tmp_path, monkeypatch):
        source = tmp_path / "large.tif"
        tifffile.imwrite(source, noise(600, 300), tile=(64, 64), photometric="rgb")

        def full(*arguments, **options):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("workbench.inference.writers.streamed.TiffWriter.write", full)
        predict = predictor(tile=400)
        with pytest.raises(UserError, match="full"), predict.stream(source) as stream:
            write_stream(stream, predict.task, tmp_path / "out" / "large", ["label", "probability"])
        assert list((tmp_path / "out").iterdir()) == []

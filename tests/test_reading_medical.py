"""DICOM in the file's units and NIfTI in its canonical orientation, against arrays and affines made by hand."""

from __future__ import annotations

import gzip
import itertools
import sys

import imagecodecs
import numpy as np
import pictures
import pytest

from workbench.data.reading import read_facts, read_labels, read_picture, read_region, to_display
from workbench.errors import UserError

JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 70))
JPEG_LS, JPEG_2000, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
DEFLATED, REFERENCED = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.94"


@pytest.fixture
def put(tmp_path):
    """A function that writes bytes and returns the path."""

    def write(data: bytes, name: str = "file"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


HOUNSFIELD = (pictures.grey(np.uint16) // 32).astype(np.int16) - 500


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_values_are_rescaled_and_masks_are_not(put, syntax):
    data = pictures.dicom(HOUNSFIELD, syntax, RescaleSlope=2, RescaleIntercept=-1024, PixelSpacing=[0.5, 0.75])
    path = put(data)
    array, facts = read_picture(path)
    assert array.dtype == np.float32
    assert np.array_equal(array[:, :, 0], HOUNSFIELD * 2.0 - 1024)
    assert (facts.bits, facts.spacing) == (16, (0.5, 0.75))
    assert facts.notes == ("rescaled by slope 2 and intercept -1024",)
    assert np.array_equal(read_labels(path), HOUNSFIELD)


def test_eight_bits_stay(put):
    array, facts = read_picture(put(pictures.dicom(pictures.grey())))
    assert np.array_equal(array[:, :, 0], pictures.grey())
    assert array.dtype == np.uint8
    assert facts.notes == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_monochrome1_is_inverted_within_the_stored_bits(put, dtype):
    pixels = (pictures.grey(np.uint16) // 300).astype(dtype)
    largest = {np.uint8: 255, np.uint16: 4095, np.int16: -1}[dtype]
    bits = {"BitsStored": 12, "HighBit": 11} if dtype == np.uint16 else {}
    path = put(
        pictures.dicom(pixels, PhotometricInterpretation="MONOCHROME1", WindowCenter=100, WindowWidth=50, **bits)
    )
    array, facts = read_picture(path)
    assert np.array_equal(array[:, :, 0].astype(int), largest - pixels.astype(int))
    assert facts.notes == ("MONOCHROME1 inverted",)
    assert facts.window == (largest - 100, 50)
    assert np.array_equal(read_labels(path), pixels)


def test_window_is_told_and_shown(put):
    path = put(pictures.dicom(HOUNSFIELD, WindowCenter=["40", "600"], WindowWidth=["80", "1600"]))
    array, facts = read_picture(path)
    assert facts.window == (40, 80)
    shown = to_display(array, facts)[:, :, 0]
    assert np.array_equal(shown == 0, array[:, :, 0] <= 0.15)
    assert (shown[array[:, :, 0] >= 80] == 255).all()


def test_table_of_values(put):
    from pydicom.dataset import Dataset

    table = Dataset()
    table.LUTDescriptor, table.LUTData, table.ModalityLUTType = [256, 0, 16], list(range(1000, 1256)), "US"
    table["LUTData"].VR = table["LUTDescriptor"].VR = "US"
    array, facts = read_picture(put(pictures.dicom(pictures.grey(), ModalityLUTSequence=[table])))
    assert np.array_equal(array[:, :, 0], pictures.grey() + 1000.0)
    assert facts.notes == ("rescaled by its table",)


def test_frames_are_slices_with_their_own_values(put):
    from pydicom.dataset import Dataset

    def groups(**values) -> Dataset:
        transformation, measures, item = Dataset(), Dataset(), Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = values["slope"], 0
        measures.PixelSpacing = [values["slope"], values["slope"]]
        item.PixelValueTransformationSequence, item.PixelMeasuresSequence = [transformation], [measures]
        return item

    frames = np.stack([pictures.grey(), 255 - pictures.grey()])
    path = put(pictures.dicom(frames, PerFrameFunctionalGroupsSequence=[groups(slope=3), groups(slope=5)]))
    for index, slope in enumerate((3, 5)):
        array, facts = read_picture(path, index=index)
        assert facts.slices == 2
        assert facts.spacing == (slope, slope)
        assert np.array_equal(array[:, :, 0], frames[index] * float(slope))
        assert np.array_equal(read_labels(path, index=index), frames[index])


def test_palette(put):
    ramp = np.arange(256, dtype=np.uint8)
    lists = {"Red": ramp, "Green": ramp[::-1], "Blue": ramp // 2}
    attributes = {f"{name}PaletteColorLookupTableData": values.tobytes() for name, values in lists.items()}
    attributes |= {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 8] for name in lists}
    path = put(pictures.dicom(pictures.grey(), PhotometricInterpretation="PALETTE COLOR", **attributes))
    array, facts = read_picture(path)
    assert np.array_equal(array, np.dstack([values[pictures.grey()] for values in lists.values()]))
    assert facts.notes == ("palette expanded to RGB",)
    assert np.array_equal(read_labels(path), pictures.grey())


def test_one_bit_segmentation(put):
    mask = pictures.grey() > 99
    packed = np.packbits(mask.ravel(), bitorder="little")
    attributes = {"Rows": 40, "Columns": 56, "BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}
    path = put(pictures.dicom(packed.reshape(1, -1), **attributes))
    assert np.array_equal(read_labels(path), mask)
    assert np.array_equal(read_picture(path).array[:, :, 0], mask * np.uint8(255))


TWELVE = pictures.grey(np.uint16) // 16


@pytest.mark.parametrize(
    ("syntax", "pixels", "frame", "tolerance"),
    [
        (JPEG_BASELINE, pictures.grey(), pictures.by_pillow(pictures.grey(), "JPEG", quality=95), 12),
        (JPEG_EXTENDED, TWELVE, imagecodecs.jpeg8_encode(TWELVE, bitspersample=12, level=98), 60),
        (JPEG_LOSSLESS, TWELVE, imagecodecs.ljpeg_encode(TWELVE, bitspersample=16), 0),
        (JPEG_LS, TWELVE, imagecodecs.jpegls_encode(TWELVE), 0),
        (JPEG_LS, pictures.colours(), imagecodecs.jpegls_encode(pictures.colours()), 0),
        (JPEG_2000, TWELVE, imagecodecs.jpeg2k_encode(TWELVE, codecformat="j2k", reversible=True), 0),
    ],
)
def test_compressed_frames(put, syntax, pixels, frame, tolerance):
    bits = {"BitsStored": 12, "HighBit": 11} if syntax == JPEG_EXTENDED else {}
    array = read_picture(put(pictures.dicom(pixels, syntax, frame, **bits))).array
    assert np.abs(array.squeeze().astype(float) - pixels).max() <= tolerance


def test_a_frame_larger_than_told(put):
    frame = imagecodecs.jpegls_encode(np.zeros((3000, 3000), np.uint8))
    with pytest.raises(UserError, match="cannot be decoded"):
        read_picture(put(pictures.dicom(pictures.grey(), JPEG_LS, frame)))


@pytest.mark.parametrize(
    ("syntax", "attributes", "words"),
    [
        (DEFLATED, {}, "deflated"),
        (REFERENCED, {}, "JPIP .*cannot be decoded here; .*install"),
        (JPEG_LS, {"Rows": 0}, "without a picture"),
        (JPEG_LS, {"PhotometricInterpretation": "CMYK"}, "unusual colours"),
        (JPEG_LS, {"Rows": 65535, "Columns": 65535}, "over the limit"),
    ],
)
def test_dicom_that_cannot_be_read(put, syntax, attributes, words):
    frame = imagecodecs.jpegls_encode(pictures.grey())
    path = put(pictures.dicom(pictures.grey(), JPEG_LS, frame, **attributes))
    path.write_bytes(path.read_bytes().replace(JPEG_LS.encode(), syntax.encode().ljust(len(JPEG_LS), b"\0")))
    with pytest.raises(UserError, match=words):
        read_picture(path)


@pytest.mark.parametrize(("package", "data"), [("pydicom", "ct.dcm"), ("nibabel", "volume.nii")])
def test_a_missing_package_is_named_with_its_extra(put, monkeypatch, package, data):
    path = put(pictures.FILES[data]())
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r'pip install "attention-unet-workbench\[medical\]"'):
        read_picture(path)


def volume(affine: np.ndarray, **options) -> bytes:
    """A volume of which each voxel tells where it lies in the body: 10000 right + 100 front + head, in millimetres."""
    shape = (5, 6, 7)
    stored = np.indices(shape).reshape(3, -1)
    world = np.rint(affine[:3, :3] @ stored + affine[:3, 3:]).astype(int)
    values = (world * np.array([[10000], [100], [1]])).sum(0)
    return pictures.nifti(values.reshape(shape).astype(np.int32), affine, **options)


def orientations():
    """Every way in which three axes can be swapped and mirrored."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            matrix = np.zeros((4, 4))
            for stored, (world, sign) in enumerate(zip(order, signs, strict=True)):
                matrix[world, stored] = sign
                matrix[world, 3] = 20 if sign > 0 else 30
            matrix[3, 3] = 1
            yield matrix


@pytest.mark.parametrize("affine", orientations())
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_lie_as_in_the_body_however_they_are_stored(put, affine, axis):
    path = put(volume(affine), "v.nii")
    facts = read_facts(path, axis=axis)
    first, second = (read_picture(path, axis=axis, index=index).array[:, :, 0].astype(int) for index in (0, 1))
    step = (10000, 100, 1)
    across, up = (other for other in (0, 1, 2) if other != axis)
    assert (second - first == step[axis]).all(), "slices go to the right, the front or the head"
    assert (np.diff(first, axis=0) == -step[up]).all(), "the head or the front is at the top"
    assert (np.diff(first, axis=1) == step[across]).all(), "columns go to the patient's right, or to the front"
    assert (facts.height, facts.width) == first.shape
    assert np.array_equal(read_labels(path, axis=axis, index=1), second)


def test_the_coarsest_axis_is_the_default(put):
    for sizes, expected in (((1, 1, 1), 2), ((3, 1, 1), 0), ((1, 4, 2), 1), ((0.5, 0.5, 5), 2)):
        path = put(volume(np.diag([*sizes, 1])), "v.nii")
        facts = read_facts(path)
        rows, columns = [size for axis, size in enumerate(sizes) if axis != expected][::-1]
        assert facts.slices == (5, 6, 7)[expected]
        assert facts.spacing == (rows, columns)
    flat = put(pictures.nifti(np.zeros((1, 8, 9), np.uint8), np.diag([1, 1, 5, 1])))
    assert (read_facts(flat).slices, read_facts(flat).height) == (1, 9)
    with pytest.raises(UserError, match="no axis 3"):
        read_facts(flat, axis=3)


def test_slope_and_intercept(put):
    path = put(pictures.nifti(pictures.VOLUME, slope=(0.5, 10)))
    array, facts = read_picture(path, index=3)
    assert np.allclose(array[:, :, 0], pictures.VOLUME[:, ::-1, 3].T * 0.5 + 10)
    assert "rescaled by slope 0.5 and intercept 10" in facts.notes


def test_packed_volumes_give_the_same_slices_also_after_a_change(put):
    plain = put(pictures.nifti(pictures.VOLUME), "v.nii")
    packed = put(gzip.compress(pictures.nifti(pictures.VOLUME)), "v.nii.gz")
    for axis, count in enumerate(pictures.VOLUME.shape):
        for index in range(count):
            expected = read_picture(plain, axis=axis, index=index).array
            assert np.array_equal(read_picture(packed, axis=axis, index=index).array, expected)
    packed = put(gzip.compress(pictures.nifti(pictures.VOLUME + np.int16(1))), "v.nii.gz")
    assert np.array_equal(read_picture(packed).array, read_picture(plain).array + 1)
    assert np.array_equal(read_region(packed, 1, 2, 3, 4), read_picture(packed).array[1:4, 2:6])


def test_few_volumes_are_channels_and_many_are_refused(put):
    four = np.arange(5 * 6 * 7 * 4).reshape(5, 6, 7, 4).astype(np.float32)
    array, facts = read_picture(put(pictures.nifti(four)), index=2)
    assert np.array_equal(array, four[:, ::-1, 2].transpose(1, 0, 2))
    assert "4 volumes as channels" in facts.notes
    with pytest.raises(UserError, match="holds 17 volumes"):
        read_facts(put(pictures.nifti(np.zeros((2, 2, 2, 17), np.uint8))))


def test_nifti_without_orientation(put):
    data = bytearray(pictures.nifti(pictures.VOLUME))
    data[252:256] = bytes(4)
    array, facts = read_picture(put(bytes(data)))
    assert array.shape == (7, 6, 1)
    assert "no orientation in the file" in facts.notes


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64, np.int64, np.uint64])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_nifti_numbers(put, dtype, byteorder):
    import nibabel

    header = nibabel.Nifti1Header(endianness=byteorder)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(byteorder))
    image = nibabel.Nifti1Image(pictures.VOLUME.astype(dtype), np.eye(4), header)
    image.set_data_dtype(dtype)
    path = put(image.to_bytes())
    array = read_picture(path, index=2).array
    assert array.dtype == np.float32
    assert np.array_equal(array[:, :, 0], pictures.VOLUME[:, ::-1, 2].T)
    assert np.array_equal(read_labels(path, index=2), pictures.VOLUME[:, ::-1, 2].T)


def test_nifti_of_version_two(put):
    import nibabel

    path = put(nibabel.Nifti2Image(pictures.VOLUME, np.eye(4)).to_bytes())
    assert np.array_equal(read_picture(path).array[:, :, 0], pictures.VOLUME[:, ::-1, 0].T)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (42, b"\0\0", "its size is"),
        (42, b"\xff\xff", "its size is"),
        (42, b"\x30\x75\x30\x75\x30\x75", "over the limit|cannot be decoded"),
        (70, b"\xff\x7f", "cannot be decoded"),
        (70, b"\x20\0", "unusual numbers"),
        (108, b"\0\0\x80\x7f", "cannot be decoded"),
    ],
)
def test_nifti_headers_that_make_no_sense(put, place, value, words):
    data = bytearray(pictures.nifti(pictures.VOLUME))
    data[place : place + len(value)] = value
    with pytest.raises(UserError, match=words):
        read_picture(put(bytes(data)))


def test_half_a_nifti_pair(put):
    data = pictures.nifti(pictures.VOLUME).replace(b"n+1\0", b"ni1\0")
    with pytest.raises(UserError, match="header without its voxels"):
        read_facts(put(data, "v.hdr"))

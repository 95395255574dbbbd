"""Masks as a DICOM segmentation object that refers to the picture it was made from; built with pydicom alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import workbench

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataset import FileDataset

FROM_SOURCE = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "AccessionNumber"),
    *("StudyInstanceUID", "StudyID", "StudyDate", "StudyTime", "StudyDescription", "ReferringPhysicianName"),
    *("FrameOfReferenceUID", "PositionReferenceIndicator"),
)
"""Patient, study and place are those of the picture."""

GEOMETRY = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PlanePositionSequence": ("ImagePositionPatient",),
}
"""The functional groups that say where a frame lies, and what they hold."""


SEGMENT_NUMBER = ("SegmentIdentificationSequence", "ReferencedSegmentNumber")
POSITION = ("PlanePositionSequence", "ImagePositionPatient")
PLACE_IN_STACK = ("FrameContentSequence", "InStackPositionNumber")
"""What frames are told apart by: their segment, and their position in the patient or, where unknown, in the stack."""


def segmentation(source: Path, masks: Mapping[str, np.ndarray]) -> FileDataset:
    """A binary SEG with a segment for each name; masks are bool [frames, h, w] on the frames of the source.

    Frames without a pixel of a segment are left out, as the standard allows.
    """
    from pydicom import dcmread
    from pydicom.pixels import pack_bits

    picture = dcmread(source, stop_before_pixels=True)
    frames = [
        (segment, index, mask[index])
        for segment, mask in enumerate(masks.values(), 1)
        for index in range(len(mask))
        if mask[index].any()
    ] or [(1, 0, next(iter(masks.values()))[0])]
    seg = _frame_of(picture, masks)
    seg.NumberOfFrames = len(frames)
    seg.PerFrameFunctionalGroupsSequence = [_groups(picture, segment, index) for segment, index, _ in frames]
    seg.PixelData = pack_bits(np.stack([plane for _, _, plane in frames]).astype(np.uint8))
    return seg


def _frame_of(picture: Dataset, masks: Mapping[str, np.ndarray]) -> FileDataset:
    """All of the object but its frames."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SegmentationStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    seg = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for keyword in FROM_SOURCE:
        if keyword in picture:
            setattr(seg, keyword, picture[keyword].value)
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
        if keyword not in seg:
            setattr(seg, keyword, "")
    now = datetime.now()
    common: dict[str, Any] = {
        "SOPClassUID": SegmentationStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": generate_uid(),
        "SeriesNumber": int(picture.get("SeriesNumber") or 0) + 1000,
        "SeriesDescription": "Segmentation",
        "InstanceNumber": int(picture.get("InstanceNumber") or 1),
        "Modality": "SEG",
        "Manufacturer": "Attention U-Net Workbench",
        "ManufacturerModelName": "workbench predict",
        "DeviceSerialNumber": "0",
        "SoftwareVersions": workbench.__version__,
        "ContentLabel": "SEGMENTATION",
        "ContentDescription": "Predicted by a neural network",
        "ContentCreatorName": "",
        "ContentDate": f"{now:%Y%m%d}",
        "ContentTime": f"{now:%H%M%S}",
        "ImageType": ["DERIVED", "PRIMARY"],
        "Rows": picture.Rows,
        "Columns": picture.Columns,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 1,
        "BitsStored": 1,
        "HighBit": 0,
        "PixelRepresentation": 0,
        "LossyImageCompression": "00",
        "SegmentationType": "BINARY",
        "SegmentsOverlap": "YES" if np.sum(list(masks.values()), axis=0).max() > 1 else "NO",
        "SegmentSequence": [_segment(number, name) for number, name in enumerate(masks, 1)],
    }
    for keyword, value in common.items():
        setattr(seg, keyword, value)
    seg.ReferencedSeriesSequence = [
        _dataset(SeriesInstanceUID=picture.SeriesInstanceUID, ReferencedInstanceSequence=[_reference(picture)])
    ]
    organisation = generate_uid()
    seg.DimensionOrganizationSequence = [_dataset(DimensionOrganizationUID=organisation)]
    seg.DimensionIndexSequence = [
        _dataset(
            DimensionOrganizationUID=organisation,
            DimensionIndexPointer=_tag(keyword),
            FunctionalGroupPointer=_tag(group),
            DimensionDescriptionLabel=keyword,
        )
        for group, keyword in (SEGMENT_NUMBER, _place(picture))
    ]
    seg.SharedFunctionalGroupsSequence = [_dataset()]
    return seg


def _segment(number: int, name: str) -> Dataset:
    tissue = {"CodeValue": "85756007", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Tissue"}
    return _dataset(
        SegmentNumber=number,
        SegmentLabel=name,
        SegmentAlgorithmType="AUTOMATIC",
        SegmentAlgorithmName="Attention U-Net Workbench",
        SegmentedPropertyCategoryCodeSequence=[_dataset(**tissue)],
        SegmentedPropertyTypeCodeSequence=[_dataset(**tissue)],
    )


def _place(picture: Dataset) -> tuple[str, str]:
    return PLACE_IN_STACK if _value(picture, *POSITION, index=0) is None else POSITION


def _groups(picture: Dataset, segment: int, index: int) -> Dataset:
    """What a frame shows, and where it lies, as the source says it of the frame beneath."""
    content = _dataset(DimensionIndexValues=[segment, index + 1], StackID="1", InStackPositionNumber=index + 1)
    groups = _dataset(
        FrameContentSequence=[content],
        SegmentIdentificationSequence=[_dataset(ReferencedSegmentNumber=segment)],
        DerivationImageSequence=[_derivation(picture, index)],
    )
    for group, keywords in GEOMETRY.items():
        found = {keyword: _value(picture, group, keyword, index) for keyword in keywords}
        known = {keyword: value for keyword, value in found.items() if value is not None}
        if known:
            setattr(groups, group, [_dataset(**known)])
    return groups


def _value(picture: Dataset, group: str, keyword: str, index: int) -> Any:
    """Of the picture itself, or of the functional groups of its frame."""
    if picture.get(keyword) is not None:
        return picture[keyword].value
    own = picture.get("PerFrameFunctionalGroupsSequence") or []
    shared = picture.get("SharedFunctionalGroupsSequence") or []
    for groups in (*own[index : index + 1], *shared[:1]):
        items = groups.get(group)
        if items and items[0].get(keyword) is not None:
            return items[0][keyword].value
    return None


def _derivation(picture: Dataset, index: int) -> Dataset:
    def code(value: str, meaning: str) -> Dataset:
        return _dataset(CodeValue=value, CodingSchemeDesignator="DCM", CodeMeaning=meaning)

    image = _reference(picture)
    if picture.get("NumberOfFrames"):
        image.ReferencedFrameNumber = index + 1
    image.SpatialLocationsPreserved = "YES"
    image.PurposeOfReferenceCodeSequence = [code("121322", "Source image for image processing operation")]
    return _dataset(DerivationCodeSequence=[code("113076", "Segmentation")], SourceImageSequence=[image])


def _reference(picture: Dataset) -> Dataset:
    return _dataset(ReferencedSOPClassUID=picture.SOPClassUID, ReferencedSOPInstanceUID=picture.SOPInstanceUID)


def _tag(keyword: str) -> int:
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    assert tag is not None
    return tag


def _dataset(**values: Any) -> Dataset:
    from pydicom import Dataset

    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset

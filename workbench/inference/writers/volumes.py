"""Labels that lie on the voxels or frames of the file that they were predicted from: NIfTI and DICOM segmentations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workbench.data.reading.nifti import in_file_order
from workbench.errors import UserError
from workbench.inference.prediction import Origin, Prediction
from workbench.inference.writers.dicom import segmentation
from workbench.inference.writers.files import replacing, with_ending
from workbench.task import Task


class Stack(NamedTuple):
    """All slices of one file."""

    origin: Origin
    task: Task
    labels: np.ndarray
    """[slices, h, w], or [slices, classes, h, w] of a multilabel task."""


class StackWriter:
    """Collects the slices of a file, and writes one file when the last of them is there."""

    def __init__(self, source_format: str, ending: str, write: Callable[[Stack, Path], None]):
        self._format, self._ending, self._write = source_format, ending, write
        self._slices: dict[Path, dict[int, np.ndarray]] = {}

    def add(self, prediction: Prediction, base: Path) -> list[Path]:
        origin = prediction.origin
        if origin is None or prediction.facts.format != self._format:
            raise UserError(
                f"{prediction.name} is no {self._format} file, so there are no voxels to lay a {self._ending} file on: "
                "write label instead."
            )
        slices = self._slices.setdefault(base, {})
        slices[origin.index] = prediction.labels
        if len(slices) < prediction.facts.slices:
            return []
        labels = np.stack([slices[index] for index in range(len(slices))])
        del self._slices[base]
        path = with_ending(base, self._ending)
        with replacing(path) as part:
            self._write(Stack(origin, prediction.task, labels), part)
        return [path]

    def finish(self) -> list[Path]:
        return []


def nifti_writer(out: Path) -> StackWriter:
    """NAME_label.nii.gz with the affine and the shape of the source; of a multilabel task a volume a class."""
    return StackWriter("NIfTI", "_label.nii.gz", _write_nifti)


def _write_nifti(stack: Stack, path: Path) -> None:
    from nibabel.loadsave import load, save
    from nibabel.nifti1 import Nifti1Image

    source = load(stack.origin.path)
    assert isinstance(source, Nifti1Image)
    planes = np.moveaxis(stack.labels, 1, 0) if stack.task.mode == "multilabel" else stack.labels[None]
    volumes = [in_file_order(stack.origin.path, stack.origin.axis, plane) for plane in planes]
    array = np.stack(volumes, axis=3) if len(volumes) > 1 else volumes[0]
    header = source.header.copy()
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    header["cal_min"], header["cal_max"] = 0, 0
    header.set_intent("label")
    save(type(source)(array, source.affine, header), path)


def dicom_writer(out: Path) -> StackWriter:
    """NAME_seg.dcm: a DICOM segmentation (SEG) of the source's study, a segment a class, on the source's frames."""
    return StackWriter("DICOM", "_seg.dcm", _write_dicom)


def _write_dicom(stack: Stack, path: Path) -> None:
    if stack.task.mode == "multilabel":
        masks = {number: stack.labels[:, number] == 1 for number in stack.task.foreground}
    else:
        masks = {number: stack.labels == number for number in stack.task.foreground}
    segmentation(stack.origin.path, {stack.task.classes[n]: mask for n, mask in masks.items()}).save_as(
        path, enforce_file_format=True
    )

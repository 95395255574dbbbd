"""Files made of predictions, by name: each writer takes one prediction after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from workbench.errors import choices
from workbench.inference.prediction import Prediction
from workbench.inference.writers import pictures
from workbench.inference.writers.coco import CocoWriter
from workbench.inference.writers.geojson import write_geojson
from workbench.inference.writers.tables import TableWriter
from workbench.inference.writers.volumes import dicom_writer, nifti_writer


class Writer(Protocol):
    """Takes the predictions of one command."""

    def add(self, prediction: Prediction, base: Path) -> list[Path]:
        """The files that were written; `base` is where the picture's go, without suffix: OUT/FOLDER/NAME."""
        ...

    def finish(self) -> list[Path]:
        """The files that are about all pictures; called once, at the end."""
        ...


class EachPicture:
    """Files for each picture by itself."""

    def __init__(self, write: Callable[[Prediction, Path], list[Path]]):
        self._write = write

    def add(self, prediction: Prediction, base: Path) -> list[Path]:
        return self._write(prediction, base.with_name(base.name + prediction.slice_ending))

    def finish(self) -> list[Path]:
        return []


class Format(NamedTuple):
    """A row of the table."""

    open: Callable[[Path], Writer]
    """From the folder that is written to."""
    summary: str


def _each(write: Callable[[Prediction, Path], list[Path]]) -> Callable[[Path], Writer]:
    return lambda out: EachPicture(write)


FORMATS: dict[str, Format] = {
    "label": Format(_each(pictures.write_label), "class ids as PNG with a palette"),
    "tiff16": Format(_each(pictures.write_label16), "class ids as 16-bit TIFF"),
    "objects": Format(_each(pictures.write_objects), "object numbers as TIFF"),
    "probability": Format(_each(pictures.write_probability), "probabilities as 16-bit TIFF, a page a class"),
    "uncertainty": Format(_each(pictures.write_uncertainty), "entropy, and deviation over augmentations, as TIFF"),
    "overlay": Format(_each(pictures.write_overlay), "classes and contours over the picture as PNG"),
    "attention": Format(_each(pictures.write_attention), "the gates' maps over the picture as PNG"),
    "geojson": Format(_each(write_geojson), "polygons with holes, as QuPath reads them"),
    "rle": Format(CocoWriter, "COCO annotations with run-length encoded masks, in one file"),
    "csv": Format(TableWriter, "measurements of objects and pictures as two tables"),
    "nifti": Format(nifti_writer, "label volume on the voxels of a NIfTI source"),
    "dicom": Format(dicom_writer, "DICOM segmentation on the frames of a DICOM source"),
}
"""What `workbench predict --write` can be told."""


def check_formats(names: Sequence[str]) -> None:
    """Refuse names that are not in the table."""
    for name in names:
        if name not in FORMATS:
            raise choices("format to write", name, FORMATS)

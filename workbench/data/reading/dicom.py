"""DICOM: one frame, grey in the file's units and brighter where more; frames are decoded by pydicom."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from workbench.data.reading.dicom_codecs import register
from workbench.data.reading.facts import Facts, Opened, widened, widening_note
from workbench.data.reading.guard import quiet
from workbench.errors import UserError

if TYPE_CHECKING:
    from pydicom import Dataset

DEFLATED = "1.2.840.10008.1.2.1.99"

TAGS = [
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation", "PixelSpacing", "ImagerPixelSpacing"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
]

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
PALETTE = "PALETTE COLOR"


def open_dicom(file: BinaryIO, path: Path, index: int, axis: int | None) -> Opened:
    """Grey is float32 in the file's units (Hounsfield for CT), or uint8 where 8 bits are not rescaled; colour uint8."""
    with _by_pydicom(path):
        frame = _Frame(_header(file, path), path, index)
    facts = frame.facts

    def stored() -> np.ndarray:
        with _by_pydicom(path):
            from pydicom.pixels import pixel_array

            array = pixel_array(file, index=index)
        return array.reshape(*array.shape[:2], -1)

    def picture(_at_least: tuple[int, int] | None) -> np.ndarray:
        array = stored()
        with _by_pydicom(path):
            return frame.shown(array)

    memory = facts.height * facts.width * facts.channels * (3 * facts.bits // 8 + 12)
    return Opened(facts, memory, picture, stored)


@contextmanager
def _by_pydicom(path: Path) -> Iterator[None]:
    """Asks for the package where it is missing, keeps it quiet, and gives its own errors a common name."""
    try:
        from pydicom.errors import BytesLengthException, InvalidDicomError
    except ModuleNotFoundError as error:
        raise UserError(
            f'{path} is a DICOM file; to read it, pip install "attention-unet-workbench[medical]".'
        ) from error
    logging.getLogger("pydicom").addHandler(logging.NullHandler())
    with quiet():
        try:
            yield
        except (BytesLengthException, InvalidDicomError) as error:
            raise ValueError("not as DICOM should be") from error


def _header(file: BinaryIO, path: Path) -> Dataset:
    """The attributes that pixels need; the deflated syntax is refused, since it would inflate without bound."""
    from pydicom import dcmread
    from pydicom.filereader import read_file_meta_info
    from pydicom.pixels import get_decoder

    syntax = read_file_meta_info(path).get("TransferSyntaxUID")
    if syntax is None or syntax == DEFLATED:
        raise UserError(f"{path} is a DICOM file that is deflated or names no transfer syntax; save it uncompressed.")
    header = dcmread(file, stop_before_pixels=True, specific_tags=TAGS)
    if not header.get("Rows") or not header.get("Columns"):
        raise UserError(f"{path} is a DICOM file without a picture; give the one that holds the pixels.")
    register()
    try:
        decodable = get_decoder(syntax).is_available
    except NotImplementedError:
        decodable = False
    if not decodable:
        raise UserError(
            f"{path} is compressed as {syntax.name}, which cannot be decoded here; save it uncompressed, or install "
            "pylibjpeg with its decoders."
        )
    return header


class _Frame:
    """What the header says of one frame, and how its stored values are shown."""

    def __init__(self, header: Dataset, path: Path, index: int) -> None:
        self._header, self._index = header, index
        kind = header.get("PhotometricInterpretation", "MONOCHROME2")
        if kind not in (*GREY, *COLOUR, PALETTE):
            raise UserError(f"{path} is a DICOM file of unusual colours ({kind}); save it as grey or RGB.")
        frames = max(int(header.get("NumberOfFrames") or 1), 1)
        self._bits = int(header.get("BitsAllocated", 8))
        self._palette = kind == PALETTE
        self._inverted = kind == "MONOCHROME1"
        self._grey = kind in GREY
        self._slope = float(self._find("PixelValueTransformationSequence", "RescaleSlope") or 1)
        self._intercept = float(self._find("PixelValueTransformationSequence", "RescaleIntercept") or 0)
        self._table = bool(header.get("ModalityLUTSequence"))
        self._rescaled = self._grey and (self._table or (self._slope, self._intercept) != (1, 0))
        self.facts = Facts(
            width=int(header.Columns),
            height=int(header.Rows),
            channels=1 if self._grey else 3,
            bits=self._bits,
            format="DICOM",
            slices=frames,
            spacing=self._spacing(),
            window=self._window(),
            notes=tuple(self._notes(kind)),
        )

    def shown(self, stored: np.ndarray) -> np.ndarray:
        """[h, w, channels] in the file's units."""
        if self._palette:
            from pydicom.pixels import apply_color_lut

            return _depth_kept(apply_color_lut(stored[:, :, 0], self._header)[:, :, :3])
        if not self._grey:
            return _depth_kept(stored)
        if self._inverted:
            stored = (self._mirror() - stored.astype(np.int64)).astype(stored.dtype)
        if self._table:
            from pydicom.pixels import apply_modality_lut

            return apply_modality_lut(stored, self._header).astype(np.float32)
        if not self._rescaled and stored.dtype == np.uint8:
            return widened(stored, 1) if self._bits == 1 else stored
        return stored.astype(np.float32) * np.float32(self._slope) + np.float32(self._intercept)

    def _mirror(self) -> int:
        """The sum of the least and the largest value that can be stored."""
        return -1 if self._header.get("PixelRepresentation") == 1 else 2 ** int(self._header.get("BitsStored", 8)) - 1

    def _find(self, group: str, keyword: str) -> Any:
        """An attribute of the file, or of this frame's or all frames' functional group."""
        if self._header.get(keyword) is not None:
            return self._header[keyword].value
        own = self._header.get("PerFrameFunctionalGroupsSequence") or []
        shared = self._header.get("SharedFunctionalGroupsSequence") or []
        for groups in (*own[self._index : self._index + 1], *shared[:1]):
            items = groups.get(group)
            if items and items[0].get(keyword) is not None:
                return items[0][keyword].value
        return None

    def _spacing(self) -> tuple[float, float] | None:
        spacing = self._find("PixelMeasuresSequence", "PixelSpacing") or self._header.get("ImagerPixelSpacing")
        if not spacing or len(spacing) != 2 or not all(float(size) > 0 for size in spacing):
            return None
        return float(spacing[0]), float(spacing[1])

    def _window(self) -> tuple[float, float] | None:
        found = [self._find("FrameVOILUTSequence", keyword) for keyword in ("WindowCenter", "WindowWidth")]
        if not self._grey or any(value is None for value in found):
            return None
        centre, width = (float(np.ravel(value)[0]) for value in found)
        if self._inverted:
            centre = self._slope * self._mirror() + 2 * self._intercept - centre
        return (centre, width) if width > 0 else None

    def _notes(self, kind: str) -> list[str]:
        notes = []
        if self._inverted:
            notes.append("MONOCHROME1 inverted")
        if self._rescaled:
            how = "its table" if self._table else f"slope {self._slope:g} and intercept {self._intercept:g}"
            notes.append(f"rescaled by {how}")
        if self._bits == 1:
            notes.append(widening_note(1))
        if self._palette:
            notes.append("palette expanded to RGB")
        if kind.startswith("YBR"):
            notes.append(f"{kind} converted to RGB")
        return notes


def _depth_kept(array: np.ndarray) -> np.ndarray:
    return array if array.dtype in (np.uint8, np.uint16) else array.astype(np.float32)

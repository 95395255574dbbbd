"""Which format a file is of, told from its first bytes; its suffix only serves to list folders."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from workbench.errors import UserError

HEAD = 1024
"""How many first bytes are needed."""

PICTURE_SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".pbm", ".pgm", ".ppm", ".pnm"),
    *(".tif", ".tiff", ".dcm", ".nii", ".nii.gz"),
)
"""For listing folders: `name.lower().endswith(PICTURE_SUFFIXES)`; what a file is, its content decides."""

READ = "PNG, JPEG, WebP, BMP, GIF, PNM, TIFF, DICOM or NIfTI"

SIGNATURES = {
    "DICOM": rb".{128}DICM",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "GIF": rb"GIF8[79]a",
    "WebP": rb"RIFF....WEBP",
    "BMP": rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00",
    "PNM": rb"P[1-6][\s#]",
    "TIFF": rb"II[*+]\x00|MM\x00[*+]",
    "NIfTI": rb".{344}n\+1\x00|.{4}n\+2\x00",
}

REFUSED = {
    "an AVIF or HEIC picture": rb".{4}ftyp",
    "a JPEG 2000 picture": rb"\x00\x00\x00\x0cjP|\xff\x4f\xff\x51",
    "a JPEG XL picture": rb"\xff\x0a|\x00\x00\x00\x0cJXL",
    "a Photoshop document": rb"8BPS",
    "a PostScript document": rb"%!PS|\xc5\xd0\xd3\xc6",
    "a PDF document": rb"%PDF",
    "an SVG drawing": rb"\s*<(\?xml|svg)",
    "an icon": rb"\x00\x00[\x01\x02]\x00|icns",
    "a DDS texture": rb"DDS ",
    "an OpenEXR picture": rb"\x76\x2f\x31\x01",
    "an HDF5 file": rb"\x89HDF",
    "a FITS file": rb"SIMPLE  =",
    "a NIfTI header without its voxels": rb".{344}ni1\x00|.{4}ni2\x00",
    "a ZIP archive": rb"PK\x03\x04",
    "a web page": rb"(?i)\s*<(!doctype|html)",
}

_SIGNATURES = {name: re.compile(pattern, re.DOTALL) for name, pattern in SIGNATURES.items()}
_REFUSED = {name: re.compile(pattern, re.DOTALL) for name, pattern in REFUSED.items()}


def format_of(head: bytes) -> str | None:
    """The format's name, or None where it is none that can be read."""
    if head.startswith(b"\x1f\x8b"):
        head = _inflated(head)
        return "NIfTI" if _SIGNATURES["NIfTI"].match(head) else None
    return next((name for name, pattern in _SIGNATURES.items() if pattern.match(head)), None)


def unreadable(path: Path, head: bytes) -> UserError:
    """The sentence for a file that is no picture, or a picture of a kind that is not read."""
    if not head:
        return UserError(f"{path} is empty; copy it again or leave it out.")
    for what, pattern in _REFUSED.items():
        if pattern.match(head):
            return UserError(f"{path} is {what}, which cannot be read here; save it as PNG or TIFF, or leave it out.")
    return UserError(f"{path} is not a {READ} picture, whatever its name; save it as PNG or TIFF, or leave it out.")


def _inflated(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(head, HEAD)
    except zlib.error:
        return b""

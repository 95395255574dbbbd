"""Small good picture files of every format that is read, as bytes: 40 rows by 56 columns, made on the spot."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

HEIGHT, WIDTH = 40, 56


def colours(channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    """[40, 56, channels]: smooth, so that lossy formats keep it, and different in every channel and corner."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [(y * (3 + channel) + x * (2 + channel) + 40 * channel) % 256 for channel in range(channels)]
    top = np.iinfo(dtype).max // 255
    return (np.stack(planes, axis=2) * top + np.arange(channels)).clip(0, np.iinfo(dtype).max).astype(dtype)


def grey(dtype: type = np.uint8) -> np.ndarray:
    """[40, 56] of the same."""
    return colours(1, dtype)[:, :, 0]


def by_pillow(image: np.ndarray | Image.Image, name: str, mode: str | None = None, **options) -> bytes:
    """A picture as Pillow writes it."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, name, **options)
    return stream.getvalue()


def by_tifffile(array: np.ndarray, **options) -> bytes:
    """A TIFF as tifffile writes it."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, **options)
    return stream.getvalue()


def palette_image() -> Image.Image:
    """Indices 0, 1 and 2 in red, green and blue."""
    image = Image.fromarray(grey() // 100)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    return image


def dicom(pixels: np.ndarray, syntax: str = "1.2.840.10008.1.2.1", frame: bytes | None = None, **attributes) -> bytes:
    """[h, w], [h, w, 3] or [frames, h, w] as DICOM; `frame` is the encoded picture of a compressed syntax."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7")
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["test"])
    data = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    coloured = pixels.ndim == 3 and pixels.shape[2] == 3
    if pixels.ndim == 3 and not coloured:
        data.NumberOfFrames, pixels = len(pixels), pixels
    data.Rows, data.Columns = pixels.shape[:2] if coloured else pixels.shape[-2:]
    data.SamplesPerPixel = 3 if coloured else 1
    data.PhotometricInterpretation = "RGB" if coloured else "MONOCHROME2"
    if coloured:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
    data.HighBit = data.BitsAllocated - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name, value in attributes.items():
        setattr(data, name, value)
    data.PixelData = encapsulate([frame]) if frame else pixels.tobytes()
    data["PixelData"].VR = "OB" if frame or pixels.dtype.itemsize == 1 else "OW"
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def nifti(voxels: np.ndarray, affine: np.ndarray | None = None, slope: tuple[float, float] | None = None) -> bytes:
    """[x, y, z] or [x, y, z, volumes] as NIfTI."""
    import nibabel

    image = nibabel.Nifti1Image(voxels, np.eye(4) if affine is None else affine)
    if slope:
        image.header.set_slope_inter(*slope)
    return image.to_bytes()


def bmp_of_runs() -> bytes:
    """A BMP of 8 bits, run-length encoded, every row one value."""
    runs = b"".join(bytes((WIDTH, 3 * row, 0, 0)) for row in range(HEIGHT)) + b"\0\1"
    palette = b"".join(bytes((value, value, value, 0)) for value in range(256))
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(runs), 0, 0, 256, 0)
    start = 14 + len(header) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start) + header + palette + runs


def exif(orientation: int) -> Image.Exif:
    """An EXIF block that only says how the picture lies."""
    block = Image.Exif()
    block[0x0112] = orientation
    return block


VOLUME = (np.arange(6 * 7 * 8) % 251).reshape(6, 7, 8).astype(np.int16)

FILES: dict[str, Callable[[], bytes]] = {
    "rgb.png": lambda: by_pillow(colours(), "PNG"),
    "rgba.png": lambda: by_pillow(colours(4), "PNG"),
    "grey_alpha.png": lambda: by_pillow(colours(2), "PNG"),
    "palette.png": lambda: by_pillow(palette_image(), "PNG"),
    "one_bit.png": lambda: by_pillow(grey() > 99, "PNG"),
    "rgb16.png": lambda: imagecodecs.png_encode(colours(3, np.uint16)),
    "grey16.png": lambda: by_pillow(grey(np.uint16), "PNG"),
    "animated.png": lambda: by_pillow(
        Image.fromarray(colours()), "PNG", save_all=True, append_images=[Image.fromarray(255 - colours())]
    ),
    "rgb.jpg": lambda: by_pillow(colours(), "JPEG", quality=95, exif=exif(6)),
    "progressive.jpg": lambda: by_pillow(colours(), "JPEG", progressive=True),
    "grey.jpg": lambda: by_pillow(grey(), "JPEG"),
    "cmyk.jpg": lambda: by_pillow(colours(), "JPEG", "CMYK"),
    "rgb.webp": lambda: by_pillow(colours(), "WEBP", lossless=True),
    "lossy.webp": lambda: by_pillow(colours(4), "WEBP"),
    "rgb.bmp": lambda: by_pillow(colours(), "BMP"),
    "runs.bmp": bmp_of_runs,
    "palette.gif": lambda: by_pillow(palette_image(), "GIF"),
    "animated.gif": lambda: by_pillow(palette_image(), "GIF", save_all=True, append_images=[Image.fromarray(grey())]),
    "grey.pgm": lambda: b"P5\n# made\n56 40\n255\n" + grey().tobytes(),
    "rgb16.ppm": lambda: b"P6 56 40 65535\n" + colours(3, np.uint16).astype(">u2").tobytes(),
    "plain.ppm": lambda: b"P3 56 40 255\n" + b" ".join(b"%d" % value for value in colours().ravel()),
    "bits.pbm": lambda: b"P4 56 40\n" + np.packbits(grey() > 99, axis=1).tobytes(),
    "strips.tif": lambda: by_tifffile(colours(), photometric="rgb", rowsperstrip=7),
    "tiles.tif": lambda: by_tifffile(colours(), photometric="rgb", tile=(16, 16), compression="zlib", predictor=True),
    "lzw.tif": lambda: by_tifffile(grey(np.uint16), compression="lzw", rowsperstrip=16),
    "jpeg.tif": lambda: by_tifffile(colours(), photometric="rgb", compression="jpeg", tile=(16, 32)),
    "packbits.tif": lambda: by_tifffile(grey(), compression="packbits"),
    "zstd.tif": lambda: by_tifffile(grey().astype(np.float32) / 7, compression="zstd", tile=(32, 32)),
    "planes.tif": lambda: by_tifffile(
        np.moveaxis(colours(5, np.uint16), 2, 0), photometric="minisblack", planarconfig="separate", rowsperstrip=9
    ),
    "palette.tif": lambda: by_pillow(palette_image(), "TIFF"),
    "fax.tif": lambda: by_pillow(Image.fromarray(grey() > 99), "TIFF", compression="group4"),
    "big.tif": lambda: by_tifffile(grey(), bigtiff=True, byteorder=">", compression="zlib"),
    "stack.tif": lambda: by_tifffile(
        np.stack([grey(np.uint16) + step for step in range(6)]).reshape(3, 2, HEIGHT, WIDTH),
        imagej=True,
        metadata={"axes": "ZCYX"},
    ),
    "ct.dcm": lambda: dicom(grey(np.uint16).astype(np.int16), RescaleSlope=2, RescaleIntercept=-1024),
    "rgb.dcm": lambda: dicom(colours()),
    "frames.dcm": lambda: dicom(np.stack([grey(), 255 - grey()])),
    "jpeg_ls.dcm": lambda: dicom(grey(np.uint16), "1.2.840.10008.1.2.4.80", imagecodecs.jpegls_encode(grey(np.uint16))),
    "jpeg.dcm": lambda: dicom(grey(), "1.2.840.10008.1.2.4.50", by_pillow(grey(), "JPEG")),
    "jpeg2000.dcm": lambda: dicom(
        grey(np.uint16), "1.2.840.10008.1.2.4.90", imagecodecs.jpeg2k_encode(grey(np.uint16), codecformat="j2k")
    ),
    "volume.nii": lambda: nifti(VOLUME),
    "volume.nii.gz": lambda: gzip.compress(nifti(VOLUME), mtime=0),
    "coloured.nii": lambda: nifti(
        np.ascontiguousarray(np.stack([VOLUME] * 3, axis=-1).astype(np.uint8))
        .view([("R", "u1"), ("G", "u1"), ("B", "u1")])
        .reshape(VOLUME.shape)
    ),
}
"""By a name whose suffix is the format's."""

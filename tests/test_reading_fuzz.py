"""Damaged and crafted files give a picture or a sentence: no traceback, crash, hang, output or flood of memory."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pictures
import pytest
from PIL import Image

HERE = Path(__file__).parent
SECONDS_A_CASE = 20

GROUPS = {
    "png": [name for name in pictures.FILES if name.endswith(".png")],
    "jpeg": [name for name in pictures.FILES if name.endswith(".jpg")],
    "others": [name for name in pictures.FILES if name.endswith((".webp", ".bmp", ".gif", "pgm", "ppm", "pbm"))],
    "tiff": [name for name in pictures.FILES if name.endswith(".tif")],
    "medical": [name for name in pictures.FILES if name.endswith((".dcm", ".nii", ".gz"))],
}


def watched(arguments: list[str]) -> None:
    """Runs a Python program that prints each case before it starts; fails with the case at which it goes wrong."""
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[str] = []
    listener = threading.Thread(target=lambda: said.append(process.stderr.read()), daemon=True)
    listener.start()
    last = "its start"
    watchdog = threading.Timer(3 * SECONDS_A_CASE, process.kill)
    watchdog.start()
    for line in process.stdout:
        last = line.strip()
        watchdog.cancel()
        watchdog = threading.Timer(SECONDS_A_CASE, process.kill)
        watchdog.start()
    watchdog.cancel()
    process.wait()
    listener.join()
    assert (process.returncode, last, "".join(said)) == (0, "done", "")


def test_every_file_is_in_a_group():
    assert sorted(name for group in GROUPS.values() for name in group) == sorted(pictures.FILES)


@pytest.mark.parametrize("group", GROUPS)
def test_some_damage(tmp_path, group):
    watched(["reading_fuzz.py", str(tmp_path), "0", "5", *GROUPS[group]])


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_much_damage(tmp_path, group):
    watched(["reading_fuzz.py", str(tmp_path), "1000", "100", *GROUPS[group]])


def test_a_crash_and_a_wrong_answer_would_be_seen(tmp_path):
    """The watcher itself: a segmentation fault, an exception and a word on the error stream all fail."""
    for program in (
        "import ctypes; print('a', flush=True); ctypes.string_at(0)",
        "1 / 0",
        "import os; os.write(2, b'x')",
    ):
        with pytest.raises(AssertionError):
            watched(["-c", f"{program}\nprint('done')"])


def _tiff(packed: bytes, compression: int) -> bytes:
    """64x64 pixels by its header, whatever is packed."""
    tags = [(256, 64), (257, 64), (258, 8), (259, compression), (262, 1), (273, 200), (277, 1), (278, 64)]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in [*tags, (279, len(packed))])
    return (struct.pack("<2sHIH", b"II", 42, 8, 9) + body + bytes(4)).ljust(200, b"\0") + packed


def _png(width: int, height: int, bits: int, colour: int, pixels: bytes, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    middle = chunk(b"zTXt", b"a\0\0" + extra) + chunk(b"iCCP", b"a\0\0" + extra) if extra else b""
    end = chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + middle + end


def _endless_scans() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (1500, 1500)).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    return data[:-2] + data[data.rfind(b"\xff\xda") : -2] * 20_000 + data[-2:]


def _chain_of_pages(count: int) -> bytes:
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in ((256, 9), (257, 9), (273, 8), (279, 81))
    )
    size = 2 + len(entries) + 4
    links = (struct.pack("<H", 4) + entries + struct.pack("<I", 8 + size * (page + 1)) for page in range(count))
    return struct.pack("<2sHI", b"II", 42, 8) + b"".join(links)


FLOOD = bytes(400_000_000)

CRAFTED = {
    "deflate.tif": lambda: _tiff(zlib.compress(FLOOD, 1), 8),
    "zstd.tif": lambda: _tiff(imagecodecs.zstd_encode(FLOOD), 50000),
    "lzw.tif": lambda: _tiff(imagecodecs.lzw_encode(FLOOD[:100_000_000]), 5),
    "packbits.tif": lambda: _tiff(b"\x81\0" * 2_000_000, 32773),
    "jpeg.tif": lambda: _tiff(pictures.by_pillow(Image.new("L", (9000, 9000)), "JPEG"), 7),
    "pages.tif": lambda: _chain_of_pages(300_000),
    "huge.png": lambda: _png(2**31 - 1, 2**31 - 1, 8, 2, b""),
    "none.png": lambda: _png(0, 5, 8, 2, b""),
    "flood.png": lambda: _png(8, 8, 8, 2, zlib.compress(FLOOD, 1)),
    "notes.png": lambda: _png(8, 8, 8, 2, zlib.compress(bytes(200)), zlib.compress(FLOOD, 1)),
    "palette.png": lambda: _png(2000, 2000, 8, 3, zlib.compress(b"\1" * 4_002_000)),
    "scans.jpg": _endless_scans,
    "huge.pgm": lambda: b"P5 999999999 999999999 255\n",
    "large.pgm": lambda: b"P5 2000 2000 65535\n",
    "words.ppm": lambda: b"P3 500 500 255\n" + b"12 x " * 100_000,
    "huge.nii": lambda: _nifti_of((30_000, 30_000, 30_000)),
    "flood.nii.gz": lambda: gzip.compress(_nifti_of((1000, 1000, 200)) + FLOOD, 1),
    "frames.dcm": lambda: pictures.dicom(pictures.grey(), NumberOfFrames=2**31 - 1),
    "bits.dcm": lambda: pictures.dicom(pictures.grey(), BitsAllocated=65528),
}


def _nifti_of(shape: tuple[int, int, int]) -> bytes:
    data = bytearray(pictures.nifti(pictures.VOLUME))
    data[42:48] = np.array(shape, "<i2").tobytes()
    return bytes(data)


READ_ONE = """
import sys, warnings, pathlib
warnings.simplefilter("error")
import pictures, reading_fuzz
folder = pathlib.Path(sys.argv[1])
for good in ("rgb.png", "tiles.tif", "ct.dcm", "volume.nii"):
    (folder / "good").write_bytes(pictures.FILES[good]())
    reading_fuzz.read(folder / "good")
allowed = reading_fuzz.peak() + reading_fuzz.LIMITS.memory + reading_fuzz.SLACK
for name in sys.argv[2:]:
    print(name, flush=True)
    reading_fuzz.read(folder / name)
    assert reading_fuzz.peak() < allowed, reading_fuzz.peak() - allowed
print("done", flush=True)
"""


@pytest.mark.slow
def test_crafted_files(tmp_path):
    for name, make in CRAFTED.items():
        (tmp_path / name).write_bytes(make())
    watched(["-c", READ_ONE, str(tmp_path), *CRAFTED])

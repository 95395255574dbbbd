"""ZIP files that people send: good ones come out whole, harmful ones leave nothing behind and tell one sentence."""

from __future__ import annotations

import stat
import struct
import zipfile

import numpy as np
import pytest

from workbench.data.unpack import LIMITS, ZipLimits, unpack
from workbench.errors import UserError

NOISE = np.random.default_rng(0).bytes(50_000)


def zip_of(path, files, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def link(name, to):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, to


def test_everything_comes_out_and_a_single_folder_around_it_is_taken_off(tmp_path):
    files = {"set/images/a.png": NOISE, "set/masks/a.png": b"mask", "__MACOSX/set/._a.png": b"", "set/.DS_Store": b""}
    told = []
    folder = unpack(zip_of(tmp_path / "set.zip", files), tmp_path / "out", progress=lambda *n: told.append(n))
    assert folder == tmp_path / "out" / "set"
    assert (folder / "images" / "a.png").read_bytes() == NOISE
    assert {path.name for path in tmp_path.joinpath("out").rglob("*") if path.is_file()} == {"a.png"}
    assert told[-1] == (50_004, 50_004)


def test_names_of_windows_are_folders_too(tmp_path):
    folder = unpack(zip_of(tmp_path / "w.zip", {"images\\a.png": b"1", "masks\\a.png": b"2"}), tmp_path / "out")
    assert (folder / "images" / "a.png").read_bytes() == b"1"


OUTSIDE = [
    "../escaped.png",
    "/tmp/escaped.png",
    "a/../../escaped.png",
    "..\\escaped.png",
    "C:\\escaped.png",
    "a\nb.png",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_is_written_outside(tmp_path, name):
    path = zip_of(tmp_path / "bad.zip", {"good.png": NOISE, name: b"x"})
    refused(path, tmp_path, "outside")


def test_links_are_refused(tmp_path):
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(*link("images", "/etc"))
        archive.writestr("images/passwd", "x")
    refused(path, tmp_path, "link")


def test_a_bomb_is_not_unpacked(tmp_path):
    refused(zip_of(tmp_path / "bad.zip", {"bomb.png": bytes(50_000_000)}), tmp_path, "no picture does")


def test_files_that_share_their_bytes_are_refused(tmp_path):
    path = zip_of(tmp_path / "bad.zip", {f"{n}.png": NOISE for n in range(2)}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, second + 42, 0)  # its content is said to be where that of the first is
    struct.pack_into("<II", data, second + 20, 90_000, 90_000)
    path.write_bytes(data)
    refused(path, tmp_path, "share their bytes")


def test_a_size_that_is_not_true_is_found_out(tmp_path):
    path = zip_of(tmp_path / "bad.zip", {"a.png": NOISE}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\x01\x02") + 24, 10)
    path.write_bytes(data)
    refused(path, tmp_path, "no whole ZIP")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (ZipLimits(files=2), "3 files, and 2 are allowed"),
        (ZipLimits(bytes=100_000), "unpack to 0.1 MB, and 0.1 MB are allowed"),
    ],
)
def test_limits(tmp_path, limits, words):
    refused(zip_of(tmp_path / "big.zip", {f"{n}.png": NOISE for n in range(3)}), tmp_path, words, limits)


def test_a_full_disk_is_told_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000}))
    refused(zip_of(tmp_path / "a.zip", {"a.png": NOISE}), tmp_path, "make room")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-30], "no whole ZIP"),
        (lambda data: data[:300] + b"damaged" + data[307:], "no whole ZIP"),
        (lambda data: b"no ZIP at all", "no whole ZIP"),
        (lambda data: b"", "no whole ZIP"),
    ],
)
def test_damaged_ones_are_told(tmp_path, change, words):
    path = zip_of(tmp_path / "bad.zip", {"a.png": NOISE})
    path.write_bytes(change(path.read_bytes()))
    refused(path, tmp_path, words)


def test_one_that_is_locked_is_told(tmp_path):
    path = zip_of(tmp_path / "bad.zip", {"a.png": NOISE})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refused(path, tmp_path, "password")


def test_names_that_are_one_file_elsewhere_are_told(tmp_path):
    refused(zip_of(tmp_path / "bad.zip", {"A.png": b"1", "a.PNG": b"2"}), tmp_path, "one file on some systems")


def test_an_empty_one_is_told(tmp_path):
    refused(zip_of(tmp_path / "empty.zip", {}), tmp_path, "holds no files")


def test_given_up_it_leaves_nothing_behind(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack(zip_of(tmp_path / "a.zip", {"a.png": NOISE}), tmp_path / "out" / "set", progress=stop)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_there_is_not_touched(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="already"):
        unpack(zip_of(tmp_path / "a.zip", {"a.png": NOISE}), tmp_path / "out")


def refused(path, tmp_path, words, limits=LIMITS):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=words) as told:
        unpack(path, tmp_path / "out", limits)
    assert "\n" not in str(told.value)
    assert sorted(tmp_path.rglob("*")) == before

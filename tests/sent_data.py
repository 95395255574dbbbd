"""Data as people send it: drawn shapes in a ZIP, with faults that the doctor must find."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import numpy as np
from trees import drawn, save

COUNT = 22


def faulty_folder(root: Path) -> Path:
    """22 pictures; two masks are red on black where the others are 0 and 255, and half of one picture is lost."""
    for number, (picture, mask) in enumerate(drawn(COUNT)):
        image = save(root / "images" / f"cell_{number:02d}.png", picture)
        values = mask * 255
        colours = np.dstack([values, values * 0, values * 0])
        save(root / "masks" / image.name, colours if number in (3, 4) else values)
    whole = (root / "images" / "cell_07.png").read_bytes()
    (root / "images" / "cell_07.png").write_bytes(whole[: len(whole) // 2])
    return root


def zip_of_folder(folder: Path, path: Path) -> Path:
    """All files of a folder, within a folder of its name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
    return path


def bad_zips(folder: Path) -> dict[Path, str]:
    """Each with what the sentence about it says."""

    def written(name: str, files: dict[str, bytes | str], link: str = "") -> Path:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for inside, data in files.items():
                archive.writestr(inside, data)
            if link:
                info = zipfile.ZipInfo("link.png")
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(info, link)
        return folder / name

    torn = written("torn.zip", {"images/a.png": np.random.default_rng(0).bytes(9000)})
    torn.write_bytes(torn.read_bytes()[:4000])
    return {
        torn: "torn.zip is no whole ZIP",
        written("escape.zip", {"../../escaped.png": b"x"}): "which would lie outside of its folder",
        written("bomb.zip", {"images/a.png": bytes(40 << 20)}): "no picture does, so it is not unpacked",
        written("linked.zip", {"a.png": b"x"}, link="/etc/passwd"): "which is a link or a device",
        written("words.zip", {"notes.txt": "no pictures here"}): "words.zip is no data set",
        written("empty.zip", {}): "empty.zip holds no files",
    }

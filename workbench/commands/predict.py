"""Predicting pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from workbench.commands.sources import model_source
from workbench.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable


def predict(
    model: Positional[Path],
    pictures: Positional[tuple[Path, ...]],
    out: Path,
    write: str = "",
    threshold: float | None = None,
    smallest_object: int = 0,
    fill_holes: bool = False,
    augment: Literal["none", "flips", "rotations", "scales", "all"] = "none",
    tile: int | None = None,
    overlap: int | None = None,
    axis: int | None = None,
    device: str = "auto",
    backend: str = "own",
    runs: Path = Path("runs"),
) -> None:
    """Predict pictures of any size, and write what the model sees in them.

    What cannot be read is told and left out, and the status at the end is then 1.

    Args:
        model: A run (its name or folder), a file of weights, or an exported file.
        pictures: Files, or folders with everything below them.
        out: The folder to write to; the results are named as the pictures.
        write: What to write, separated by commas: label, tiff16, objects, probability, uncertainty, overlay,
            attention, geojson, rle, csv, nifti, dicom. By default label and overlay, of a NIfTI file nifti, of a
            DICOM file dicom and overlay.
        threshold: From which probability on a pixel belongs to a class; by default 0.5, or what an exported file says;
            without meaning for a multiclass model.
        smallest_object: Drop objects of fewer pixels.
        fill_holes: Fill what an object encloses.
        augment: Look at each picture in several ways (mirrored, turned, scaled) and take the mean.
        tile: Side of the tiles that larger pictures are cut into; by default as it is exact and fits into memory.
        overlap: Pixels that tiles share; by default as many as it takes to be exact.
        axis: Which way a volume is cut into slices: 0, 1 or 2; by default across its coarsest spacing.
        device: auto, cpu, cuda:0 ...
        backend: What runs the network: own is PyTorch for weights and an exported file's own runtime; auto the fastest
            at hand; or pytorch, onnxruntime, openvino, ncnn.
        runs: The folder of all runs, where `model` is the name of one.
    """
    from workbench.inference.backends import open_backend
    from workbench.inference.batch import find_pictures, predict_files
    from workbench.inference.filters import Filters
    from workbench.inference.predictor import Predictor
    from workbench.inference.writers import check_formats

    formats = tuple(dict.fromkeys(name.strip() for name in write.split(",") if name.strip()))
    check_formats(formats)
    jobs = find_pictures(pictures, out)
    if not jobs.pictures:
        where = ", ".join(map(str, pictures))
        raise UserError(
            f"There are no pictures in {where}: give files or folders." if where else "No picture is given."
        )
    opened = open_backend(model_source(model, runs), backend, device)
    if threshold is None:
        threshold = opened.facts.threshold
    predictor = Predictor(
        opened,
        filters=Filters(threshold, smallest_object, fill_holes),
        augmentation=augment,
        tile=tile,
        overlap=overlap,
    )
    for path in jobs.left_out:
        print(f"Left out {path}: it is no picture.", file=sys.stderr)
    failed = written = 0
    notes: dict[str, list[Path]] = {}
    with _bars([str(job.path) for job in jobs.pictures]) as (tiles, tell):
        for outcome in predict_files(predictor, jobs.pictures, out, formats, axis=axis, progress=tiles):
            tell(outcome.problem)
            failed += outcome.problem is not None
            written += outcome.problem is None
            for note in outcome.notes:
                notes.setdefault(note, []).append(outcome.job.path)
    for note, paths in notes.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        print(f"{paths[0]}{more}: {note}.", file=sys.stderr)
    print(f"Predicted {written} of {written + failed} pictures with {predictor.facts.name}; the results are in {out}.")
    if failed:
        raise SystemExit(1)


@contextmanager
def _bars(names: list[str]) -> Iterator[tuple[Callable[[int, int], None], Callable[[str | None], None]]]:
    """A bar of pictures, and one of tiles where a picture has several; problems appear above them."""
    from tqdm import tqdm

    quiet = not sys.stderr.isatty()
    upcoming = iter([*names[1:], ""])
    with (
        tqdm(total=len(names), unit="picture", desc=names[0], leave=False, disable=quiet) as all_pictures,
        tqdm(unit="tile", leave=False, disable=quiet, delay=1) as one_picture,
    ):

        def tiles(done: int, total: int) -> None:
            if total > 1:
                one_picture.total = total
                one_picture.update(done - one_picture.n)

        def tell(problem: str | None) -> None:
            if problem:
                tqdm.write(f"Skipped {problem}", file=sys.stderr)
            all_pictures.update()
            all_pictures.set_description_str(next(upcoming))
            one_picture.reset()

        yield tiles, tell

"""Commands about data sets."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tyro.conf import Positional

from workbench.config import DataConfig, RunConfig, load_config, save_config
from workbench.errors import UserError


def check(
    path: Positional[str],
    layout: str = "auto",
    json: Path | None = None,
    html: Path | None = None,
    fix: Path | None = None,
    workers: int | None = None,
) -> None:
    """Look at every picture and mask: what would training stumble over, and how is it mended?

    Ends with status 1 where training could only give nan or nothing.

    Args:
        path: The folder of pictures and masks, or the YAML file of a configuration.
        layout: How files lie in the folder; auto finds it.
        json: A file for the findings and numbers, for programs.
        html: A file for a page with pictures.
        fix: A configuration to write with all mends; knobs that the file has stay.
        workers: Processes that read; by default one a core.
    """
    from tqdm import tqdm

    from workbench.data import doctor
    from workbench.data.doctor.page import as_html

    for wanted in filter(None, (json, html, fix)):
        if not wanted.absolute().parent.is_dir():
            raise UserError(f"There is no folder {wanted.parent} to write {wanted.name} into: make it first.")
    config = _config_of(path, layout)
    with tqdm(unit="picture", leave=False, disable=not sys.stderr.isatty()) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = doctor.check(config.data, show, workers)
    print(report.as_text())
    for file, text in ((json, report.as_json), (html, lambda: as_html(report))):
        if file:
            _write(file, text())
            print(f"\nWrote {file}.")
    if fix:
        base = load_config(fix) if fix.is_file() else config
        data = base.data.model_copy(update={"path": config.data.path, "layout": config.data.layout})
        save_config(base.model_copy(update={"data": report.write_mends(data, fix)}), fix)
        print(f"\nWrote {fix} with the mends. To see what is left: workbench data check {fix}")
    elif report.mends:
        print("\nTo write a configuration with the mends: --fix CONFIG.yaml")
    if report.refusal:
        print(f"\nerror: {report.refusal}", file=sys.stderr)
        raise SystemExit(1)


def _config_of(path: str, layout: str) -> RunConfig:
    if Path(path).is_file():
        config = load_config(path)
        return (
            config
            if layout == "auto"
            else config.model_copy(update={"data": config.data.model_copy(update={"layout": layout})})
        )
    return RunConfig(data=DataConfig(path=path, layout=layout))


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)

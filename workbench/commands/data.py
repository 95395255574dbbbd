"""Commands about data sets."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from workbench.commands.bars import progress_bar
from workbench.errors import UserError
from workbench.files import write_whole

if TYPE_CHECKING:
    from workbench.config import RunConfig


def check(
    path: Positional[str],
    layout: str = "auto",
    json: Path | None = None,
    html: Path | None = None,
    fix: Path | None = None,
    workers: int | None = None,
) -> None:
    """Look at every picture and mask: what would training stumble over, and how is it mended?

    Ends with status 1 where training could only give nan or nothing, with --fix where it still could.

    Args:
        path: The folder of pictures and masks, or the YAML file of a configuration.
        layout: How files lie in the folder; auto finds it.
        json: A file for the findings and numbers, for programs.
        html: A file for a page with pictures.
        fix: A configuration to write with all mends; knobs that the file has stay.
        workers: Processes that read; by default one a core.
    """
    from workbench.config import load_config, save_config
    from workbench.data import doctor
    from workbench.data.doctor.page import as_html

    for wanted in filter(None, (json, html, fix)):
        if not wanted.absolute().parent.is_dir():
            raise UserError(f"There is no folder {wanted.parent} to write {wanted.name} into: make it first.")
    config = _config_of(path, layout)
    with progress_bar("picture") as show:
        report = doctor.check(config.data, show, workers)
    print(report.as_text())
    for file, text in ((json, report.as_json), (html, lambda: as_html(report))):
        if file:
            write_whole(file, text())
            print(f"\nWrote {file}.")
    if fix:
        base = load_config(fix) if fix.is_file() else config
        data = base.data.model_copy(update={"path": config.data.path, "layout": config.data.layout})
        save_config(base.model_copy(update={"data": report.write_mends(data, fix)}), fix)
        print(f"\nWrote {fix} with the mends. To see what is left: workbench data check {fix}")
    elif report.mends:
        print("\nTo write a configuration with the mends: --fix CONFIG.yaml")
    refusal = report.refusal_after_mends if fix else report.refusal
    if refusal:
        print(f"\nerror: {refusal}", file=sys.stderr)
        raise SystemExit(1)


def _config_of(path: str, layout: str) -> RunConfig:
    """Of a YAML file, or of a folder."""
    from workbench.config import DataConfig, RunConfig, load_config

    if not Path(path).is_file():
        return RunConfig(data=DataConfig(path=path, layout=layout))
    config = load_config(path)
    if layout == "auto":
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"layout": layout})})


def prepare(
    path: Positional[str],
    out: Path | None = None,
    size: tuple[int, ...] = (),
    resize: Literal["none", "stretch", "letterbox", "shorter_side", "width"] | None = None,
    layout: str = "auto",
    set: tuple[str, ...] = (),
    workers: int | None = None,
) -> None:
    """Decode and resize every picture once, so that training only reads arrays.

    Started again it goes on where it was, and does only what is new or changed.

    Args:
        path: The folder of pictures and masks, `shapes`, or the YAML file of a configuration.
        out: The folder to prepare into; by default one of the same name in prepared/.
        size: Height and width in pixels; one number for both.
        resize: How pictures come to that size.
        layout: How files lie in the folder; auto finds it.
        set: Any other knob, such as `channels=grey` or `data.options.count=50`.
        workers: Processes that decode; by default one a core.
    """
    from workbench.data.prepare import prepare
    from workbench.knobs import override

    if len(size) > 2:
        raise UserError(f"--size takes one number or two (height and width), not {len(size)}.")
    asked: dict[str, Any] = dict(_pair(setting) for setting in set)
    if size:
        asked["data.preprocessing.size"] = (size[0], size[-1])
    if resize:
        asked["data.preprocessing.resize"] = resize
    config = override(_config_of(path, layout), asked).data
    out = out or Path("prepared") / Path(config.path.replace(":", "-")).absolute().name
    began = time.monotonic()
    with progress_bar("picture") as show:
        prepared = prepare(config, out, show, workers)
    print("\n".join(prepared.facts["report"]))
    sizes = ", ".join(prepared.facts["sizes"])
    print(f"Prepared {len(prepared.names)} pictures ({sizes}) in {out}, in {time.monotonic() - began:.1f} s.")


def split(
    path: Positional[Path],
    to: Path,
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    seed: int = 0,
    folds: int | None = None,
    fold: int = 0,
    group_pattern: str | None = None,
    stratify: bool = True,
) -> None:
    """Write a split of a prepared data set to a file, to be given as the knob split_file.

    Args:
        path: A prepared folder.
        to: The JSON file to write; it may be edited.
        fractions: Shares of train, valid and test where the layout has no splits of its own.
        seed: Another seed gives another split.
        folds: Number of folds for cross-validation, instead of fractions.
        fold: Which fold validates; the first is 0.
        group_pattern: Pictures whose names give the same first group of this regular expression stay in one split.
        stratify: Give every split a like share of foreground.
    """
    from workbench.config import DataConfig
    from workbench.data.assign import assign_splits
    from workbench.data.layouts import open_source
    from workbench.data.prepared import open_prepared
    from workbench.data.splits import write_splits

    prepared = open_prepared(path)
    source = open_source(prepared.source["path"], prepared.source["layout"], **prepared.source["options"])
    config = DataConfig(
        fractions=fractions,
        split_seed=seed,
        folds=folds,
        fold=fold,
        group_pattern=group_pattern,
        stratify=stratify,
    )
    splits, report = assign_splits(config, source, prepared.entries)
    write_splits(to, splits)
    print("\n".join([*report, f"Wrote {to}."]))


def _pair(setting: str) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not equals:
        raise UserError(f"--set takes KNOB=VALUE, such as channels=grey, not {setting!r}.")
    return name, value

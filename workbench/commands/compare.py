"""Comparing runs from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from workbench.errors import UserError
from workbench.files import write_whole
from workbench.runs.run import find_run, list_runs


def compare(
    names: Positional[tuple[str, ...]],
    split: str = "test",
    html: Path | None = None,
    align: bool = False,
    by: Literal["epoch", "step"] = "epoch",
    column: str = "loss",
    runs: Path = Path("runs"),
) -> None:
    """Put runs side by side: scores with intervals, and what differs in their configurations; or check their losses.

    Args:
        names: The runs, by their names or folders; with --align a run and its reference, which may be a log file.
        split: The split that their scores are of; `workbench evaluate` makes them.
        html: A page to write, with the curves of all runs together.
        align: Check that the losses of a run follow those of a reference; status 1 if they do not.
        by: With --align: compare the losses of epochs, or of steps.
        column: With --align: what a log file calls its losses.
        runs: The folder of all runs.
    """
    if align:
        _align(names, by, column, runs)
        return
    from workbench.runs.comparison import compare_runs, comparison_page, sentences
    from workbench.tables import comparison_table, knob_table

    chosen = [find_run(name, runs) for name in names]
    found = compare_runs(chosen, split)
    print(comparison_table(found.rows))
    print("\n".join(sentences(found)))
    if found.knobs:
        print(f"\nWhat differs in their configurations\n{knob_table(found.knobs, [run.name for run in chosen])}")
    if html is not None:
        if not html.absolute().parent.is_dir():
            raise UserError(f"There is no folder {html.parent} to write {html.name} into: make it first.")
        write_whole(html, comparison_page(found, chosen))
        print(f"\nWrote {html}.")


def _align(names: tuple[str, ...], by: str, column: str, runs: Path) -> None:
    from workbench.runs.alignment import align

    if len(names) != 2:
        raise UserError(f"--align takes a run and a reference, not {len(names)} names.")
    ours, reference = (_losses(name, by, column, runs) for name in names)
    found = align(ours, reference)
    print(found)
    if not found.passed:
        raise SystemExit(1)


def _losses(name: str, by: str, column: str, runs: Path) -> list[float]:
    from workbench.runs.alignment import losses_of_run, read_losses

    known = {run.name for run in list_runs(runs)}
    if name in known or (Path(name) / "config.yaml").is_file():
        return losses_of_run(find_run(name, runs), by)
    return read_losses(Path(name), column)

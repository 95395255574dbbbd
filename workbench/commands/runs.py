"""Commands about runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction

from workbench.commands.bars import progress_bar
from workbench.commands.knobs import parsed
from workbench.commands.train import go_on
from workbench.commands.watch import tell_end, watch
from workbench.errors import UserError
from workbench.runs.run import Run, find_run, list_runs
from workbench.tables import run_table

RUNS = Path("runs")


def list_all(runs: Path = RUNS) -> None:
    """List the runs: how they are, and how good (`workbench runs show NAME` tells more).

    Args:
        runs: The folder of all runs.
    """
    found = list_runs(runs)
    if found:
        print(run_table(found))
    else:
        print(f"There are no runs in {runs.absolute()}; `workbench train demo` makes one.")


def show(run: Positional[str], runs: Path = RUNS, lines: int = 5) -> None:
    """Tell all about one run.

    Args:
        run: Its name, or its folder.
        runs: The folder of all runs.
        lines: How much of the end of its log is shown.
    """
    one = find_run(run, runs)
    status, best, config = one.status(), one.best(), one.config
    facts = {
        "Run": one.name,
        "Folder": one.folder,
        "State": status.state + (f" ({status.detail})" if status.detail else ""),
        "Error": status.error,
        "Progress": f"epoch {status.epoch} of {status.epochs}, step {status.step} of {status.total}",
        "Device": status.device,
        "Data": config.data.path,
        "Model": config.model.name,
        "Best": f"epoch {best['epoch']}, {best['by']} {_number(best.get('score'))}" if best else "none yet",
        "Best model": one.best_model if best else "",
        "Last checkpoint": f"step {one.last_step}" if one.last_step is not None else "none yet",
    }
    for title, fact in facts.items():
        if fact:
            print(f"{title + ':':17}{fact}")
    if best and best["metrics"]:
        print("Scores of the best model on the validation pictures:")
        for name, value in best["metrics"].items():
            print(f"  {name:24}{_number(value)}")
    if lines and one.log.is_file():
        log = one.log.read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join([f"The end of {one.log}:", *(f"  {line}" for line in log[-lines:])]))


def watch_one(run: Positional[str], runs: Path = RUNS) -> None:
    """Watch a run that is at work; Ctrl-C stops the run.

    Args:
        run: Its name, or its folder.
        runs: The folder of all runs.
    """
    one = find_run(run, runs)
    tell_end(one, watch(one, one.history().offset))


def stop(run: Positional[str], runs: Path = RUNS, seconds: float = 60) -> None:
    """Stop a run after the step at work, with its best model and a state to go on from.

    Args:
        run: Its name, or its folder.
        runs: The folder of all runs.
        seconds: How long to wait for its end.
    """
    one = find_run(run, runs)
    if one.status().ended:
        print(f"{one.name} is not at work: {one.status().state}.")
        return
    one.request_stop()
    status = one.wait(seconds)
    print(f"{one.name} is {status.state}, at step {status.step} of {status.total}.")


def resume(
    run: Positional[str],
    epochs: int | None = None,
    runs: Path = RUNS,
    detach: bool = False,
    knob: Annotated[tuple[str, ...], UseAppendAction] = (),
) -> None:
    """Go on with a run that was stopped, was lost, has failed, or is to be longer.

    Args:
        run: Its name, or its folder.
        epochs: The new end of the training.
        runs: The folder of all runs.
        detach: Start it in the background and return.
        knob: What is to be different, as NAME=VALUE; --NAME VALUE is the same.
    """
    longer = {} if epochs is None else {"training.epochs": epochs}
    go_on(find_run(run, runs), {**parsed(knob), **longer}, detach)


def delete(names: Positional[tuple[str, ...]], runs: Path = RUNS, yes: bool = False) -> None:
    """Delete runs with all their models, after asking.

    Args:
        names: Their names, or their folders.
        runs: The folder of all runs.
        yes: Do not ask.
    """
    if not names:
        raise UserError("Which run? `workbench runs` lists them.")
    for one in [find_run(name, runs) for name in names]:
        if yes or _agreed(one):
            one.delete()
            print(f"Deleted {one.name}.")


def export(run: Positional[str], to: Path, runs: Path = RUNS) -> None:
    """Pack a run into a ZIP that opens on any machine.

    Args:
        run: Its name, or its folder.
        to: The ZIP file to write.
        runs: The folder of all runs.
    """
    one = find_run(run, runs)
    with progress_bar("file") as show:
        one.export(to, show)
    print(f"Wrote {to}. Unpacked, it is a run: workbench runs show FOLDER/{one.name}")


def plot(run: Positional[str], to: Path | None = None, runs: Path = RUNS) -> None:
    """Draw losses and scores over the steps, as a picture and as a page.

    Args:
        run: Its name, or its folder.
        to: The folder to write loss.png and loss.html into; by default the run's own.
        runs: The folder of all runs.
    """
    from workbench.plots import loss_and_score_curves, write_html, write_png

    one = find_run(run, runs)
    curves = loss_and_score_curves(one.records())
    if not curves:
        raise UserError(f"{one.name} has no losses to draw yet: it is {one.status().state}.")
    folder = one.folder if to is None else to
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}: make it first.")
    write_png(curves, folder / "loss.png", one.name)
    write_html(curves, folder / "loss.html", one.name)
    print(f"Wrote {folder / 'loss.png'} and loss.html.")


def _agreed(run: Run) -> bool:
    size = sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file()) / 2**20
    try:
        answer = input(f"Delete {run.name} with its models ({size:.0f} MiB in {run.folder})? [y/N] ")
    except EOFError:
        raise UserError("Nobody is there to ask: say --yes if you are sure.") from None
    return answer.strip().lower() in ("y", "yes")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"

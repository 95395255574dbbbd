"""Training from the command line: asks for a run, and watches it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction

from workbench.commands.knobs import parsed
from workbench.commands.watch import tell_end, watch
from workbench.config import RunConfig, load_config, presets
from workbench.errors import UserError
from workbench.knobs import override
from workbench.runs.changes import with_whole_paths
from workbench.runs.launch import ONE_HOST, Hosts, join
from workbench.runs.performance import is_enough, performance_config, performance_of
from workbench.runs.run import Run, find_run


def train(
    source: Positional[str] = "",
    data: str | None = None,
    name: str | None = None,
    epochs: int | None = None,
    resume: str | None = None,
    runs: Path = Path("runs"),
    detach: bool = False,
    performance: bool = False,
    hosts: int = 1,
    host_rank: int = 0,
    address: str | None = None,
    port: int = 29500,
    knob: Annotated[tuple[str, ...], UseAppendAction] = (),
) -> None:
    """Train a model in a process of its own and watch it; Ctrl-C stops it with a usable model and a resumable state.

    Args:
        source: A preset, or the YAML file of a configuration; without one every knob is at its default.
        data: The folder of pictures and masks, or `shapes`.
        name: What the run is called; by default after its model and the time.
        epochs: Passes over the training pictures; with --resume the new end of a longer training.
        resume: The run to go on with, by its name or folder, instead of a new one.
        runs: The folder of all runs; prepared data lies there too.
        detach: Start it in the background and return; `workbench runs` tells how it is.
        performance: Train for 3 epochs (or --epochs), but not much longer than a minute, and tell how fast it was.
        hosts: How many machines train together; this command is given on each of them.
        host_rank: Which of them this is, from 0; the run lies on host 0, the others train along.
        address: Host 0, as the others reach it.
        port: Where host 0 listens for the others.
        knob: Any knob of the configuration as NAME=VALUE; --NAME VALUE is the same.
    """
    changes: dict[str, object] = {**parsed(knob)}
    changes |= {path: value for path, value in (("data.path", data), ("training.epochs", epochs)) if value is not None}
    where = Hosts(hosts, host_rank, address, port).checked()
    if host_rank:
        _train_along(source, changes, runs, where)
        return
    if resume:
        if source or name or performance:
            raise UserError("A run that is resumed has its configuration and name: leave out everything but changes.")
        go_on(find_run(resume, runs), changes, detach, where)
        return
    if not source and data is None:
        raise UserError(
            f"What shall be trained? Give a folder with --data, a YAML file, or a preset: {', '.join(presets())}."
        )
    config = load_config(source, changes) if source else override(RunConfig(), changes)
    if performance:
        _measure(Run.start(performance_config(config, epochs), runs, name, hosts=where))
        return
    run = Run.start(config, runs, name, hosts=where)
    _follow(run, 0, detach)


def go_on(run: Run, changes: Mapping[str, object], detach: bool, hosts: Hosts = ONE_HOST) -> None:
    """Resume a run, and watch it unless it is to be left alone."""
    offset = run.history().offset
    run.resume(changes, hosts)
    _follow(run, offset, detach)


def _train_along(source: str, changes: Mapping[str, object], runs: Path, hosts: Hosts) -> None:
    """On another host than the first, from which all knobs come but the devices and where the data lies."""
    config = load_config(source, changes) if source else override(RunConfig(), changes)
    data = with_whole_paths(config).data.path if "data.path" in changes else None
    code = join(runs, config.training.hardware, hosts, data)
    if code:
        raise SystemExit(code)


def _measure(run: Run) -> None:
    print(f"Run {run.name} in {run.folder}")
    status = watch(run, 0, lambda: is_enough(run))
    if status.state in ("failed", "lost"):
        tell_end(run, status)
    print(performance_of(run))


def _follow(run: Run, offset: int, detach: bool) -> None:
    print(f"Run {run.name} in {run.folder}")
    if detach:
        print(f"It works in the background; to watch it: workbench runs watch {run.name}")
    else:
        tell_end(run, watch(run, offset))

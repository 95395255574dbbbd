"""Files -> a prepared folder: everything is decoded and resized once, so that training only reads arrays."""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from workbench.config import DataConfig
from workbench.data.assign import assign_splits
from workbench.data.cores import usable_cores
from workbench.data.corrections import refuse_corrected_tests, with_corrections
from workbench.data.counting import count_of
from workbench.data.decode import Decoded, Outcome, Problem, Unchanged, decode, outdated
from workbench.data.labels import Labels, choose_labels, complete_task
from workbench.data.layouts import open_source
from workbench.data.prepared import Prepared, open_prepared, stored_as
from workbench.data.source import TOLERATED, Item, Source
from workbench.data.store import INDEX, JOURNAL, Entry, Writer, read_index, read_journal, write_index
from workbench.data.summary import fingerprint, summarise
from workbench.errors import UserError

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

AT_ONCE = 4
"""Pictures that a worker takes at a time."""
WORTH_A_PROCESS = 24
"""With fewer pictures than this to decode, starting processes takes longer than they save."""


class Job(NamedTuple):
    """What a worker must know."""

    source: Source
    labels: Labels
    config: DataConfig


def prepare(
    config: DataConfig, out: str | Path, progress: Progress | None = None, workers: int | None = None
) -> Prepared:
    """Decode, resize and store the data set of a config; only what is new or changed is done.

    Interrupted and started again, it goes on where it was. While another process prepares the same folder, this one
    waits, and then finds it done. Pictures that cannot be read are left out and told in `facts["skipped"]`; more than
    one in twenty are refused. `workers` is the number of processes; None takes one a core.
    """
    source = with_corrections(open_source(config.path, config.layout, **config.options), config.corrections)
    out = Path(out)
    with _locked(out):
        return _prepare(Job(source, choose_labels(source, config), config), out, progress, workers)


def _prepare(job: Job, out: Path, progress: Progress | None, workers: int | None) -> Prepared:
    recipe = _recipe(job)
    arrays = f"arrays-{hashlib.blake2b(json.dumps(recipe).encode(), digest_size=6).hexdigest()}"
    done = _done_before(out, arrays)
    items = job.source.items
    pending = [item for item in items if outdated(item, job.source.root, done)]
    skipped: dict[str, str] = {}
    with closing(Writer(out / arrays)) as writer:
        if progress:
            progress(len(items) - len(pending), len(items))
        for count, (item, outcome) in enumerate(_outcomes(job, pending, done, workers), len(items) - len(pending) + 1):
            match outcome:
                case Problem(sentence):
                    skipped[item.name] = sentence
                    done.pop(item.name, None)
                case Unchanged(stamp):
                    done[item.name] = replace(done[item.name], stamp=stamp)
                    writer.note(done[item.name])
                case Decoded(stored, entry):
                    done[item.name] = replace(entry, offsets=writer.append(stored))
                    writer.note(done[item.name])
            if progress:
                progress(count, len(items))
    _refuse_many(job.source, skipped)
    entries = [done[item.name] for item in items if item.name in done]
    write_index(out, _index(job, recipe, arrays, entries, skipped))
    _tidy(out, arrays)
    return open_prepared(out)


def _recipe(job: Job) -> dict[str, Any]:
    """All that the stored arrays depend on beside the files."""
    return {
        "layout": job.source.layout,
        "drawn": str(job.source.root) if job.source.layout == "shapes" else None,
        "options": {name: job.config.options[name] for name in sorted(job.config.options) if name != "count"},
        **stored_as(job.config.preprocessing),
        "mode": job.labels.task.mode,
        "values": [list(pair) for pair in job.labels.values],
        "snap": job.labels.snap,
        "objects": job.labels.objects,
    }


def _done_before(out: Path, arrays: str) -> dict[str, Entry]:
    index = read_index(out) if (out / INDEX).exists() else None
    known = map(Entry.from_json, index["entries"]) if index and index["arrays"] == arrays else ()
    return {entry.name: entry for entry in known} | read_journal(out / arrays)


def _outcomes(
    job: Job, items: Sequence[Item], done: dict[str, Entry], workers: int | None
) -> Iterator[tuple[Item, Outcome]]:
    tasks = [(item, done[item.name].content if item.name in done else None) for item in items]
    workers = workers or usable_cores()
    if workers == 1 or len(tasks) < WORTH_A_PROCESS:
        for item, content in tasks:
            yield item, decode(item, job.source, job.labels, job.config.preprocessing, content)
        return
    yield from _in_processes(job, tasks, workers)


def _in_processes(job: Job, tasks: Sequence[tuple[Item, str | None]], workers: int) -> Iterator[tuple[Item, Outcome]]:
    """As they come; a few chunks are on the way for each worker, whatever the number of pictures."""
    chunks = iter(tasks[start : start + AT_ONCE] for start in range(0, len(tasks), AT_ONCE))
    slim = job._replace(source=job.source.keep(()))
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    context.set_forkserver_preload(["__main__", __name__])  # once for all workers
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(slim,))
    try:
        running: set[Future] = {pool.submit(_work, chunk) for chunk in islice(chunks, 3 * workers)}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                running |= {pool.submit(_work, chunk) for chunk in islice(chunks, 1)}
                yield from future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "A process that prepared pictures died: the memory was full, a file crashed its decoder, or a script that "
            "prepares lacks `if __name__ == '__main__':`. What was done is kept; one worker needs no such process."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_job: Job | None = None


def _start_worker(job: Job) -> None:
    global _job
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that waits for this one stops it
    _keep_freed_memory()
    _job = job


def _keep_freed_memory() -> None:
    """Getting the same megabytes from the system anew for every picture would take a quarter of all time."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # only glibc has it
        return
    trim_threshold, mmap_threshold = -1, -3
    mallopt(trim_threshold, 128 << 20)
    mallopt(mmap_threshold, 32 << 20)


def _work(chunk: Iterable[tuple[Item, str | None]]) -> list[tuple[Item, Outcome]]:
    assert _job is not None
    source, labels, config = _job
    return [(item, decode(item, source, labels, config.preprocessing, content)) for item, content in chunk]


def _refuse_many(source: Source, skipped: dict[str, str]) -> None:
    if len(skipped) > TOLERATED * len(source.items):
        first = next(iter(skipped.values()))
        raise UserError(
            f"{len(skipped)} of {len(source.items)} pictures in {source.root} cannot be prepared. The first: {first} "
            "`workbench data check` tells all of them."
        )


def _index(
    job: Job, recipe: dict[str, Any], arrays: str, entries: list[Entry], skipped: dict[str, str]
) -> dict[str, Any]:
    config, source = job.config, job.source
    task = complete_task(job.labels, max(len(entry.class_pixels) for entry in entries))
    splits, report = assign_splits(config, source, entries)
    corrected = [item.name for item in source.items if item.corrected]
    if corrected:
        refuse_corrected_tests(corrected, splits.test)
        report.append(f"Corrected by hand: the masks of {count_of(corrected, 'picture')}.")
    if skipped:
        report.append(f"Left out, since they cannot be read: {'; '.join(skipped.values())}")
    return {
        "arrays": arrays,
        "recipe": recipe,
        "source": {"path": str(Path(config.path).absolute()) if source.layout != "shapes" else config.path}
        | {"layout": source.layout, "options": config.options, "corrections": config.corrections},
        "task": task.model_dump(mode="json"),
        "labels": {"values": recipe["values"], "snap": job.labels.snap, "objects": job.labels.objects},
        "splits": splits._asdict(),
        "facts": summarise(task, entries, splits)
        | {
            "fingerprint": fingerprint(recipe, entries, splits),
            "report": [source.report, job.labels.report, *report],
            "skipped": skipped,
        },
        "entries": [entry.to_json() for entry in entries],
    }


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """One process at a time; the lock ends with the process that holds it."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file: name a folder to prepare into.")
    if out.is_dir() and any(out.iterdir()) and not (out / ".lock").exists():
        raise UserError(f"{out} holds other files: name a new folder, or one that was prepared before.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {out} cannot be made: {error.strerror}.") from error
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("Another process is preparing %s: waiting for it.", out)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _tidy(out: Path, arrays: str) -> None:
    """What no index names any more."""
    for folder in out.glob("arrays-*"):
        if folder.name != arrays:
            shutil.rmtree(folder)
    (out / arrays / JOURNAL).unlink(missing_ok=True)

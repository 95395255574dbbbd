"""The bar that long work draws in a terminal; where nobody looks at one, it draws nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(unit: str, hidden: bool = False) -> Iterator[Callable[[int, int], None]]:
    """What functions take as `progress(done, total)`; the bar is gone when the block ends."""
    from tqdm import tqdm

    with tqdm(unit=unit, leave=False, disable=hidden or not sys.stderr.isatty()) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show

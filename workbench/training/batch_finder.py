"""The batch that fits into memory: tried on an accelerator, calculated on a CPU, whose memory may not be tried out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import torch
from accelerate.utils.memory import find_executable_batch_size, should_reduce_batch_size
from torch import Tensor

LARGEST = 64
"""Beyond, a batch hardly gets faster, and learns worse."""

SHARE_OF_MEMORY = 0.6
"""What a training on the CPU may take of the memory that is free, so that the machine stays usable."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether this is how any device says that its memory is full."""
    return isinstance(error, MemoryError) or should_reduce_batch_size(error)


def largest_that_fits(attempt: Callable[[int], None], start: int) -> int:
    """Halve `start` until an attempt does not run out of memory; 0 if none does."""
    batch = start

    def halve() -> int:
        nonlocal batch
        batch //= 2
        return batch

    def attempted(batch: int) -> int:
        attempt(batch)
        return batch

    try:
        return find_executable_batch_size(attempted, starting_batch_size=start, reduce_batch_size_fn=halve)()
    except RuntimeError as error:
        if "No executable batch size found" not in str(error):
            raise
        return 0


def largest_for_cpu(attempt: Callable[[int], None], fixed_bytes: int) -> int:
    """The largest power of two for which what is kept for the way back, measured with few pictures, has room."""
    of_picture = saved_bytes(lambda: attempt(3)) - saved_bytes(lambda: attempt(2))
    room = SHARE_OF_MEMORY * free_memory() - fixed_bytes
    batch = 1
    # Half as much again for the gradients that lie beside it.
    while batch < LARGEST and 2 * batch * 1.5 * of_picture <= room:
        batch *= 2
    return batch


def saved_bytes(work: Callable[[], None]) -> int:
    """Bytes that are kept for the way back, each stretch of memory counted once."""
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        work()
    return sum(sizes.values())


def free_memory() -> int:
    """Bytes that this process may still take, within the limits of its container."""
    free = psutil.virtual_memory().available
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        free = min(free, int(text) - int(used.read_text()))
    return max(free, 0)

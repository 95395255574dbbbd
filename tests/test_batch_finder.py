"""The batch that fits: tried where trying is safe, and calculated where it is not."""

import pytest
import torch
from small_training import Discs, SmallNet, trainer, weights
from torch import nn

from workbench.training import batch_finder
from workbench.training.batch_finder import LARGEST, free_memory, largest_for_cpu, largest_that_fits, saved_bytes


@pytest.mark.parametrize(("most", "found"), [(9, 8), (5, 4), (0, 0)])
def test_halving_until_it_fits(most, found):
    tried = []

    def attempt(batch):
        tried.append(batch)
        if batch > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB.")

    assert largest_that_fits(attempt, 8) == found
    assert tried == [8 >> step for step in range(len(tried))]


def test_an_error_of_another_kind_is_not_taken_for_full_memory():
    def attempt(batch):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        largest_that_fits(attempt, 4)


def test_saved_bytes_are_those_kept_for_the_way_back():
    x = torch.rand(5, 100, requires_grad=True)
    assert saved_bytes(lambda: (x.exp() * 2).sum().backward()) == 5 * 100 * 4
    layer = nn.Linear(100, 10)
    assert saved_bytes(lambda: layer(x.detach()).sum()) == 5 * 100 * 4


def test_the_batch_for_a_cpu_follows_from_its_free_memory(monkeypatch):
    def attempt(batch):
        torch.rand(batch, 1000, requires_grad=True).exp().sum().backward()

    def with_free(bytes_):
        monkeypatch.setattr(batch_finder, "free_memory", lambda: bytes_)
        return largest_for_cpu(attempt, fixed_bytes=1_000_000)

    assert with_free(0) == 1
    assert with_free(int((1_000_000 + 1.5 * 4000 * 9) / batch_finder.SHARE_OF_MEMORY)) == 8
    assert with_free(10**12) == LARGEST


def test_free_memory_is_that_of_the_machine_or_less():
    import psutil

    assert 0 < free_memory() <= psutil.virtual_memory().total


def test_batch_auto_is_found_once_and_kept_over_a_resume(monkeypatch):
    monkeypatch.setattr(batch_finder, "free_memory", lambda: 8_000_000)
    torch.manual_seed(0)
    model = SmallNet(width=32)
    before = weights(model)
    training = trainer(model, train=Discs(40, size=32), batch="auto")
    batch = training.course.order.batch
    assert batch in (2, 4, 8, 16)
    assert torch.equal(weights(training.evaluated_model), before)
    assert all(parameter.grad is None for parameter in model.parameters())
    next(iter(training))
    monkeypatch.setattr(batch_finder, "free_memory", lambda: 10**12)
    again = trainer(SmallNet(width=32), train=Discs(40, size=32), batch="auto")
    again.load_state_dict(training.state_dict())
    assert again.course.order.batch == batch
    assert trainer(train=40, batch="auto").course.order.batch == 32

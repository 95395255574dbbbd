"""Every picture once an epoch, in an order that follows from seed and epoch, cut into steps that can be taken up."""

from itertools import product

import numpy as np
import pytest

from workbench.training.order import Order, validation_batches

ORDERS = [
    Order(count, 7, batch, accumulation, remainder, processes)
    for count, batch, accumulation, remainder, processes in product(
        [1, 2, 3, 7, 9, 17, 40], [1, 2, 4], [1, 3], ["keep", "drop"], [1, 2, 3]
    )
    if count >= processes
]


def pictures_of(order, epoch=0, position=0):
    """A list of steps, each a list of processes, each a list of batches."""
    shares = [list(order._replace(process=process).steps(epoch, position)) for process in range(order.processes)]
    return list(zip(*shares, strict=True))


def test_an_epoch_uses_every_picture_once():
    for order in ORDERS:
        steps = pictures_of(order)
        used = [number for step in steps for share in step for batch in share.batches for number in batch]
        assert len(used) == len(set(used)) == order.used, order
        assert set(used) <= set(range(order.pictures)), order
        assert order.used == order.pictures or order.remainder == "drop"
        assert order.pictures - order.used < order.whole
        assert order.count() == len(steps)
        for step in steps:
            assert {share.pictures for share in step} == {sum(len(b) for share in step for b in share.batches)}


def test_no_batch_has_a_single_picture_where_larger_ones_were_asked_for():
    for order in ORDERS:
        if order.pictures >= 2 * order.processes:
            sizes = [len(b) for step in pictures_of(order) for share in step for b in share.batches]
            assert min(sizes) >= min(order.batch, 2), order
            assert max(sizes) <= order.batch + (order.batch == 2), order


def test_the_steps_that_are_left_are_the_same_from_every_step():
    for order in ORDERS:
        whole = list(order.steps(epoch=3))
        position = 0
        for done, step in enumerate(whole):
            left = list(order.steps(epoch=3, position=position))
            assert order.count(position) == len(left) == len(whole) - done
            assert str(left[:1] + left[-1:]) == str([step, whole[-1]]), order
            position += step.pictures
        assert order.count(position) == 0


def test_the_order_follows_from_seed_and_epoch():
    def numbers(seed, epoch, **kwargs):
        order = Order(20, seed, 4, **kwargs)
        steps = pictures_of(order, epoch)
        return [sorted(int(n) for share in step for b in share.batches for n in b) for step in steps]

    assert numbers(0, 0) == numbers(0, 0) != numbers(0, 1)
    assert numbers(0, 0) != numbers(1, 0)
    four_steps = [number for step in numbers(0, 2)[:4] for number in step]
    assert numbers(0, 2, accumulation=2, processes=2)[0] == sorted(four_steps)


def test_what_is_left_over():
    sizes = {
        (9, 4): [4, 3, 2],
        (10, 4): [4, 4, 2],
        (8, 4): [4, 4],
        (5, 2): [2, 3],
        (3, 1): [1, 1, 1],
        (1, 4): [1],
    }
    for (count, batch), expected in sizes.items():
        assert [step.pictures for step in Order(count, 0, batch).steps(0)] == expected
    assert [step.pictures for step in Order(9, 0, 4, remainder="drop").steps(0)] == [4, 4]
    assert [step.pictures for step in Order(3, 0, 4, remainder="drop").steps(0)] == [3]


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
def test_validation_sees_every_picture_once_in_the_same_batches(processes):
    batches = [b for p in range(processes) for b in validation_batches(11, 4, processes, p)]
    batches.sort(key=lambda batch: batch[0])
    assert [batch.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert np.concatenate(batches).tolist() == list(range(11))

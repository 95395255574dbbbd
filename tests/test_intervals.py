"""Bootstrap intervals against what is known of them."""

import numpy as np
import pytest

from workbench.inference.intervals import bootstrap, weighted_mean


def test_the_interval_of_a_mean_is_that_of_the_central_limit():
    values = np.random.default_rng(1).normal(0.7, 0.1, size=(400, 1))
    (interval,) = bootstrap(weighted_mean(values), 400, draws=4000)
    error = values.std() / np.sqrt(400)
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error + 5e-4)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error + 5e-4)


def test_equal_pictures_leave_nothing_to_chance():
    (interval,) = bootstrap(weighted_mean(np.full((7, 1), 0.25)), 7)
    assert interval == pytest.approx((0.25, 0.25, 0.25))


def test_the_seed_fixes_the_draws():
    values = np.random.default_rng(0).random((20, 2))
    assert bootstrap(weighted_mean(values), 20, seed=3) == bootstrap(weighted_mean(values), 20, seed=3)
    assert bootstrap(weighted_mean(values), 20, seed=3) != bootstrap(weighted_mean(values), 20, seed=4)


def test_pictures_that_say_nothing_take_no_part():
    values = np.array([[0.2], [np.nan], [0.4]])
    (interval,) = bootstrap(weighted_mean(values), 3)
    assert interval.value == pytest.approx(0.3)
    assert (interval.low, interval.high) == pytest.approx((0.2, 0.4))
    (nothing,) = bootstrap(weighted_mean(np.full((3, 1), np.nan)), 3)
    assert np.isnan(nothing).all()

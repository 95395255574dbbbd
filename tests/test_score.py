"""Expressions of scores: their values, and a sentence for what cannot be one."""

from math import inf

import pytest

from workbench.errors import UserError
from workbench.training.score import Score

VALUES = {"jaccard": 0.5, "dice": 0.75, "loss": 0.2, "jaccard[road]": 0.1, "dice[traffic light]": 0.3, "batch_iou": 0.0}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("jaccard + dice", 1.25),
        ("dice", 0.75),
        ("-loss", -0.2),
        ("2 * jaccard - dice / 3 + .5", 1.25),
        ("(jaccard + dice) / 2", 0.625),
        ("jaccard[road]", 0.1),
        ("dice['traffic light']", 0.3),
        ("miou + iou", 1.0),
        ("miou[road]", 0.1),
        ("dice / batch_iou", -inf),
    ],
)
def test_values(expression, value):
    assert Score(expression, tuple(VALUES))(VALUES) == pytest.approx(value)


def test_a_score_that_says_nothing_is_the_worst():
    assert Score("jaccard + precision", ("jaccard", "precision"))({"jaccard": 1.0}) == -inf


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("accuracy", ["accuracy is none of the scores", "jaccard, dice"]),
        ("jaccard[sky]", ["jaccard[sky] is none of the scores"]),
        ("jaccard +", ["cannot be read"]),
        ("", ["cannot be read"]),
        ("max(jaccard, dice)", ["only names, numbers and + - * /"]),
        ("__import__('os').system('ls')", ["only names"]),
        ("dice ** 9999", ["only names"]),
        ("'dice'", ["only names"]),
    ],
)
def test_what_is_no_score_is_one_sentence(expression, words):
    with pytest.raises(UserError) as caught:
        Score(expression, tuple(VALUES))
    assert all(word in str(caught.value) for word in ["training.best", *words]), caught.value

import numpy as np
import pytest

from workbench.data.splits import (
    Splits,
    check_splits,
    groups_by_pattern,
    join_groups,
    read_splits,
    split_by_folds,
    split_by_fractions,
    write_splits,
)
from workbench.errors import UserError


def names_of(count):
    return [f"picture_{number:05d}" for number in range(count)]


def test_sizes_are_those_of_the_original_isic_split():
    splits = split_by_fractions(names_of(2594), (0.7, 0.1, 0.2))
    assert [len(part) for part in splits] == [1815, 259, 520]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 10, 11, 101])
@pytest.mark.parametrize("fractions", [(0.7, 0.1, 0.2), (0.8, 0.2, 0.0), (1.0, 0.0, 0.0), (0.6, 0.4, 0.0)])
def test_every_name_is_in_one_split_and_none_that_is_asked_for_is_empty(count, fractions):
    splits = split_by_fractions(names_of(count), fractions)
    assert sorted(sum(splits, ())) == names_of(count)
    for part, fraction in zip(splits, fractions, strict=True):
        assert fraction or not part
        if count >= 3 and fraction:
            assert abs(len(part) - count * fraction) < 2
            assert part


def test_seed_decides():
    one, again, other = (split_by_fractions(names_of(100), seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert set(one.test) != set(other.test)


def test_order_of_the_names_does_not_decide():
    names = names_of(100)
    assert set(split_by_fractions(names, seed=3).test) == set(split_by_fractions(names[::-1], seed=3).test)


def test_groups_stay_together():
    names = names_of(300)
    rng = np.random.default_rng(0)
    groups = {name: f"patient {rng.integers(60)}" for name in names[:250]}
    splits = split_by_fractions(names, (0.6, 0.2, 0.2), groups=groups)
    found = [{groups[name] for name in part if name in groups} for part in splits]
    assert not found[0] & found[1]
    assert not found[0] & found[2]
    assert not found[1] & found[2]
    assert [abs(len(part) - goal) <= 3 for part, goal in zip(splits, (180, 60, 60), strict=True)] == [True] * 3


def test_one_group_larger_than_its_split_still_goes_somewhere_whole():
    names = names_of(10)
    splits = split_by_fractions(names, (0.5, 0.5, 0.0), groups=dict.fromkeys(names[:8], "one"))
    assert sorted(map(len, splits)) == [0, 2, 8]


def test_no_split_is_empty_while_there_are_groups_enough():
    groups = dict.fromkeys(names_of(62), "volume")
    splits = split_by_fractions(names_of(64), groups=groups)
    assert sorted(map(len, splits)) == [1, 1, 62]


def test_shares_are_spread():
    names = names_of(400)
    shares = {name: (number % 100) ** 3 / 1e6 for number, name in enumerate(names)}
    spread = split_by_fractions(names, (0.5, 0.25, 0.25), shares=shares)
    means = [np.mean([shares[name] for name in part]) for part in spread]
    assert max(means) - min(means) < 0.02
    blind = [split_by_fractions(names, (0.5, 0.25, 0.25), seed=seed) for seed in range(5)]
    wide = [np.ptp([np.mean([shares[name] for name in part]) for part in splits]) for splits in blind]
    assert np.mean(wide) > max(means) - min(means)


def test_every_name_validates_in_one_fold():
    names = names_of(53)
    groups = {name: name[:-1] for name in names}
    folds = [split_by_folds(names, 5, fold, groups=groups, seed=4) for fold in range(5)]
    assert sorted(name for splits in folds for name in splits.valid) == names
    for splits in folds:
        assert sorted(splits.train + splits.valid) == names
        assert not {groups[name] for name in splits.train} & {groups[name] for name in splits.valid}


def test_folds_are_refused_in_a_sentence():
    with pytest.raises(UserError, match="no fold 5 of 5"):
        split_by_folds(names_of(10), 5, 5)
    with pytest.raises(UserError, match="there are 3"):
        split_by_folds(names_of(3), 5, 0)


@pytest.mark.parametrize("fractions", [(0.7, 0.1, 0.1), (0.5, -0.1, 0.6), (0.0, 0.5, 0.5)])
def test_fractions_are_refused_in_a_sentence(fractions):
    with pytest.raises(UserError, match="add up to 1"):
        split_by_fractions(names_of(10), fractions)


def test_groups_by_pattern():
    names = ["p01_left", "p01_right", "p02_left", "other"]
    assert groups_by_pattern(names, r"^(p\d+)_") == {"p01_left": "p01", "p01_right": "p01", "p02_left": "p02"}
    assert groups_by_pattern(names, r"^p\d+")["p02_left"] == "p02"
    with pytest.raises(UserError, match="not a regular expression"):
        groups_by_pattern(names, "(")
    with pytest.raises(UserError, match="found in none of 4 names"):
        groups_by_pattern(names, "patient")


def test_join_groups_is_transitive():
    joined = join_groups({"a": "1", "b": "1", "e": "2"}, {"b": "x", "c": "x", "d": "y"})
    assert joined["a"] == joined["b"] == joined["c"]
    assert len({joined["a"], joined["d"], joined["e"]}) == 3


def test_a_group_with_the_name_of_a_picture_does_not_catch_it():
    joined = join_groups({"a": "b", "c": "b"}, {"b": "z"})
    assert joined["a"] == joined["c"] != joined["b"]
    splits = split_by_fractions(["a", "b", "c"], (2 / 3, 1 / 3, 0.0), groups={"a": "b", "c": "b"})
    assert {frozenset(part) for part in splits} == {frozenset("ac"), frozenset("b"), frozenset()}


def test_file_there_and_back(tmp_path):
    splits = split_by_fractions(names_of(20))
    write_splits(tmp_path / "split.json", splits)
    assert read_splits(tmp_path / "split.json", names_of(20)) == splits
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"train": ["a"], "valid": ["a"]}', r"names twice \(a\)"),
        ('{"train": ["a", "a"]}', r"names twice \(a\)"),
        ('{"train": ["a", "q"], "valid": ["b"]}', r"names that are not in the data \(q\)"),
        ('{"valid": ["b"]}', "nothing to train on"),
        ('{"train": ["a"], "dev": ["b"]}', "must hold a list of names"),
        ('{"train": "ab"}', "must hold a list of names"),
        ("[1, 2", "cannot be read as JSON"),
    ],
)
def test_wrong_files_are_refused_in_a_sentence(tmp_path, text, sentence):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_splits(tmp_path / "split.json", ["a", "b"])


def test_no_file():
    with pytest.raises(UserError, match="no split file"):
        read_splits("nowhere.json", ["a"])


def test_check_passes_what_is_right():
    check_splits(Splits(("a",), ("b",)), {"a", "b", "c"}, "This")

import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.split import (
    Fold,
    Labelled,
    SplitAssignment,
    assign,
    read_split,
    write_split,
)
from striate.errors import UserError


def pictures(*counts: int) -> list[Labelled]:
    return [
        Labelled(f"{label}/{number}.jpg", label)
        for label, count in enumerate(counts)
        for number in range(count)
    ]


def by_class(part: tuple[Labelled, ...]) -> dict[int, int]:
    return dict(Counter(label for _, label in part))


class TestAssign:
    def test_fractions(self) -> None:
        drawn = assign({"train": pictures(100, 50)}, seed=0)
        assert by_class(drawn.test) == {0: 20, 1: 10}
        assert by_class(drawn.val) == {0: 8, 1: 4}
        assert by_class(drawn.train) == {0: 72, 1: 36}

    def test_tiny_classes(self) -> None:
        drawn = assign({"train": pictures(1, 2, 3, 4)}, seed=0)
        assert by_class(drawn.train) == {0: 1, 1: 2, 2: 1, 3: 2}
        assert by_class(drawn.val) == by_class(drawn.test) == {2: 1, 3: 1}

    def test_given_splits_are_kept(self) -> None:
        test, val = [Labelled("test/x", 0)], [Labelled("val/x", 0)]
        drawn = assign({"train": pictures(30), "val": val, "test": test}, seed=0)
        assert (drawn.val, drawn.test) == (tuple(val), tuple(test))
        assert len(drawn.train) == 30
        drawn = assign({"train": pictures(30), "val": val}, seed=0)
        assert (len(drawn.train), drawn.val, len(drawn.test)) == (24, tuple(val), 6)

    def test_val_beside_a_given_test_is_capped(self) -> None:
        drawn = assign({"train": pictures(30_000, 30_000), "test": []}, seed=0)
        assert by_class(drawn.val) == {0: 2_500, 1: 2_500}
        drawn = assign({"train": pictures(100), "test": []}, seed=0)
        assert by_class(drawn.val) == {0: 10}

    def test_another_share_is_held_out_to_validate_or_none(self) -> None:
        whole = assign({"train": pictures(100)}, seed=0)
        more = assign({"train": pictures(100)}, seed=0, val_fraction=0.25)
        none = assign({"train": pictures(100)}, seed=0, val_fraction=0)
        assert (len(more.train), len(more.val), len(more.test)) == (60, 20, 20)
        assert (len(none.train), len(none.val), len(none.test)) == (80, 0, 20)
        assert none.test == more.test == whole.test and set(whole.val) < set(more.val)

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(), st.randoms())
    def test_a_partition_whatever_the_order(
        self, counts: list[int], seed: int, random: Random
    ) -> None:
        everything = pictures(*counts)
        drawn = assign({"train": everything}, seed=seed)
        assert sorted(drawn.train + drawn.val + drawn.test) == sorted(everything)
        for label, count in enumerate(counts):
            shares = [by_class(part).get(label, 0) for part in (drawn.train, drawn.val, drawn.test)]
            assert shares[0] >= 1
            assert (min(shares) >= 1) == (count >= 3)
        random.shuffle(everything)
        assert assign({"train": everything}, seed=seed) == drawn

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(2, 12))
    def test_folds_test_every_picture_once(self, counts: list[int], count: int) -> None:
        everything = pictures(*counts)
        drawn = [assign({"train": everything}, seed=5, fold=Fold(i, count)) for i in range(count)]
        tested = sorted(each for one in drawn for each in one.test)
        assert tested == [each for each in sorted(everything) if counts[each.label] >= 3]
        for one in drawn:
            assert sorted(one.train + one.val + one.test) == sorted(everything)
            assert set(by_class(one.train)) == set(range(len(counts)))
            for label, tests in by_class(one.test).items():
                assert tests in (counts[label] // count, -(-counts[label] // count))

    def test_seeds_differ(self) -> None:
        everything = {"train": pictures(100)}
        assert assign(everything, seed=1) != assign(everything, seed=2)

    def test_an_added_picture_moves_few(self) -> None:
        before = assign({"train": pictures(500)}, seed=3)
        after = assign({"train": [*pictures(500), Labelled("0/new.jpg", 0)]}, seed=3)
        for split in ("train", "val", "test"):
            assert len(set(before.part(split)) ^ set(after.part(split))) <= 2


class TestRecord:
    CLASSES = ("plain", 'with, "comma"')

    def test_survives_the_file(self, tmp_path: Path) -> None:
        odd = Labelled(f"with/two\nlines, 🐼, {os.fsdecode(bytes([255]))}.jpg", 1)
        assignment = SplitAssignment(
            (Labelled("plain/a.jpg", 0), odd), (), (Labelled("plain/b.jpg", 0),)
        )
        path = tmp_path / "split.csv"
        write_split(path, assignment, self.CLASSES)
        assert read_split(path, self.CLASSES) == assignment
        assert path.read_text("utf-8", "surrogateescape").splitlines()[:2] == [
            "split,class,file",
            "train,plain,plain/a.jpg",
        ]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", ", line 1: found ''; expected 'split,class,file'."),
            ("a,b\n", ", line 1: found 'a,b'; expected 'split,class,file'."),
            ("split,class,file\ntrain,a\n", ", line 2: found 2 values; expected 3."),
            (
                "split,class,file\ndev,a,x\n",
                ", line 2: found split 'dev'; expected train, val or test.",
            ),
            ("split,class,file\ntest,c,x\n", ", line 2: found class 'c'; expected one of a, b."),
            (
                "split,class,file\ntest,a,x\ntrain,b,x\n",
                ", line 3: found 'x' a second time; expected each file once.",
            ),
            (
                'split,class,file\ntest,a,"' + "x" * 140_000,
                ": the recorded split is damaged (field larger than field limit (131072)).",
            ),
        ],
    )
    def test_refuses_what_it_did_not_write(self, tmp_path: Path, text: str, problem: str) -> None:
        path = tmp_path / "split.csv"
        path.write_text(text)
        with pytest.raises(UserError) as caught:
            read_split(path, ("a", "b"))
        assert str(caught.value) == f"{path}{problem}"

    def test_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "split.csv"
        with pytest.raises(UserError) as caught:
            read_split(path, ("a", "b"))
        assert str(caught.value) == (
            f"{path}: the recorded split cannot be read (No such file or directory).\n"
            "Fix: copy the whole run again, or name other pictures to test on: "
            f"striate test {tmp_path} FOLDER."
        )

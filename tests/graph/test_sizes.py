from __future__ import annotations

from striate.graph.sizes import FARTHEST, nearest_sizes


def test_the_nearest_on_either_side() -> None:
    assert nearest_sizes((30, 30), lambda size: size[0] % 8 == 0, 1000) == ((24, 24), (32, 32))


def test_one_axis_of_an_oblong_may_change_alone() -> None:
    def fits(size: tuple[int, int]) -> bool:
        return size[0] % 8 == 0 and size[1] % 8 == 0

    assert nearest_sizes((30, 64), fits, 1000) == ((24, 64), (32, 64))


def test_far_sizes_are_multiples() -> None:
    assert nearest_sizes((30, 30), lambda size: size[0] > 30 + FARTHEST, 1000) == ((120, 120),)


def test_no_more_tries_than_allowed() -> None:
    tried: list[tuple[int, int]] = []

    def fits(size: tuple[int, int]) -> bool:
        tried.append(size)
        return False

    assert nearest_sizes((100, 100), fits, 10) == ()
    assert len(tried) == 10

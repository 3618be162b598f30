"""Convolutions of every setting, with numbers that are not whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import assume
from hypothesis import strategies as st

from striate.drawing.scene import Scene, Text, extent
from striate.equalities import Case, case_of
from striate.errors import NotationError


@st.composite
def _cases(draw, kernel_size: int | None = None) -> Case:
    groups = draw(st.integers(1, 2))
    channels, filters = (groups * draw(st.integers(1, 2)) for _ in range(2))
    height, width = (draw(st.integers(1, 9)) for _ in range(2))
    kernel = "x".join(str(kernel_size or draw(st.integers(1, 3))) for _ in range(2))
    stride, dilation = (
        "x".join(str(draw(st.integers(1, most))) for _ in range(2)) for most in (3, 2)
    )
    padding = draw(st.sampled_from(["same", "valid", "full", "p1", "p0x2"]))
    bias = draw(st.sampled_from(["", " nobias"]))
    if kernel_size == 1:
        padding = "valid"
    text = f"conv{kernel}-{filters}/{stride} {padding} d{dilation} g{groups}{bias}"
    try:
        whole = case_of(text, (channels, height, width), draw(st.integers(0, 5)))
    except NotationError:
        assume(False)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))

    def drawn(like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=generator, dtype=torch.float64)

    bias_values = drawn(whole.bias) if not bias else whole.bias
    return Case(whole.layer, drawn(whole.image), drawn(whole.weight), bias_values)


CASES = _cases()
POINTWISE = _cases(kernel_size=1)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small arithmetic gains nothing from more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _assert_whole(scene: Scene) -> None:
    """Everything inside the picture, no name or number over another one."""
    boxes = []
    for shape in scene.shapes:
        left, top, right, bottom = extent(shape)
        assert left >= 0 and top >= 0 and right <= scene.width and bottom <= scene.height, shape
        if isinstance(shape, Text):
            boxes.append((top, left, right, bottom, shape.text))
    boxes.sort()
    for index, (top, left, right, bottom, text) in enumerate(boxes):
        for other_top, other_left, other_right, _, other in boxes[index + 1 :]:
            if other_top >= bottom:
                break
            assert right <= other_left or other_right <= left, (text, other, top)


@pytest.fixture(scope="session")
def assert_whole() -> Callable[[Scene], None]:
    """Fails for a picture with texts that overlap or things that stand outside of it."""
    return _assert_whole

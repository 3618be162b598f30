"""Max-unpooling: values put back where a max pool found them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, MismatchError, Pair, Role, Shape, SizeError, Window, show
from striate.layers.pooling import MaxPool

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Unpool(Layer):
    """Undoes a max pool: each value goes where the largest of its window was, zeros elsewhere.

    Its inputs are the values and the pool's own output, of one shape; beside these it is given the
    shape of the pool's input, which its output has again, rows that the pool left over too
    (Zeiler, Taylor & Fergus 2011; SegNet, Badrinarayanan et al. 2015). Where windows overlap, one
    of the values that claim a position gets it.
    """

    pool: MaxPool

    words: ClassVar[tuple[str, ...]] = ("unpool",)
    role: ClassVar[Role] = "pool"
    example: ClassVar[str] = "p1: pool2 -> unpool p1"
    summary: ClassVar[str] = "max-unpooling with the indices of a pool"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        values, pooled, whole = inputs
        if len(values) != 3:
            raise MismatchError(
                f"unpool needs as many values as its pool gave, {show(pooled)}, but its input is a "
                f"vector of {values[0]:,}. Move it before the first fc or flatten"
            )
        if values[0] != pooled[0]:
            raise MismatchError(
                f"unpool needs a value for each that its pool gave, {show(pooled)}, but its input "
                f"is {show(values)}. Bring back its channels with conv1-{pooled[0]} before it"
            )
        if values != pooled:
            raise SizeError(
                f"unpool needs a value for each that its pool gave, {show(pooled)}, but its input "
                f"is {show(values)}. Unpool the pools in the opposite order, and keep the size "
                "between a pool and its unpool"
            )
        return whole

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        """A position may take from every window of the pool that it was in."""
        kernel_size, stride = self.pool.kernel_size, self.pool.step
        padding = self.pool.torch_padding((inputs[2],))
        return Window(
            kernel_size=kernel_size,
            stride=(Fraction(1, stride[0]), Fraction(1, stride[1])),
            before=_steps(kernel_size, stride, padding),
            dilation=(Fraction(1, stride[0]), Fraction(1, stride[1])),
        )

    def keeps_turns(self, inputs: tuple[Shape, ...]) -> bool:
        return self.pool.keeps_turns((inputs[2],))

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        """Called with the values, the pool's indices and the size of the pool's input."""
        from torch import nn

        padding = self.pool.torch_padding((inputs[2],))
        return nn.MaxUnpool2d(self.pool.kernel_size, self.pool.step, padding)


def _steps(kernel_size: Pair, stride: Pair, padding: Pair) -> tuple[Fraction, Fraction]:
    """Where the first of the pool's windows that holds position 0 starts, in units of windows."""
    rows, columns = (
        Fraction(kernel_size[axis] - 1 - padding[axis], stride[axis]) for axis in (0, 1)
    )
    return rows, columns

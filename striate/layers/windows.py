"""The arithmetic of sliding a window (Dumoulin & Visin, arXiv 1603.07285), one axis at a time."""

from __future__ import annotations

from dataclasses import dataclass

from striate.layers.base import Pair, Shape, SizeError, Window, volume

Padding = str | int | Pair
"""`same`, `valid`, `full`, or the rows and columns of zeros added on every side."""

MAX_SIZE = 2**31


@dataclass(frozen=True)
class Axis:
    """One axis of a sliding window: sizes in units of its input."""

    size: int
    kernel_size: int
    stride: int
    before: int
    after: int
    dilation: int

    @property
    def extent(self) -> int:
        """The kernel's length with its dilation: `F + (F-1)(D-1)`."""
        return effective(self.kernel_size, self.dilation)

    @property
    def room(self) -> int:
        """Steps of one unit that the window can take over the padded input."""
        return self.size + self.before + self.after - self.extent

    def positions(self, ceil: bool = False) -> int:
        """How many outputs there are along this axis.

        With `ceil`, a last window that starts inside the input or its leading padding counts
        although it hangs over the end (the rule of Caffe and torch).
        """
        count = self.room // self.stride + 1
        if ceil and self.room % self.stride and count * self.stride < self.size + self.before:
            count += 1
        return count


def effective(kernel_size: int, dilation: int) -> int:
    """The length of a dilated kernel."""
    return dilation * (kernel_size - 1) + 1


def pads(padding: Padding, kernel_size: Pair, stride: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """Padding before and after, for each axis.

    `same` keeps the size at stride 1 (an even kernel gets its odd row at the end, as torch does)
    and is `(F-1)//2` on both sides at larger strides.
    """
    result = []
    for axis in (0, 1):
        extent = effective(kernel_size[axis], dilation[axis])
        if padding == "valid":
            result.append((0, 0))
        elif padding == "full":
            result.append((extent - 1, extent - 1))
        elif padding == "same":
            half = (extent - 1) // 2
            result.append((half, extent - 1 - half) if stride[axis] == 1 else (half, half))
        elif isinstance(padding, int):
            result.append((padding, padding))
        else:
            assert not isinstance(padding, str)
            result.append((padding[axis], padding[axis]))
    return result[0], result[1]


def axes(
    word: str,
    inputs: tuple[Shape, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
) -> tuple[Axis, Axis]:
    """Both axes of a window over the one input. Raises SizeError when it does not fit."""
    _, *size = volume(word, inputs)
    around = pads(padding, kernel_size, stride, dilation)
    height, width = (
        Axis(size[i], kernel_size[i], stride[i], around[i][0], around[i][1], dilation[i])
        for i in (0, 1)
    )
    if height.room < 0 or width.room < 0:
        raise SizeError(_too_large(word, height, width))
    return height, width


def _too_large(word: str, height: Axis, width: Axis) -> str:
    padded = tuple(axis.size + axis.before + axis.after for axis in (height, width))
    needed = tuple(max(0, -(-(axis.extent - axis.size) // 2)) for axis in (height, width))
    fix = f"p{needed[0]}" if needed[0] == needed[1] else f"p{needed[0]}x{needed[1]}"
    dilated = "" if height.dilation == width.dilation == 1 else " (with its dilation)"
    return (
        f"{word}'s filter of {height.extent}×{width.extent}{dilated} is larger than its padded "
        f"input of {padded[0]}×{padded[1]}. Pad it with {fix}, use a smaller filter, "
        "or shrink the image less before it"
    )


def sliding(height: Axis, width: Axis) -> Window:
    """The receptive window of an ordinary convolution or pooling."""
    return Window(
        kernel_size=(height.kernel_size, width.kernel_size),
        stride=(height.stride, width.stride),
        before=(height.before, width.before),
        dilation=(height.dilation, width.dilation),
    )


def left_over(height: Axis, width: Axis) -> Pair:
    """Rows and columns of the padded input past the last window."""
    return height.room % height.stride, width.room % width.stride


def is_symmetric(height: Axis, width: Axis) -> bool:
    """Whether the windows lie on the image as they do on the image turned or mirrored."""
    rows, columns = (
        (axis.kernel_size, axis.stride, axis.before, axis.dilation) for axis in (height, width)
    )
    even = height.before == height.after and width.before == width.after
    return rows == columns and even and left_over(height, width) == (0, 0)


def really_lost(height: Axis, width: Axis) -> Pair:
    """Rows and columns of the input itself that the end cuts off.

    Neither padding nor the gap that a stride larger than the kernel leaves after every window.
    """
    rows, columns = left_over(height, width)
    return max(0, rows - _passed_over(height)), max(0, columns - _passed_over(width))


def _passed_over(axis: Axis) -> int:
    return axis.after + max(0, axis.stride - axis.extent)

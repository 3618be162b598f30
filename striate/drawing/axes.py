"""Axes of a plot: round ticks, and the frame that maps values to places."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from striate.drawing.scene import GREY, INK, Line, Point, Rect, Shape, Text, text_width

GRID = "#e6e6e6"
FRAME = "#8c8c8c"
_STEPS = (1, 2, 2.5, 5, 10)
_MOST_TICKS = 6
_TICK_SIZE = 9.0


def nice_ticks(low: float, high: float) -> tuple[float, ...]:
    """Multiples of a round step (1, 2, 2.5 or 5 times a power of ten) within `[low, high]`.

    Gives two to six. Raises ValueError unless both are finite and `low < high`.
    """
    if not (isfinite(low) and isfinite(high) and low < high):
        raise ValueError(f"an axis needs two finite ends in order, not {low} and {high}")
    power = 10.0 ** floor(log10((high - low) / _MOST_TICKS))
    for scale in (power, 10 * power):
        for factor in _STEPS:
            step = factor * scale
            first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
            if last - first + 1 <= _MOST_TICKS:
                return tuple(_tidy(i * step, step) for i in range(first, last + 1))
    raise AssertionError("ten times the power always has few enough ticks")


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Powers of ten within `[low, high]` (both positive); 1, 2, 5 of each when they are few."""
    first, last = floor(log10(low)), ceil(log10(high))
    every = max(1, ceil((last - first) / _MOST_TICKS))
    factors = (1, 2, 5) if last - first <= 2 else (1,)
    values = (f * 10.0**e for e in range(first, last + 1, every) for f in factors)
    return tuple(v for v in values if low * (1 - 1e-9) <= v <= high * (1 + 1e-9))


def tick_text(value: float) -> str:
    """A tick as people write it: `0.25`, `20,000`, `1e-05`."""
    if value == 0:
        return "0"
    if abs(value) < 1e-3 or abs(value) >= 1e7:
        return f"{value:g}".replace("-", "−")
    return f"{value:,.6f}".rstrip("0").rstrip(".").replace("-", "−")


def _tidy(value: float, step: float) -> float:
    return round(value, max(0, 2 - floor(log10(step)))) + 0.0


@dataclass(frozen=True)
class Axis:
    """One axis: the values at its two ends and where the ticks are."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    @property
    def room(self) -> float:
        """How much room the ticks' texts take beside a vertical axis."""
        return 12 + max((text_width(tick_text(tick), _TICK_SIZE) for tick in self.ticks), default=0)

    def share(self, value: float) -> float:
        """How far along the axis a value lies, from 0 to 1."""
        if self.log:
            return log10(value / self.low) / log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def linear_axis(low: float, high: float, margin: float = 0.04) -> Axis:
    """An axis that holds both values with a little room; equal ones get some too."""
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-290):
        spread = abs(low) / 2 or 0.5
        low, high = low - spread, high + spread
    room = margin * (high - low)
    return Axis(low - room, high + room, nice_ticks(low - room, high + room))


def log_axis(low: float, high: float) -> Axis:
    """A logarithmic axis for positive values."""
    low, high = low / 1.15, high * 1.15
    return Axis(low, high, log_ticks(low, high), log=True)


@dataclass(frozen=True)
class Frame:
    """A plot's rectangle and its two axes."""

    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def right(self) -> float:
        return self.left + self.width

    def place(self, x: float, y: float) -> Point:
        """Where a pair of values lies in the picture."""
        return (
            self.left + self.width * self.x.share(x),
            self.bottom - self.height * self.y.share(y),
        )

    def shapes(self, x_label: str, y_label: str) -> list[Shape]:
        """The grid, the frame, ticks and labels: `y.room + 14` to the left, 34 units below."""
        shapes: list[Shape] = []
        for tick in self.y.ticks:
            _, y = self.place(self.x.low, tick)
            shapes.append(Line(((self.left, y), (self.right, y)), GRID, 0.8))
            shapes.append(Text(self.left - 6, y + 3.2, tick_text(tick), _TICK_SIZE, "end"))
        for tick in self.x.ticks:
            x, _ = self.place(tick, self.y.low)
            shapes.append(Line(((x, self.bottom), (x, self.bottom + 4)), FRAME, 0.8))
            shapes.append(Text(x, self.bottom + 15, tick_text(tick), _TICK_SIZE, "middle"))
        shapes.append(Rect(self.left, self.top, self.width, self.height, stroke=FRAME))
        middle = (self.left + self.right) / 2
        shapes.append(Text(middle, self.bottom + 31, x_label, 10, "middle", colour=GREY))
        shapes.append(
            Text(
                self.left - self.y.room - 3,
                (self.top + self.bottom) / 2,
                y_label,
                10,
                "middle",
                colour=GREY,
                rotation=-90,
            )
        )
        return [shape for shape in shapes if not (isinstance(shape, Text) and not shape.text)]


def title_text(title: str, x: float, y: float) -> Text:
    """The heading of a plot."""
    return Text(x, y, title, 12, bold=True, colour=INK)

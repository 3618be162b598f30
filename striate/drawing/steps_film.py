"""A layer's arithmetic as a film: the input in blue, the window darker, the output in green."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from striate.drawing.film import Carried, Film, Shown
from striate.drawing.scene import GREY, INK, WHITE, Line, Polygon, Rect, Shape, Text, text_width
from striate.drawing.steps import Steps

READ, UNREAD, WINDOW = "#a5cdf0", "#e3eff9", "#6aaee6"
ZERO, BETWEEN = "#fcfcfc", "#eeeeee"
WEIGHT = "#8a3a00"
DONE, NOW, TO_COME = "#aee0c7", "#1d7a55", WHITE
_EDGE = {READ: "#6d9cc4", UNREAD: "#b9cfe2", ZERO: "#cfcfcf", BETWEEN: "#cfcfcf"}

_MOST_NUMBERED = 13
_MOST_TERMS = 25
_LARGEST_CELL, _NUMBERED_CELL, _SMALLEST_CELL = 30.0, 22.0, 4.0
_GAP = 26.0
_LINE = 17.0
_MARGIN = 14.0


@dataclass(frozen=True)
class _Grid:
    """Square cells of one size; `place` gives a cell's top left corner."""

    rows: range
    columns: range
    cell: float
    left: float = 0.0
    top: float = 0.0

    @property
    def width(self) -> float:
        return len(self.columns) * self.cell

    @property
    def height(self) -> float:
        return len(self.rows) * self.cell

    def at(self, left: float, middle: float) -> _Grid:
        """The same grid with its left edge and its horizontal middle there."""
        return _Grid(self.rows, self.columns, self.cell, left, middle - self.height / 2)

    def place(self, row: int, column: int) -> tuple[float, float]:
        return (
            self.left + (column - self.columns.start) * self.cell,
            self.top + (row - self.rows.start) * self.cell,
        )

    def square(self, row: int, column: int, fill: str, edge: str, line: float = 0.8) -> Rect:
        x, y = self.place(row, column)
        return Rect(x, y, self.cell, self.cell, fill, edge, line)

    def number(self, row: int, column: int, text: str, colour: str = INK) -> Text:
        x, y = self.place(row, column)
        size = min(13.0, self.cell * 0.46)
        half = self.cell / 2
        return Text(x + half, y + half + size * 0.36, text, size, "middle", colour=colour)


def film_of(steps: Steps, side: float = 330.0) -> Film:
    """The film of a layer's steps, without heading.

    Up to 13 cells a side the grids hold numbers, and every step is also written out; longer ones
    are drawn at the length `side`.
    """
    return _Stage(steps, side).film()


class _Stage:
    """Where the grids of one film stand, and what is painted there."""

    def __init__(self, steps: Steps, side: float) -> None:
        self.steps = steps
        rows, columns = steps.rows, steps.columns
        outputs = range(rows.positions), range(columns.positions)
        longest = max(map(len, (rows.cells, columns.cells, *outputs)))
        terms = rows.kernel_size * columns.kernel_size
        self.numbered = longest <= _MOST_NUMBERED and terms <= _MOST_TERMS
        cell = max(_SMALLEST_CELL, min(_LARGEST_CELL, side / longest))
        cell = max(cell, _NUMBERED_CELL) if self.numbered else cell
        lines = len(self._lines(0))
        given, made = _Grid(rows.cells, columns.cells, cell), _Grid(*outputs, cell)
        swept = _Grid(range(rows.kernel_size), range(columns.kernel_size), cell)
        tall = max(given.height, made.height, swept.height if self.with_filter else 0)
        middle = 20 + tall / 2
        self.given = given.at(_MARGIN, middle)
        x = _MARGIN + given.width
        if self.with_filter:
            self.filter = swept.at(x + _GAP, middle)
            x += _GAP + swept.width
        self.arrow = (x + 8, middle)
        self.made = made.at(x + _GAP + 22, middle)
        self.written_top = 20 + tall + 30
        right = self.made.left + max(made.width, text_width(self._names()[1], 10))
        self.width = max(right, _MARGIN + self._longest_line()) + _MARGIN
        self.height = self.written_top + lines * _LINE + 2

    @property
    def with_filter(self) -> bool:
        return self.numbered and self.steps.operation == "sum"

    def film(self) -> Film:
        count = self.steps.count
        title = f"{self.steps.node.name} in {count} steps"
        parts = (*self._ground(), *self._window(), *self._outputs(), *self._written())
        return Film(self.width, self.height, parts, count, title)

    def _names(self) -> tuple[str, str]:
        rows, columns = self.steps.rows, self.steps.columns
        stretched = rows.spread > 1 or columns.spread > 1
        given = f"input {rows.size}×{columns.size}"
        if stretched:
            given += f", stretched to {rows.length}×{columns.length}"
        return given, f"output {rows.positions}×{columns.positions}"

    def _ground(self) -> Iterator[Shape]:
        """What never changes: the names, the arrow, empty cells."""
        given, made = self._names()
        yield Text(self.given.left, self.given.top - 6, given, 10, colour=GREY)
        yield Text(self.made.left, self.made.top - 6, made, 10, colour=GREY)
        for row in self.given.rows:
            for column in self.given.columns:
                fill = self._fill(row, column)
                if fill:
                    yield self.given.square(row, column, fill, _EDGE[fill])
        x, y = self.arrow
        yield Line(((x, y), (x + 22, y)), GREY, 1.4)
        yield Polygon(((x + 28, y), (x + 20, y - 4), (x + 20, y + 4)), GREY)
        for i in self.made.rows:
            for j in self.made.columns:
                yield self.made.square(i, j, TO_COME, "#b5d3c5")

    def _fill(self, row: int, column: int) -> str:
        """The colour of a cell of the input's grid; none where only a window hangs over."""
        rows, columns = self.steps.rows, self.steps.columns
        if self.steps.value((row, column)) is not None:
            read = row in rows.read and column in columns.read
            return READ if read else UNREAD
        if 0 <= row < rows.length and 0 <= column < columns.length:
            return BETWEEN
        return ZERO if rows.is_padded(row) and columns.is_padded(column) else ""

    def _window(self) -> Iterator[Shape | Carried]:
        rows, columns = self.steps.rows, self.steps.columns
        taps = [
            (i * rows.dilation, j * columns.dilation)
            for i in range(rows.kernel_size)
            for j in range(columns.kernel_size)
        ]
        cell = self.given.cell
        squares = [Rect(j * cell, i * cell, cell, cell, WINDOW, "#2f6da6") for i, j in taps]
        frame = Rect(0, 0, columns.extent * cell, rows.extent * cell, "", "#1f4e7a", 1.8)
        places = tuple(self._corner(step) for step in range(self.steps.count))
        yield Carried((*squares, frame), places)
        if not self.numbered:
            return
        yield from self._input_numbers()
        if self.with_filter:
            small = min(8.5, cell * 0.3)
            yield Carried(
                tuple(
                    Text(
                        (j + 1) * cell - 2.5,
                        (i + 1) * cell - 3,
                        str(weight),
                        small,
                        "end",
                        True,
                        WEIGHT,
                    )
                    for (i, j), weight in zip(taps, self.steps.weights, strict=True)
                ),
                places,
            )
            yield from self._filter_panel()

    def _corner(self, step: int) -> tuple[float, float]:
        i, j = self.steps.output_of(step)
        return self.given.place(self.steps.rows.start(i), self.steps.columns.start(j))

    def _input_numbers(self) -> Iterator[Text]:
        for row in self.given.rows:
            for column in self.given.columns:
                value = self.steps.value((row, column))
                if value is not None:
                    yield self.given.number(row, column, str(value))
                elif self._fill(row, column) and self.steps.operation not in ("max", "min"):
                    yield self.given.number(row, column, "0", "#64707a")

    def _filter_panel(self) -> Iterator[Shape]:
        grid = self.filter
        name = "filter, turned" if self.steps.turned else "filter"
        yield Text(grid.left, grid.top - 6, name, 10, colour=GREY)
        for index, weight in enumerate(self.steps.weights):
            i, j = divmod(index, len(grid.columns))
            yield grid.square(i, j, "#f6e3cf", "#c9a27a")
            yield grid.number(i, j, str(weight))

    def _outputs(self) -> Iterator[Shown | Carried]:
        last = self.steps.count - 1
        for step in range(self.steps.count):
            i, j = self.steps.output_of(step)
            shapes: tuple[Shape, ...] = (self.made.square(i, j, DONE, "#6fb596"),)
            if self.numbered:
                shapes += (self.made.number(i, j, result_text(self.steps, step)),)
            yield Shown(shapes, step, last)
        cell = self.made.cell
        places = tuple(self.made.place(*self.steps.output_of(step)) for step in range(last + 1))
        yield Carried((Rect(0, 0, cell, cell, "", NOW, 2.4),), places)

    def _written(self) -> Iterator[Shown]:
        for step in range(self.steps.count):
            y = self.written_top
            shapes: list[Shape] = []
            for index, line in enumerate(self._lines(step)):
                colour, size = (GREY, 10.0) if index == 0 else (INK, 12.0)
                shapes.append(Text(_MARGIN, y + index * _LINE, line, size, colour=colour))
            yield Shown(tuple(shapes), step, step)

    def _lines(self, step: int) -> list[str]:
        """The step in words, and its arithmetic with one line for each row of the window."""
        i, j = self.steps.output_of(step)
        head = f"step {step + 1} of {self.steps.count}: row {i + 1}, column {j + 1}"
        return [head, *written(self.steps, step)] if self.numbered else [head]

    def _longest_line(self) -> float:
        lines = [line for step in range(self.steps.count) for line in self._lines(step)]
        return max(text_width(line, 12) for line in lines)


def written(steps: Steps, step: int) -> list[str]:
    """The arithmetic of one step; a convolution's has a line for each row of its filter."""
    result = f"  =  {result_text(steps, step)}"
    met = steps.values(step)
    if steps.operation in ("max", "min"):
        return [f"{steps.operation}({', '.join(str(v) for v in met if v is not None)}){result}"]
    if steps.operation == "norm":
        return [f"square root of ({' + '.join(f'{v or 0}²' for v in met)}){result}"]
    if steps.operation == "mean":
        return [f"({' + '.join(str(v or 0) for v in met)}) / {len(met)}{result}"]
    terms = [f"{v or 0}·{weight}" for v, weight in zip(met, steps.weights, strict=True)]
    size = steps.columns.kernel_size
    rows = [" + ".join(terms[at : at + size]) for at in range(0, len(terms), size)]
    lines = [rows[0], *(f"+ {row}" for row in rows[1:])]
    return [*lines[:-1], lines[-1] + result]


def result_text(steps: Steps, step: int) -> str:
    """A step's result: means and norms with one decimal, everything else is whole."""
    value = steps.result(step)
    return f"{value:.1f}" if steps.operation in ("mean", "norm") else str(value)

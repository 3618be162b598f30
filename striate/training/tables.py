"""Results as tables for the terminal, within 100 columns."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.training.metrics import ClassScore, Metrics

COLUMNS = 100
MOST_CLASSES = 30
MOST_CONFUSIONS = 8
_NAME = 44


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage: "98.6 %", "–" for nan."""
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f} %"


def metrics_table(metrics: Metrics) -> str:
    """Headline numbers, scores by class, and the most frequent confusions."""
    low, high = metrics.interval
    lines = [
        f"accuracy           {percent(metrics.accuracy, 2)}  (95 % interval {100 * low:.2f} to "
        f"{100 * high:.2f} %; {metrics.right:,} of {metrics.images:,} right)"
    ]
    if metrics.top5 is not None:
        lines.append(f"top-5 accuracy     {percent(metrics.top5, 2)}")
    lines += [
        f"log-loss           {metrics.log_loss:.4f}",
        f"calibration error  {percent(metrics.calibration.error)}",
        "",
        *_classes(metrics.per_class),
    ]
    if confusions := top_confusions(metrics):
        lines += ["", "most frequent confusions", *_confusions(metrics, confusions)]
    return "\n".join(lines) + "\n"


def top_confusions(metrics: Metrics) -> list[tuple[int, int, int]]:
    """(true class, said class, pictures), the most frequent ones first."""
    found = [
        (row, column, int(count)) for (row, column), count in _nonzero(metrics) if row != column
    ]
    return sorted(found, key=lambda item: (-item[2], item[0], item[1]))[:MOST_CONFUSIONS]


def worst_first(scores: Sequence[ClassScore]) -> list[ClassScore]:
    """Classes that have pictures, by F1 from the lowest."""
    return sorted((score for score in scores if score.support), key=lambda score: score.f1)


def width(text: str) -> int:
    """Terminal cells that a text takes."""
    return sum(map(_cells, text))


def padded(text: str, cells: int, side: str = "<") -> str:
    """The text set to the left (<) or right (>) of so many terminal cells."""
    blank = " " * (cells - width(text))
    return text + blank if side == "<" else blank + text


def fitted(text: str, cells: int) -> str:
    """A name on one line of at most `cells` terminal cells, its middle left out if need be."""
    clean = "".join(c if c.isprintable() or not _cells(c) else "\ufffd" for c in text)
    if width(clean) <= cells:
        return clean
    head, tail = clean, ""
    while width(clean[-len(tail) - 1 :]) <= (cells - 1) // 3:
        tail = clean[-len(tail) - 1 :]
    while width(head) + 1 + width(tail) > cells:
        head = head[:-1]
    return f"{head}…{tail}"


def aligned(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Lines of cells; `sides` says for each column to which side it is set, < or >."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(padded(*cell) for cell in zip(row, widths, sides, strict=True)).rstrip()
        for row in rows
    ]


def _classes(scores: Sequence[ClassScore]) -> list[str]:
    many = len(scores) > MOST_CLASSES
    shown = worst_first(scores)[:MOST_CLASSES] if many else scores
    rows = [("class", "pictures", "precision", "recall", "F1")]
    rows += [
        (
            fitted(score.name, _NAME),
            f"{score.support:,}",
            percent(score.precision),
            percent(score.recall),
            percent(score.f1),
        )
        for score in shown
    ]
    lines = aligned(rows, "<>>>>")
    if many:
        lines.append(f"the {len(shown)} classes of the lowest F1, of {len(scores)}; --json has all")
    return lines


def _confusions(metrics: Metrics, confusions: Sequence[tuple[int, int, int]]) -> list[str]:
    rows = []
    for true, said, count in confusions:
        score = metrics.per_class[true]
        rows.append(
            (
                f"  {fitted(score.name, 30)} taken for {fitted(metrics.classes[said], 30)}",
                f"{count:,} of {score.support:,}",
            )
        )
    return aligned(rows, "<>")


def _nonzero(metrics: Metrics) -> Iterator[tuple[tuple[int, int], int]]:
    rows, columns = metrics.confusion.nonzero()
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        yield (row, column), metrics.confusion[row, column]


def _cells(character: str) -> int:
    """Terminal cells that a character takes."""
    if unicodedata.combining(character) or character in "\u200d\ufe0e\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

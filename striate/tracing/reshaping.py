"""What the units of a tensor see once its dimensions are split and merged."""

from __future__ import annotations

import math
from fractions import Fraction

import torch

from striate.layers import Shape, Window
from striate.tracing.fields import AXES, OTHER, Sight, UnknownReachError, behind


def reshaped(source: Sight, before: torch.Size, after: torch.Size, image: Shape) -> Sight:
    """The same values in other dimensions: split, merged, added and left out.

    Where an axis is cut into blocks, a unit of the block's number sees what the whole block sees,
    and so do its units when the blocks are put together again.
    """
    layout: list[str] = []
    cut = source
    old, new = list(zip(before, source.layout, strict=True)), list(after)
    while new:
        group, sizes, held, wanted = [], [new.pop(0)], 1, 0
        wanted = sizes[0]
        while held != wanted:
            if held < wanted and old:
                size, letters = old.pop(0)
                group.append((size, letters))
                held *= size
            elif new:
                sizes.append(new.pop(0))
                wanted *= sizes[-1]
            else:
                raise UnknownReachError
        letters_of, cut = _regrouped(group, sizes, cut, image)
        layout += letters_of
    return cut.laid(tuple(layout))


def _regrouped(
    group: list[tuple[int, str]], sizes: list[int], source: Sight, image: Shape
) -> tuple[list[str], Sight]:
    """The letters of new dimensions that hold what a group of old ones held."""
    old = [(size, letters) for size, letters in group if size > 1]
    new = [size for size in sizes if size > 1]
    if new == [size for size, _ in old]:
        found = [letters for _, letters in old]
    elif not any(letters for _, letters in old):
        found = [""] * len(new)
    else:
        atoms = [atom for size, letters in old for atom in _atoms(size, letters, source.lengths)]
        found = []
        for size in new:
            taken, source = _taken(atoms, size, source, image)
            letters, source = _merged(taken, source, image)
            found.append(letters)
    left = iter(found)
    return [next(left) if size > 1 else "" for size in sizes], source


def _atoms(size: int, letters: str, lengths: tuple[int, int]) -> list[tuple[int, str]]:
    """A dimension as those that were flattened into it, of one letter each, or none."""
    axes = [(lengths[AXES.index(letter)], letter) for letter in letters if letter != OTHER]
    rest, left_over = divmod(size, math.prod(length for length, _ in axes))
    if left_over or (rest > 1 and letters and not letters.startswith(OTHER)):
        raise UnknownReachError
    return [*[(rest, "")] * (rest > 1), *axes]


def _taken(
    atoms: list[tuple[int, str]], size: int, source: Sight, image: Shape
) -> tuple[list[tuple[int, str]], Sight]:
    """The next of these dimensions that make up `size`; the last one may be cut into blocks."""
    taken = []
    while size > 1:
        length, letter = atoms.pop(0)
        if size % length == 0:
            taken.append((length, letter))
            size //= length
            continue
        block, left_over = divmod(length, size)
        if left_over:
            raise UnknownReachError
        if letter:
            source = _in_blocks(source, letter, block, image)
        taken.append((size, letter))
        atoms.insert(0, (block, ""))
        size = 1
    return taken, source


def _merged(taken: list[tuple[int, str]], source: Sight, image: Shape) -> tuple[str, Sight]:
    """The letters of one dimension that holds these; positions are repeated by what is in them."""
    letters = ""
    for length, letter in taken:
        if letter or not letters:
            letters += letter or OTHER * (length > 1)
        elif letters != OTHER:
            source = _repeated(source, letters[-1], length, image)
    return ("" if letters == OTHER else letters), source


def _in_blocks(source: Sight, letter: str, block: int, image: Shape) -> Sight:
    """Blocks of units along an axis, each as one unit."""
    window = Window((block, block), (block, block))
    return _rescaled(source, letter, window, Fraction(1, block), image)


def _repeated(source: Sight, letter: str, times: int, image: Shape) -> Sight:
    """Each unit along an axis `times` times, one behind the other."""
    window = Window(
        kernel_size=(times, times),
        stride=(Fraction(1, times), Fraction(1, times)),
        before=(Fraction(times - 1, times), Fraction(times - 1, times)),
        dilation=(Fraction(1, times), Fraction(1, times)),
    )
    return _rescaled(source, letter, window, Fraction(times), image)


def _rescaled(source: Sight, letter: str, window: Window, by: Fraction, image: Shape) -> Sight:
    lengths = list(source.lengths)
    lengths[AXES.index(letter)] = int(lengths[AXES.index(letter)] * by)
    fields = behind(window, [source], image, letter)
    return Sight(fields, (lengths[0], lengths[1]), source.layout)

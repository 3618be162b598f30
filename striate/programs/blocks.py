"""Layers that one module of a network has are one block of its picture."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import groupby, takewhile
from typing import Any

_CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")


def blocks(
    parts: Sequence[Any], kinds: Mapping[str, str], heavy: Container[str], above: str = ""
) -> list[Any]:
    """The parts of a program's structure with those of one module as its block.

    `kinds` are the classes of modules by their paths, `above` the module that all of these are in.
    A block has two `heavy` layers at least: one with what belongs to it is none.
    """
    found: list[Any] = []
    at = 0
    while at < len(parts):
        module = _below(above, _scope(parts[at]))
        last = at + 1
        while last < len(parts) and module and _below(above, _scope(parts[last])) == module:
            last += 1
        if not module:
            found.append(_inside(parts[at], kinds, heavy, above))
        else:
            inner = blocks(parts[at:last], kinds, heavy, module)
            kind = kinds.get(module, "")
            light = sum(name in heavy for part in parts[at:last] for name in _names(part)) < 2
            if light or kind in ("", *_CONTAINERS):
                found += inner
            else:
                found.append({"block": kind, "name": module, "parts": inner})
        at = last
    return _rounds(found)


def _rounds(parts: Sequence[Any]) -> list[Any]:
    """Blocks of one class in a row as one repetition."""
    found: list[Any] = []
    for kind, same in groupby(parts, key=_class):
        alike = list(same)
        found += [{"rounds": alike}] if kind and len(alike) > 1 else alike
    return found


def _class(part: Any) -> str:
    return str(part.get("block", "")) if isinstance(part, dict) else ""


def _inside(part: Any, kinds: Mapping[str, str], heavy: Container[str], above: str) -> Any:
    match part:
        case {"branches": branches, "join": join}:
            inner = [blocks(each, kinds, heavy, above) for each in branches]
            return {"branches": inner, "join": join}
        case {"tap": name, "parts": parts}:
            return {"tap": name, "parts": blocks(parts, kinds, heavy, above)}
    return part


def _names(part: Any) -> Iterator[str]:
    """The layers in a part."""
    match part:
        case str():
            yield part
        case {"branches": branches, "join": join}:
            for each in (inner for branch in branches for inner in branch):
                yield from _names(each)
            yield join
        case {"tap": _, "parts": parts}:
            for each in parts:
                yield from _names(each)


def _scope(part: Any) -> list[str]:
    """The path of the innermost module that a part lies in."""
    match part:
        case str():
            return part.split(".")[:-1]
        case {"branches": branches, "join": join}:
            inner = [_scope(each) for branch in branches for each in branch]
            scope = join.split(".")[:-1]
            for other in inner:
                alike = takewhile(lambda pair: pair[0] == pair[1], zip(scope, other, strict=False))
                scope = [one for one, _ in alike]
            return scope
        case {"tap": _, "parts": [first, *_]}:
            return _scope(first)
        case {"from": _, "of": name}:
            return name.split(".")[:-1]
    return []


def _below(above: str, scope: Sequence[str]) -> str:
    """The module just below `above` that leads to a scope; empty for what lies in `above`."""
    depth = len(above.split(".")) if above else 0
    return ".".join(scope[: depth + 1]) if len(scope) > depth else ""

"""A plan as notation: one line for each block, one for the fully connected layers."""

from __future__ import annotations

from collections.abc import Iterator

from striate.patterns.plan import Plan


def notation(plan: Plan) -> str:
    """The text of a plan, without comments."""
    return "\n".join([first_line(plan), *lines(plan)]) + "\n"


def first_line(plan: Plan) -> str:
    """The input's line."""
    return f"input {'x'.join(str(n) for n in plan.input)}"


def lines(plan: Plan) -> Iterator[str]:
    """The lines of the layers."""
    unit = " nobias -> bn -> relu" if plan.bn else " -> relu"
    for channels in plan.channels:
        yield f"-> {_repeated(f'conv3-{channels}{unit}', plan.convolutions)} -> pool2"
    if plan.gap:
        yield "-> gap"
    if plan.hidden:
        yield f"-> {_repeated(f'fc-{plan.neurons} -> relu', plan.hidden)}"
    yield f"-> fc-{plan.classes}"


def _repeated(layers: str, count: int) -> str:
    return f"[{layers}]*{count}" if count > 1 else layers

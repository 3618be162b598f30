"""From steps that read each other to chains and branches, as the notation nests them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from striate.graph import IMAGE
from striate.layers import Add, Concat, Layer, Multiply
from striate.notation.tree import Join
from striate.transcribing.steps import Step, Steps, Unwritten

JOINS: Mapping[type[Layer], Join] = {Add: "add", Concat: "concat", Multiply: "multiply"}
"""How the notation calls the joins."""


@dataclass
class Placed:
    """A step in its place in the text, or an `id`."""

    step: int
    join: Join | None = None
    """How branches meet in it, if they do."""
    branches: list[list[Placed]] = field(default_factory=list)
    taps: list[tuple[str, list[Placed]]] = field(default_factory=list)
    """Side outputs behind it: a name and what a chain makes of the value, or nothing."""
    label: str = ""
    again: str = ""
    """The label of the layer whose weights it uses."""


@dataclass(frozen=True)
class Tree:
    """The main line, and the steps in the order in which the text has them."""

    chain: list[Placed]
    order: tuple[int, ...]


def structure(network: Steps) -> Tree:
    """The text's nesting. Raises Unwritten where branches cross.

    Branches part behind the last step that all ways to a join lead through (its immediate
    dominator: Cooper, Harvey & Kennedy 2001, "A simple, fast dominance algorithm", section 2).
    """
    steps = _joined(network.steps)
    return _Nesting(replace(network, steps=steps)).run()


def _joined(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Concatenations that go on from earlier ones read these, as DenseNet's layers do.

    `(a | b | c)` behind `(a | b)` is `((a | b) | c)`.
    """
    found: list[Step] = []
    earlier: list[tuple[tuple[int, ...], int]] = []
    alias: dict[int, int] = {}
    for index, step in enumerate(steps):
        inputs = tuple(alias.get(i, i) for i in step.inputs)
        if isinstance(step.layer, Concat):
            best = max(
                (known for known in earlier if inputs[: len(known[0])] == known[0]),
                key=lambda known: len(known[0]),
                default=None,
            )
            if best and best[0] == inputs:
                alias[index] = best[1]
            else:
                earlier.append((inputs, index))
                if best:
                    inputs = (best[1], *inputs[len(best[0]) :])
        found.append(replace(step, inputs=inputs))
    return tuple(found)


class _Nesting:
    def __init__(self, network: Steps) -> None:
        self.network = network
        self.steps = network.steps
        self.dominators = _dominators(network.steps)
        self.placed: dict[int, Placed] = {}
        self.order: list[int] = []
        self.labels: dict[tuple[str, ...], Placed] = {}

    def run(self) -> Tree:
        chain = self._chain(IMAGE, self.network.end)
        for name, step in self.network.taps.items():
            self._tap(chain, name, step)
        self._order(chain)
        return Tree(chain, tuple(self.order))

    def _chain(self, source: int, sink: int) -> list[Placed]:
        """What leads from behind one step up to another."""
        found: list[Placed] = []
        at = sink
        while at != source:
            step = self.steps[at]
            placed = self._place(at)
            if len(step.inputs) == 1:
                (at,) = step.inputs
            else:
                at = self.dominators[at]
                placed.join = JOINS[type(step.layer)]
                placed.branches = self._branches(placed.join, at, step.inputs)
            found.insert(0, placed)
        return found

    def _place(self, step: int) -> Placed:
        if step in self.placed:
            raise Unwritten(
                f"{self._called(step)} is read on ways that part and do not meet again before "
                "others part, which branches in parentheses cannot say"
            )
        self.placed[step] = Placed(step)
        return self.placed[step]

    def _branches(self, join: Join, source: int, ends: Sequence[int]) -> list[list[Placed]]:
        """The ways from one step to the inputs of a join.

        Neighbours that have a part of their way in common part behind it: a join in a branch.
        """
        found: list[list[Placed]] = []
        at = 0
        while at < len(ends):
            common, last = ends[at], at + 1
            while last < len(ends):
                shared = self._common(common, ends[last])
                if shared == source:
                    break
                common, last = shared, last + 1
            if last - at == 1:
                found += self._branch(join, source, ends[at], first=not found)
                at += 1
                continue
            inner = Placed(_NO_STEP, join, self._branches(join, common, ends[at:last]))
            found.append([*self._chain(source, common), inner])
            at = last
        return found

    def _branch(self, join: Join, source: int, end: int, *, first: bool) -> list[list[Placed]]:
        """One branch; the branches of a like join in it where it is nothing else.

        `((a + b) + c)` is `(a + b + c)`, and `((a | b) | c)` is `(a | b | c)` at any place.
        """
        chain = self._chain(source, end)
        if len(chain) == 1 and chain[0].join == join and (first or join == "concat"):
            self.placed.pop(chain[0].step, None)
            return chain[0].branches
        return [chain]

    def _common(self, one: int, other: int) -> int:
        """The last step that all ways to both lead through, which may be one of them."""
        while one != other:
            if one > other:
                one = self.dominators[one]
            else:
                other = self.dominators[other]
        return one

    def _tap(self, chain: list[Placed], name: str, step: int) -> None:
        """Hang a side output behind the last step on the way to it that has its place."""
        source = step
        while source not in self.placed and source != IMAGE:
            source = self.dominators[source]
        if source == IMAGE:
            raise Unwritten(f"its output {name} parts from the others at the image itself")
        body = self._chain(source, step) if source != step else []
        self.placed[source].taps.append((name, body))

    def _order(self, chain: list[Placed]) -> None:
        """Write down the steps as the text has them, and whose weights are used again."""
        for placed in chain:
            for branch in placed.branches:
                self._order(branch)
            self.order.append(placed.step)
            if placed.step >= 0:
                self._again(placed)
            for _, body in placed.taps:
                self._order(body)

    def _again(self, placed: Placed) -> None:
        step = self.steps[placed.step]
        names = tuple(weight.name for weight in step.weights.values())
        if not names:
            return
        before = self.labels.setdefault(names, placed)
        if before is placed:
            return
        if self.steps[before.step].layer != step.layer:
            raise Unwritten(f"{self._called(placed.step)} uses weights again in another layer")
        before.label = (
            before.label or f"shared{1 + sum(bool(p.label) for p in self.labels.values())}"
        )
        placed.again = before.label

    def _called(self, step: int) -> str:
        """A step for a message."""
        if step == IMAGE:
            return "its image"
        return f"what {self.steps[step].place or 'its own forward'} gives"


_NO_STEP = -2
"""A join that the network makes in one step with others."""


def _dominators(steps: Sequence[Step]) -> Mapping[int, int]:
    """For each step, the last one that every way from the image to it leads through."""
    found: dict[int, int] = {IMAGE: IMAGE}
    for index, step in enumerate(steps):
        at = step.inputs[0]
        for other in step.inputs[1:]:
            while at != other:
                if at > other:
                    at = found[at]
                else:
                    other = found[other]
        found[index] = at
    return found

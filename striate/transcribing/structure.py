"""From steps that read each other to chains and branches, as the notation nests them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from striate.graph import IMAGE
from striate.layers import Add, Concat, Layer, Multiply
from striate.notation.tree import Join
from striate.transcribing.steps import Step, Steps, Unwritten

JOINS: Mapping[type[Layer], Join] = {Add: "add", Concat: "concat", Multiply: "multiply"}
"""How the notation calls the joins."""


@dataclass
class Placed:
    """A step in its place in the text, or what the text has besides: an `id`, a `from`, a group."""

    step: int
    join: Join | None = None
    """How branches meet in it, if they do."""
    branches: list[list[Placed]] = field(default_factory=list)
    taps: list[tuple[str, list[Placed]]] = field(default_factory=list)
    """Side outputs behind it: a name and what a chain makes of the value, or nothing."""
    label: str = ""
    again: str = ""
    """The label of the layer whose weights it uses."""
    origin: str = ""
    """The label of the value that the line goes on from here, for a `from`."""
    group: list[Placed] = field(default_factory=list)
    """What stands in `[ … ]`: lines of labelled values, each for those after it."""


@dataclass(frozen=True)
class Tree:
    """The main line, and the steps in the order in which the text has them."""

    chain: list[Placed]
    order: tuple[int, ...]


def structure(network: Steps) -> Tree:
    """The text's nesting.

    Branches part behind the last step that all ways to a join lead through (its immediate
    dominator: Cooper, Harvey & Kennedy 2001, "A simple, fast dominance algorithm", section 2).
    Where they cross on the way, the steps that several of them read get labels: the way is cut
    there, and each of its pieces is nested on its own. What crosses is found by trying.
    """
    steps = _joined(network.steps)
    crossings: dict[int, set[int]] = {}
    while True:
        nesting = _Nesting(replace(network, steps=steps), crossings)
        tree = nesting.run()
        if not nesting.found:
            return tree
        before = sum(map(len, crossings.values()))
        for join, step in nesting.found:
            crossings.setdefault(join, set()).add(step)
        if sum(map(len, crossings.values())) == before:
            raise Unwritten("its branches cross in a way that names do not undo")


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


_ROOT = IMAGE - 1
"""What stands before the image and before every labelled step."""
_WHOLE = _ROOT - 1
"""The whole network, where joins stand for what their branches are made of."""
_NO_STEP = _WHOLE - 1
"""What the text has and the network has not: a join that it makes in one step with others."""


def _cone(steps: Sequence[Step], roots: Container[int], sinks: Iterable[int]) -> set[int]:
    """The sinks and all that they are computed from behind the roots."""
    found: set[int] = set()
    waiting = list(sinks)
    while waiting:
        step = waiting.pop()
        if step not in found:
            found.add(step)
            waiting += (i for i in steps[step].inputs if i not in roots)
    return found


class _Region:
    """The steps on the ways to some sinks from behind some roots, the values that have names."""

    def __init__(
        self, steps: Sequence[Step], join: int, names: Mapping[int, str], sinks: Iterable[int]
    ) -> None:
        self.join = join
        self.names = names
        self.taken: set[int] = set()
        """The roots from which a line begins elsewhere than behind them."""
        self.ends: dict[int, Placed] = {}
        """The last item of each line."""
        self.above: dict[int, int] = {}
        """The last step that all ways to each lead through."""
        for index in sorted(_cone(steps, names, sinks)):
            at, *others = steps[index].inputs
            for other in others:
                at = self.common(at, other)
            self.above[index] = at

    def common(self, one: int, other: int) -> int:
        """The last step that all ways to both lead through, which may be one of them."""
        while one != other:
            if one > other:
                one = self.up(one)
            else:
                other = self.up(other)
        return one

    def up(self, step: int) -> int:
        """The last step that all ways to this one lead through; a root has none."""
        return _ROOT if step in self.names else self.above[step]


class _Nesting:
    """One try: `crossings` has, for each join, the steps between its branches that get labels."""

    def __init__(self, network: Steps, crossings: Mapping[int, Set[int]]) -> None:
        self.network = network
        self.steps = network.steps
        self.crossings = crossings
        self.found: list[tuple[int, int]] = []
        """Steps that are read on several ways, each with the join that they lead to."""
        self.placed: dict[int, Placed] = {}
        self.around: dict[int, tuple[int, ...]] = {}
        """The joins between whose branches each step stands."""
        self.open: tuple[int, ...] = (_WHOLE,)
        self.order: list[int] = []
        self.labels: dict[tuple[str, ...], Placed] = {}
        self.readers = Counter(i for step in self.steps for i in step.inputs)
        self.readers.update(network.taps.values())

    def run(self) -> Tree:
        end = self.network.end
        crossing = self.crossings.get(_WHOLE, set())
        lines = sorted({*crossing, end})
        named = lines if lines[-1] != end else sorted(crossing)
        region = _Region(
            self.steps,
            _WHOLE,
            {IMAGE: "image", **_numbered(named)},
            [*lines, *self.network.taps.values()],
        )
        chain = self._lines(region, lines, IMAGE)
        if lines[-1] != end:
            region.taken.add(end)
            chain.append(Placed(_NO_STEP, origin=region.names[end]))
        for name, step in self.network.taps.items():
            self._tap(region, chain, name, step)
        self._label(region, chain, IMAGE)
        if not self.found:
            self._order(chain)
        return Tree(chain, tuple(self.order))

    def _lines(self, region: _Region, sinks: Sequence[int], current: int) -> list[Placed]:
        """One line after the other, each up to a step that those behind it begin from."""
        found: list[Placed] = []
        for sink in sinks:
            line = self._line(region, _ROOT, sink, current, anew=True)
            region.ends.update((sink, last) for last in line[-1:])
            found += line
            current = sink
        return found

    def _label(self, region: _Region, chain: list[Placed], source: int) -> None:
        """Write names at the values from which lines begin; at the source's as an `id`."""
        for step in region.taken & region.ends.keys():
            region.ends[step].label = region.names[step]
        if source in region.taken:
            chain.insert(0, Placed(_NO_STEP, label=region.names[source]))

    def _line(
        self, region: _Region, stop: int, sink: int, current: int, *, anew: bool = False
    ) -> list[Placed]:
        """What leads to a step from behind `stop` or a root; `current` is the value before it.

        With `anew` the sink is computed, though it has a name.
        """
        found: list[Placed] = []
        at = sink
        while at not in (stop, _ROOT) and (at not in region.names or (anew and at == sink)):
            if at in self.placed:
                self._cross(at)
                return found
            placed = self._step(region, at, current)
            inputs = self.steps[at].inputs
            at = inputs[0] if len(inputs) == 1 else region.above[at]
            found.insert(0, placed)
        if at not in (stop, _ROOT, current):
            region.taken.add(at)
            found.insert(0, Placed(_NO_STEP, origin=region.names[at]))
        return found

    def _step(self, region: _Region, step: int, current: int) -> Placed:
        if crossing := self._crossing(region, step):
            return Placed(_NO_STEP, group=self._group(region, step, crossing, current))
        placed = self.placed[step] = Placed(step)
        self.around[step] = self.open
        inputs = self.steps[step].inputs
        if len(inputs) > 1:
            placed.join = JOINS[type(self.steps[step].layer)]
            source = region.above[step]
            before = self.open
            self.open = before if step == before[-1] else (*before, step)
            value = current if source == _ROOT else source
            placed.branches = self._branches(region, placed.join, source, value, inputs)
            self.open = before
        return placed

    def _cross(self, step: int) -> None:
        """Note that a step which has its place is read from elsewhere."""
        both = zip(self.around[step], self.open, strict=False)
        *_, inmost = (one for one, other in both if one == other)
        self.found.append((inmost, step))

    def _crossing(self, region: _Region, join: int) -> list[int]:
        """The steps between a join's branches that get labels here: none that has one already."""
        if join == region.join or join not in self.crossings:
            return []
        names = {region.above[join]: "", **region.names}
        return sorted(self.crossings[join] & _cone(self.steps, names, [join]) - set(names))

    def _group(
        self, region: _Region, join: int, crossing: Sequence[int], current: int
    ) -> list[Placed]:
        """The lines that lead to a join whose branches cross."""
        source = region.above[join]
        around = region.names if source == _ROOT else {}
        own = {source: "x"} if source != _ROOT else {}
        names = {**around, **own, **_numbered(crossing, after=len(around))}
        inner = _Region(self.steps, join, names, [*crossing, join])
        before = self.open
        self.open = (*before, join)
        chain = self._lines(inner, [*crossing, join], current if source == _ROOT else source)
        self.open = before
        region.taken |= inner.taken & set(around)
        self._label(inner, chain, source)
        return chain

    def _branches(
        self, region: _Region, join: Join, source: int, current: int, ends: Sequence[int]
    ) -> list[list[Placed]]:
        """The ways from one step to the inputs of a join.

        Neighbours that have a part of their way in common part behind it: a join in a branch.
        """
        found: list[list[Placed]] = []
        at = 0
        while at < len(ends):
            common, last = ends[at], at + 1
            while last < len(ends):
                shared = region.common(common, ends[last])
                if shared == source:
                    break
                common, last = shared, last + 1
            if last - at == 1:
                chain = self._line(region, source, ends[at], current)
                found += self._flat(join, chain, first=not found)
                at += 1
                continue
            way = self._line(region, source, common, current)
            inner = self._branches(region, join, common, common, ends[at:last])
            found.append([*way, Placed(_NO_STEP, join, inner)])
            at = last
        return found

    def _flat(self, join: Join, chain: list[Placed], *, first: bool) -> list[list[Placed]]:
        """One branch; the branches of a like join in it where it is nothing else.

        `((a + b) + c)` is `(a + b + c)`, and `((a | b) | c)` is `(a | b | c)` at any place.
        """
        if len(chain) != 1 or chain[0].join != join or not (first or join == "concat"):
            return [chain]
        return [chain] if self.readers[chain[0].step] > 1 else chain[0].branches

    def _tap(self, region: _Region, chain: list[Placed], name: str, step: int) -> None:
        """Hang a side output behind the last step on the way to it that has its place.

        Inside of what has a label its own name would be another: such a step gets a line.
        """
        source = step
        while source not in self.placed and source not in (IMAGE, _ROOT):
            source = region.up(source)
        if source in self.placed:
            if any(
                join in named for named in self.crossings.values() for join in self.around[source]
            ):
                self.found.append((_WHOLE, source))
            body = self._line(region, source, step, source) if source != step else []
            self.placed[source].taps.append((name, body))
        else:
            body = self._line(region, _ROOT, step, current=self.network.end)
            chain[-1].taps.append((name, body))

    def _order(self, chain: list[Placed]) -> None:
        """Write down the steps as the text has them, and whose weights are used again."""
        for placed in chain:
            for inner in (*placed.branches, placed.group):
                self._order(inner)
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
            place = step.place or "its own forward"
            raise Unwritten(f"what {place} gives uses weights again in another layer")
        before.label = (
            before.label or f"shared{1 + sum(bool(p.label) for p in self.labels.values())}"
        )
        placed.again = before.label


def _numbered(steps: Iterable[int], after: int = 0) -> dict[int, str]:
    return {step: f"x{number}" for number, step in enumerate(steps, 1 + after)}

"""From the operations that a network was seen to do to its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor

from striate.graph import IMAGE
from striate.layers import Layer, Pair, Shape, product
from striate.layers.pointwise import Flatten
from striate.layers.shuffling import Shuffle
from striate.tracing.record import Operation, Record, tensors
from striate.transcribing.layouts import CHANNELS, Layout, flat, plain, shuffled
from striate.transcribing.steps import Step, Unwritten, Value, Weight

Handler = Callable[["Reader", Operation, dict[str, Any]], None]


@dataclass(frozen=True)
class Learned:
    """A parameter or buffer of the network, or a view of one."""

    name: str
    transposed: bool = False


@dataclass(frozen=True)
class Noise:
    """Random ones and zeros, or what they become when the ones are scaled up."""

    keep: float
    """The probability of a one."""
    scaled: bool = False


class Reader:
    """Follows values through a record, operation by operation."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.batch = record.image.shape[0]
        self.input: Shape = tuple(record.image.shape[1:])
        self.steps: list[Step] = []
        self.values: dict[int, Value] = {}
        self.learned: dict[int, Learned] = {}
        self.noise: dict[int, Noise] = {}
        self.computed: dict[int, str] = {}
        """Weights that are made of others, with what makes them."""
        self.lost: set[int] = set()
        """Tensors of which a part was written over."""
        self.parts: dict[int, tuple[int, range]] = {}
        """Tensors that are some of the channels of a step's, and which."""
        self._sharing: dict[int, list[Tensor]] = {}
        self._read: dict[tuple[int, Layout], int] = {}
        for kept in (record.network.named_parameters, record.network.named_buffers):
            for name, tensor in kept():
                self.learned.setdefault(id(tensor), Learned(name))

    def run(self, operations: Mapping[str, Handler], functions: Mapping[str, Handler]) -> None:
        """Follow the whole record. Raises Unwritten for what has no word."""
        self.put(self.record.image, Value(IMAGE, plain(self.batch, self.input)))
        known = {f.start: f for f in self.record.functions if f.name in functions}
        at = 0
        while at < len(self.record.operations):
            operation = self.record.operations[at]
            if function := known.get(at):
                given = {str(i): each for i, each in enumerate(function.arguments)}
                found = Operation(
                    operation.function, function.arguments, {}, function.result, operation.call
                )
                functions[function.name](self, found, {**given, **function.keywords})
                at = function.end
                continue
            self._follow(operation, operations)
            at += 1

    def _follow(self, operation: Operation, operations: Mapping[str, Handler]) -> None:
        read = tensors((operation.arguments, operation.keywords))
        if any(id(tensor) in self.lost for tensor in read):
            if operation.name not in (*SAME_ORDER, *_VIEWS):  # autograd takes views anew
                raise self.unwritten(operation, "reads what was written over in part")
            self.lost.update(id(result) for result in tensors(operation.result))
            return
        if any(id(tensor) in self.values for tensor in read):
            handler = operations.get(operation.name)
            if handler is None:
                raise self.unwritten(operation, f"calls {operation.name}, for which it has no word")
            handler(self, operation, bound(operation))
        elif any(id(tensor) in self.learned or id(tensor) in self.computed for tensor in read):
            self._of_weights(operation, read[0])
        else:
            self._of_neither(operation, read)

    def _of_weights(self, operation: Operation, first: Tensor) -> None:
        """Views of weights are followed; what is calculated from them is noted."""
        weight = self.learned.get(id(first))
        for result in tensors(operation.result):
            if weight and first.dim() == 2 and operation.name in ("t", "transpose", "permute"):
                turned = weight.transposed != _turns(operation)
                self.learned[id(result)] = Learned(weight.name, turned)
            elif weight and operation.name in SAME_ORDER and not weight.transposed:
                self.learned[id(result)] = weight
            elif id(result) not in self.learned:  # a counter of batches adds to itself
                self.computed[id(result)] = operation.name

    def _of_neither(self, operation: Operation, read: Sequence[Tensor]) -> None:
        """Noise, as dropout makes it; all else is a constant."""
        for result in tensors(operation.result):
            name = operation.name.rstrip("_")
            known = self.noise.get(id(read[0])) if read else None
            given = bound(operation)
            number = given.get("p", given.get("other"))
            if name == "bernoulli" and isinstance(number, float):
                self.noise[id(result)] = Noise(number)
            elif known and name == "div" and number == known.keep:
                self.noise[id(result)] = Noise(known.keep, scaled=True)
            elif known and operation.name in SAME_ORDER:
                self.noise[id(result)] = known

    def unwritten(self, operation: Operation, words: str) -> Unwritten:
        """What cannot be said, with its place in the network."""
        return Unwritten(f"{operation.call.path or 'its own forward'} {words}")

    def misplaced(self, operation: Operation, value: Value) -> Unwritten:
        """The same of a tensor whose axes are not those that an operation of a text takes."""
        shape = self.output(value.step)
        lying = (
            f"a vector of {shape[0]} values that it has given other axes"
            if len(shape) == 1
            else f"a volume whose axes it has rearranged ({_axes(value.layout)})"
        )
        return self.unwritten(operation, f"calls {operation.name} on {lying}")

    def value(self, operation: Operation, tensor: Any) -> Value:
        """What a tensor holds. Raises Unwritten for a number, a constant or a weight."""
        found = self.values.get(id(tensor))
        if found is None:
            what = f"the number {tensor}"
            if isinstance(tensor, Tensor):
                learned = id(tensor) in self.learned or id(tensor) in self.computed
                what = "a weight" if learned else "a constant tensor"
            raise self.unwritten(operation, f"calls {operation.name} with {what}")
        return found

    def output(self, step: int) -> Shape:
        """The shape that a step gives for one image."""
        return self.input if step == IMAGE else self.steps[step].output

    def put(self, tensor: Any, value: Value) -> None:
        """Say what a tensor holds."""
        assert isinstance(tensor, Tensor)
        self.values[id(tensor)] = value
        self._sharing.setdefault(_storage(tensor), []).append(tensor)

    def add(
        self,
        operation: Operation,
        layer: Layer,
        inputs: Sequence[int],
        output: Shape,
        weights: Mapping[str, Weight] | None = None,
    ) -> int:
        """One step more. Its index."""
        place = operation.call.path
        self.steps.append(Step(_tidy(layer), tuple(inputs), output, weights or {}, place))
        return len(self.steps) - 1

    def give(self, operation: Operation, layer: Layer, value: Value, layout: Layout) -> None:
        """A step that treats every value alike: its result lies as its input does.

        Where the operation writes into its input, all views of that hold what it wrote.
        """
        inputs = (value.step,)
        self.give_step(
            operation, self.add(operation, layer, inputs, self.output(value.step)), layout
        )

    def give_step(self, operation: Operation, step: int, layout: Layout) -> None:
        """Let an operation's result be what a step gives."""
        result = tensors(operation.result)[0]
        before = self.values.get(id(result))
        if before is not None:
            self._written(operation, result, before, step)
        self.put(result, Value(step, layout))

    def _written(self, operation: Operation, result: Tensor, before: Value, step: int) -> None:
        """Views of a tensor that was written into: those of the same values have the new ones."""
        for other in self._sharing.get(_storage(result), ()):
            known = self.values.get(id(other))
            if known is None or other is result:
                continue
            if known.step == before.step:
                self.values[id(other)] = Value(step, known.layout)
            elif not self._apart(other, result):
                self.lost.add(id(other))

    def _apart(self, one: Tensor, other: Tensor) -> bool:
        """Whether these are slices of one tensor without a channel in common."""
        first, second = (self.parts.get(id(each)) for each in (one, other))
        if first is None or second is None or first[0] != second[0]:
            return False
        return first[1].stop <= second[1].start or second[1].stop <= first[1].start

    def image(self, operation: Operation, value: Value) -> int:
        """The step whose N×C×H×W a tensor is; a shuffle of channels is made one."""
        shape = self.output(value.step)
        if value.layout == plain(self.batch, shape) and len(shape) == 3:
            return value.step
        if (value.step, value.layout) not in self._read:
            layout = value.layout
            groups = shuffled(layout[1], shape[0]) if len(layout) == 4 and len(shape) == 3 else 0
            others = (*layout[:1], *layout[2:])
            straight = plain(self.batch, shape)
            if not groups or others != (*straight[:1], *straight[2:]):
                raise self.misplaced(operation, value)
            step = self.add(operation, Shuffle(groups), (value.step,), shape)
            self._read[value.step, layout] = step
        return self._read[value.step, value.layout]

    def vector(self, operation: Operation, value: Value) -> int:
        """The step whose N×C a tensor is, with a `flatten` where it is of a volume."""
        shape = self.output(value.step)
        if len(value.layout) != 2 or value.layout != flat(self.batch, shape):
            raise self.misplaced(operation, value)
        if len(shape) == 1:
            return value.step
        if (value.step, value.layout) not in self._read:
            step = self.add(operation, Flatten(), (value.step,), (product(shape),))
            self._read[value.step, value.layout] = step
        return self._read[value.step, value.layout]

    def straight(self, operation: Operation, value: Value) -> int:
        """The step that a tensor is, as an image or as a vector."""
        if len(value.layout) == 2:
            return self.vector(operation, value)
        return self.image(operation, value)

    def channels_last(self, value: Value) -> bool:
        """Whether the last axis of a tensor is its channels, all and alone."""
        channels = self.output(value.step)[0]
        last = value.layout[-1]
        return [(run.axis, run.size) for run in last] == [(CHANNELS, channels)] or (
            channels == 1 and not last
        )

    def weight(self, operation: Operation, tensor: Any, *, turned: bool = False) -> Weight:
        """A parameter or buffer. Raises Unwritten for a weight that is computed."""
        known = self.learned.get(id(tensor))
        if known is None:
            made = self.computed.get(id(tensor))
            how = (
                f"weights that {made} computes from others" if made else "weights that it computes"
            )
            raise self.unwritten(operation, f"calls {operation.name} with {how}")
        return Weight(known.name, known.transposed != turned)


def _axes(layout: Layout) -> str:
    """`N, H·W, C`: the axes of a tensor in the letters of NCHW."""
    return ", ".join("·".join("NCHW*"[run.axis] for run in axis) or "1" for axis in layout)


def _tidy(layer: Layer) -> Layer:
    """A layer with the numbers that a text has: 0.1 for what 1 - 0.9 is."""
    numbers = {
        field.name: float(f"{number:.10g}")
        for field in fields(layer)
        if isinstance(number := getattr(layer, field.name), float)
    }
    return replace(layer, **numbers) if numbers else layer


def _turns(operation: Operation) -> bool:
    """Whether a view of a matrix has its two axes exchanged."""
    match operation.name:
        case "t":
            return True
        case "transpose":
            given = bound(operation)
            return given["dim0"] % 2 != given["dim1"] % 2
        case "permute":
            return [axis % 2 for axis in bound(operation)["dims"]] == [1, 0]
    return False


SAME_ORDER = (
    *("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "detach", "alias", "flatten"),
    *("clone", "_to_copy", "contiguous", "lift_fresh"),
)
"""Operations that give the same values in the same order."""
_VIEWS = ("slice", "split", "split_with_sizes", "narrow", "permute", "transpose", "t", "expand")
"""Others that compute nothing."""


def bound(operation: Operation) -> dict[str, Any]:
    """The arguments of an operation by the names of its schema, defaults included."""
    found: dict[str, Any] = {}
    for place, argument in enumerate(operation.function._schema.arguments):
        if place < len(operation.arguments):
            found[argument.name] = operation.arguments[place]
        else:
            found[argument.name] = operation.keywords.get(argument.name, argument.default_value)
    return found


def pair(numbers: Any) -> Pair:
    """One number for each axis, of those that an operation is given: one of both, or two."""
    first, *others = (int(n) for n in numbers)
    return first, (others[0] if others else first)


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata

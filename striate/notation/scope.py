"""What can be checked once all is read: names, arguments, definitions that use themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from striate.notation import hints
from striate.notation.labels import inner_chains
from striate.notation.notes import Notes
from striate.notation.tree import (
    Apply,
    Argument,
    Binary,
    CallItem,
    Chain,
    Definition,
    Expression,
    Group,
    Item,
    Labelled,
    LayerItem,
    Name,
    Negative,
    Network,
    Number,
    Size,
    Word,
)
from striate.notation.vocabulary import MAX_NESTING, nearest, setting_of

Headers = Mapping[str, tuple[str, ...]]


def check(network: Network, headers: Headers, constants: Set[str], notes: Notes) -> None:
    """Notes every problem with names.

    `headers` has all definitions and `constants` those that are numbers, unreadable ones too.
    """
    checker = _Checker(headers, constants, notes)
    for definition in network.definitions:
        checker.parameters = frozenset(definition.parameters)
        if isinstance(definition.body, Chain):
            checker.chain(definition.body)
        else:
            checker.expression(definition.body)
    checker.parameters = frozenset()
    if network.input is not None:
        for size in (network.input.channels, network.input.height, network.input.width):
            checker.expression(size)
    checker.chain(network.chain)
    _Circles(network.definitions, notes).find()


def names_in(expression: Expression) -> Iterator[Name]:
    """The names that an expression uses."""
    match expression:
        case Name():
            yield expression
        case Negative(operand):
            yield from names_in(operand)
        case Binary(_, left, right):
            yield from names_in(left)
            yield from names_in(right)
        case Apply(_, arguments):
            for argument in arguments:
                yield from names_in(argument)
        case Number():
            pass


def _unlabelled(item: Item) -> Item:
    return item.item if isinstance(item, Labelled) else item


class _Checker:
    """Checks names against those of the text and of the definition they stand in."""

    def __init__(self, headers: Headers, constants: Set[str], notes: Notes) -> None:
        self.headers = headers
        self.notes = notes
        self.constants = constants
        self.parameters: frozenset[str] = frozenset()

    def is_number(self, name: str) -> bool:
        return name in self.parameters or name in self.constants

    def nearest_number(self, name: str) -> str | None:
        return nearest(name, self.parameters) or nearest(name, self.constants)

    def chain(self, chain: Chain) -> None:
        for item in chain.items:
            match _unlabelled(item):
                case LayerItem() as layer:
                    for argument in layer.arguments:
                        self.argument(layer, argument)
                case CallItem() as call:
                    self.call(call)
                case Group(body, count):
                    self.chain(body)
                    if count is not None:
                        self.count(count)
                case other:
                    for inner in inner_chains(other):
                        self.chain(inner)

    def call(self, call: CallItem) -> None:
        parameters = self.headers[call.name]
        if call.name in self.constants:
            self.notes.add(f"'{call.name}' is a number here, not a layer", call.span)
        elif len(call.arguments) != len(parameters):
            self.notes.add(_wrong_count(call, parameters), call.span)
        for argument in call.arguments:
            self.expression(argument)

    def count(self, count: Expression) -> None:
        match count:
            case Name(name) if (
                not self.is_number(name)
                and name not in self.headers
                and self.nearest_number(name) is None
            ):
                self.notes.add(hints.open_count(name), count.span)
            case _:
                self.expression(count)

    def argument(self, layer: LayerItem, argument: Argument) -> None:
        match argument.value:
            case Word():
                pass
            case Size(rows, columns):
                self.expression(rows)
                self.expression(columns)
            case Name(name) if not self.is_number(name):
                setting = setting_of(layer.kind, argument.name)
                assert setting is not None
                if setting.type in ("bool", "padding"):
                    message = hints.unknown_value(layer.kind, setting, name)
                    self.notes.add(message, argument.value.span)
                else:
                    self.expression(argument.value)
            case expression:
                self.expression(expression)

    def expression(self, expression: Expression) -> None:
        for name in names_in(expression):
            if self.is_number(name.name):
                continue
            if name.name in self.headers:
                self.notes.add(f"'{name.name}' is a chain of layers, not a number", name.span)
            else:
                self.notes.add(self.unknown_name(name.name), name.span)

    def unknown_name(self, name: str) -> str:
        near = self.nearest_number(name)
        known = sorted(self.parameters)
        if near is not None:
            hint = f"Did you mean '{near}'?"
        elif known and len(known) <= 8:
            hint = f"Parameters here are {', '.join(known)}"
        else:
            hint = f"Write a number, or define it on a line of its own: {name} = 2"
        return f"'{name}' has no value here. {hint}"


def _wrong_count(call: CallItem, parameters: tuple[str, ...]) -> str:
    if not parameters:
        return f"{call.name} has no parameters. Write {call.name} alone"
    form = f"{call.name}({', '.join(parameters)})"
    noun = "value" if len(parameters) == 1 else "values"
    given = {0: "none is given", 1: "1 is given"}.get(
        len(call.arguments), f"{len(call.arguments)} are given"
    )
    return f"{form} takes {len(parameters)} {noun}, but {given}"


class _Circles:
    """Finds definitions that use themselves, and chains of definitions that are too long."""

    def __init__(self, definitions: tuple[Definition, ...], notes: Notes) -> None:
        self.notes = notes
        self.definitions = {definition.name: definition for definition in definitions}
        self.uses = {name: list(_uses(d)) for name, d in self.definitions.items()}
        self.depths: dict[str, int] = {}
        """How deep a definition nests, for those that have been walked."""
        self.too_deep = False

    def find(self) -> None:
        """Walks every definition once, depth first, without recursion."""
        for root in self.definitions:
            path: dict[str, int] = {root: 0} if root not in self.depths else {}
            while path:
                name, step = path.popitem()
                path[name] = step + 1
                if step == len(self.uses[name]):
                    del path[name]
                    self._close(name)
                    continue
                used, _, place = self.uses[name][step]
                if used in path:
                    self._note_circle(list(path), used, place)
                elif used in self.uses and used not in self.depths:
                    path[used] = 0

    def _close(self, name: str) -> None:
        below = (depth + self.depths.get(used, 0) for used, depth, _ in self.uses[name])
        self.depths[name] = max(below, default=0)
        if self.depths[name] > MAX_NESTING and not self.too_deep:
            self.too_deep = True
            self.notes.add(
                f"definitions are nested more than {MAX_NESTING} deep through '{name}'. "
                "Make some of them one",
                self.definitions[name].span,
            )

    def _note_circle(self, path: list[str], used: str, place: CallItem | Name) -> None:
        circle = [*path[path.index(used) :], used]
        shown = circle if len(circle) <= 6 else [*circle[:4], "…", used]
        hint = "Repeat layers with [ … ]*N" if isinstance(place, CallItem) else "Give it a number"
        self.notes.add(f"'{used}' is defined by itself: {' -> '.join(shown)}. {hint}", place.span)


def _uses(definition: Definition) -> Iterator[tuple[str, int, CallItem | Name]]:
    """What a definition uses, with the depth of brackets around each use."""
    if not isinstance(definition.body, Chain):
        yield from ((name.name, 1, name) for name in names_in(definition.body))
        return
    waiting = [(definition.body, 1)]
    while waiting:
        chain, depth = waiting.pop()
        for item in chain.items:
            match _unlabelled(item):
                case CallItem() as call:
                    yield call.name, depth, call
                case other:
                    waiting.extend((inner, depth + 1) for inner in inner_chains(other))

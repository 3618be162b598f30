"""Tree to text, in one canonical form: parsing it again gives an equal tree."""

from __future__ import annotations

from collections.abc import Sequence

from striate.layers import PADDING_WORDS
from striate.notation.expressions import PRECEDENCE
from striate.notation.tree import (
    Again,
    Apply,
    Argument,
    Binary,
    Branches,
    CallItem,
    Chain,
    Definition,
    Expression,
    From,
    Group,
    Item,
    Labelled,
    LayerItem,
    Name,
    Negative,
    Network,
    Number,
    Size,
    Tap,
    Unpool,
    Word,
)
from striate.notation.vocabulary import TRUTH, begins_item, setting_of

WIDTH = 88
_INDENT = "  "
_FACTOR = 3


def print_network(network: Network) -> str:
    """The canonical text of a network: its input, its definitions, its chain, within 88 columns.

    `parse(print_network(network))` equals `network`. Comments are not part of the tree.
    """
    lines = []
    if network.input is not None:
        sizes = (network.input.channels, network.input.height, network.input.width)
        lines.append(f"input {'x'.join(_digits_or_braces(size) for size in sizes)}")
    for definition in network.definitions:
        lines += _definition(definition)
    if network.definitions:
        lines.append("")
    return "\n".join([*lines, *_chain_lines(network.chain, "")]) + "\n"


def print_expression(expression: Expression) -> str:
    """An expression with no more parentheses than it needs."""
    return _expression(expression, 0)


def print_item(item: Item) -> str:
    """One item on one line."""
    match item:
        case LayerItem():
            return _layer(item)
        case CallItem(name, arguments):
            return f"{name}({_list(arguments)})" if arguments else name
        case Group(body, count):
            return f"[{_flat(body)}]{_count(count)}"
        case Branches(_, branches):
            return f"({_sign(item).join(_flat(branch) for branch in branches)})"
        case Again(label):
            return f"again {label.name}"
        case From(label):
            return f"from {label.name}"
        case Unpool(label):
            return f"unpool {label.name}"
        case Tap(name, body):
            return f"tap {name} [{_flat(body)}]" if body else f"tap {name}"
        case Labelled(name, inner):
            return f"{name}: {print_item(inner)}"


def _definition(definition: Definition) -> list[str]:
    parameters = f"({', '.join(definition.parameters)})" if definition.parameters else ""
    start = f"{definition.name}{parameters} = "
    if isinstance(definition.body, Chain):
        return _chain_lines(definition.body, start, _INDENT)
    match definition.body:
        case Number() | Negative(Number()):
            return [start + print_expression(definition.body)]
    return [f"{start}{{{print_expression(definition.body)}}}"]


def _flat(chain: Chain) -> str:
    return " -> ".join(print_item(item) for item in chain.items)


def _chain_lines(chain: Chain, start: str, indent: str = "") -> list[str]:
    """A chain over as many lines as it needs; `start` stands before its first item."""
    lines: list[str] = []
    line = start
    fresh = True
    for item in chain.items:
        text = print_item(item)
        joined = text if fresh else f" -> {text}"
        if len(line) + len(joined) <= WIDTH:
            line += joined
        else:
            if not fresh:
                lines.append(line)
                line = f"{indent}-> "
            if len(line) + len(text) > WIDTH:
                *full, line = _item_lines(item, line, indent)
                lines += full
            else:
                line += text
        fresh = False
    return [*lines, line]


def _item_lines(item: Item, start: str, indent: str) -> list[str]:
    """An item that is too long for a line: what is in its brackets on lines of their own."""
    inner = indent + _INDENT
    match item:
        case Labelled(label, labelled):
            return _item_lines(labelled, f"{start}{label}: ", indent)
        case Group(body, count):
            return [f"{start}[", *_chain_lines(body, inner, inner), f"{indent}]{_count(count)}"]
        case Tap(name, Chain() as body):
            return [f"{start}tap {name} [", *_chain_lines(body, inner, inner), f"{indent}]"]
        case Branches(_, branches):
            lines = [f"{start}("]
            for number, branch in enumerate(branches):
                sign = _sign(item).lstrip() if number else ""
                lines += _chain_lines(branch, inner + sign, inner)
            return [*lines, f"{indent})"]
    return [start + print_item(item)]


_SIGNS = {"concat": " | ", "add": " + ", "multiply": " * "}


def _sign(branches: Branches) -> str:
    return _SIGNS[branches.join]


def _count(count: Expression | None) -> str:
    """The number of repetitions; a name that begins an item too would read as a branch."""
    if count is None:
        return ""
    if isinstance(count, Name) and begins_item(count.name):
        return f"*{{{count.name}}}"
    return f"*{_after_sign(count)}"


def _layer(item: LayerItem) -> str:
    kind = item.kind
    glued = {"number": "", "dash": "", "slash": ""}
    named: list[str] = []
    spaced: list[str] = []
    for argument in item.arguments:
        value = argument.value
        setting = setting_of(kind, argument.name)
        assert setting is not None
        if isinstance(value, Word):
            flag = _flag(item, argument)
            (spaced if flag else named).append(flag or f"{argument.name}={value.text}")
        elif argument.name == kind.number:
            glued["number"] = _digits_or_braces(value)
        elif argument.name == kind.dash:
            glued["dash"] = f"-{_after_sign(value)}"
        elif argument.name == kind.slash:
            glued["slash"] = f"/{_after_sign(value)}"
        elif setting.letter:
            spaced.append(f"{setting.letter}{_digits_or_braces(value)}")
        else:
            named.append(f"{argument.name}={_named(value)}")
    parentheses = f"({', '.join(named)})" if named else ""
    return " ".join([f"{kind.words[0]}{''.join(glued.values())}{parentheses}", *spaced])


def _flag(item: LayerItem, argument: Argument) -> str:
    """The bare word that gives a setting this value, if the kind has one."""
    assert isinstance(argument.value, Word)
    for flag, (name, value) in item.kind.flags.items():
        if name == argument.name and str(value).lower() == argument.value.text:
            return flag
    return ""


def _named(value: Expression | Size | Word) -> str:
    if isinstance(value, Size):
        return _digits_or_braces(value)
    assert not isinstance(value, Word)
    if isinstance(value, Name) and value.name in (*TRUTH, *PADDING_WORDS):
        return f"{{{value.name}}}"
    return print_expression(value)


def _after_sign(value: Expression | Size | Word) -> str:
    return value.name if isinstance(value, Name) else _digits_or_braces(value)


def _digits_or_braces(value: Expression | Size | Word) -> str:
    match value:
        case Size(rows, columns):
            return f"{_digits_or_braces(rows)}x{_digits_or_braces(columns)}"
        case Number(number) if "e" not in repr(number):
            return repr(number)
    assert not isinstance(value, (Size, Word))
    return f"{{{print_expression(value)}}}"


def _expression(expression: Expression, around: int) -> str:
    match expression:
        case Number(number):
            return repr(number)
        case Name(name):
            return name
        case Apply(function, arguments):
            return f"{function}({_list(arguments)})"
        case Negative(operand):
            text = _expression(operand, _FACTOR)
            return f"-({text})" if text.startswith("-") else f"-{text}"
        case Binary(operator, left, right):
            own = PRECEDENCE[operator]
            sign = f" {operator} " if own == 1 else operator
            text = f"{_expression(left, own)}{sign}{_expression(right, own + 1)}"
            return f"({text})" if own < around else text


def _list(expressions: Sequence[Expression]) -> str:
    return ", ".join(print_expression(expression) for expression in expressions)

"""The notation: a network's text to its tree and back."""

from striate.notation.arithmetic import ArithmeticProblem, evaluate
from striate.notation.parser import parse
from striate.notation.printer import print_network
from striate.notation.tree import (
    Apply,
    Argument,
    Binary,
    Branches,
    CallItem,
    Chain,
    Definition,
    Expression,
    Group,
    Input,
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

__all__ = [
    "Apply",
    "Argument",
    "ArithmeticProblem",
    "Binary",
    "Branches",
    "CallItem",
    "Chain",
    "Definition",
    "Expression",
    "Group",
    "Input",
    "Item",
    "Labelled",
    "LayerItem",
    "Name",
    "Negative",
    "Network",
    "Number",
    "Size",
    "Word",
    "evaluate",
    "parse",
    "print_network",
]

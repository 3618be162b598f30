"""Text to tree: the statements of a text, in any order, each problem noted and passed over."""

from __future__ import annotations

import re

from striate.errors import NotationError, Problem
from striate.notation.brackets import balance
from striate.notation.chains import read_chain
from striate.notation.cursor import Cursor, Unreadable
from striate.notation.expressions import read_constant
from striate.notation.headers import at_header, at_input, find_headers, read_header
from striate.notation.inputs import read_input
from striate.notation.labels import check_labels
from striate.notation.notes import Enough, Notes
from striate.notation.scope import check
from striate.notation.signs import JOINS
from striate.notation.tokens import BAD, END, NEWLINE, NUMBER, tokenize
from striate.notation.tree import Chain, Definition, Expression, Input, Network
from striate.notation.vocabulary import MAX_TEXT
from striate.source import Source, Span


def parse(text: str, name: str = "<text>") -> Network:
    """The tree of a network's text; `name` is what its problems are reported under.

    Raises NotationError with every problem that the text has, up to MAX_PROBLEMS.
    """
    source = Source(text, name)
    if len(text) > MAX_TEXT:
        message = f"this text has {len(text):,} characters, and a network has at most {MAX_TEXT:,}"
        raise NotationError(source, [Problem(message, Span(0, 1))])
    notes = Notes()
    try:
        tokens = balance(tokenize(text, notes), notes)
        network = _Statements(Cursor(text, tokens, notes), source).network()
    except Enough:
        pass
    if notes.problems:
        raise NotationError(source, notes.problems)
    return network


class _Statements:
    """The statements of one text while they are read."""

    def __init__(self, cursor: Cursor, source: Source) -> None:
        self.cursor = cursor
        self.source = source
        self.input: Input | None = None
        self.chain: Chain | None = None
        self.definitions: list[Definition] = []
        self.last_column: int | None = None
        """Where the statement before began on its line, if that was a definition."""

    def network(self) -> Network:
        """The whole text."""
        cursor = self.cursor
        find_headers(cursor)
        cursor.skip_newlines()
        while not cursor.at(END):
            if at_header(cursor):
                self._definition()
            elif at_input(cursor):
                self._input()
            else:
                self._chain()
            cursor.skip_newlines()
        if self.chain is None and not cursor.notes.problems:
            cursor.note(*self._no_layers())
        chain = self.chain or Chain((), Span(0, 0))
        network = Network(self.input, tuple(self.definitions), chain, self.source)
        check(network, cursor.definitions, cursor.constants, cursor.notes)
        if not cursor.notes.problems:
            check_labels(network, cursor.notes)
        return network

    def _no_layers(self) -> tuple[str, Span]:
        """The message for a text without a chain of its own, and its place.

        Often a definition has taken the chain in: a line that begins with a join goes on with it.
        """
        text = self.source.text
        for definition in self.definitions:
            span = definition.span
            if taken := re.compile(r"\n((?:->|→|,).*)").search(text, span.start, span.end):
                return (
                    f"a line that begins with '->' goes on with the definition above it, so "
                    f"'{definition.name}' has all the layers and the network none. Write the "
                    "definition before the input, or begin this line with its first layer",
                    Span(taken.start(1), taken.start(1) + 2),
                )
        return (
            "there are no layers here. A network is written like "
            "input 3x32x32 -> conv3-64 -> relu -> gap -> fc-10",
            Span(0, 0),
        )

    def _column(self) -> int:
        start = self.cursor.token.start
        return start - self.source.text.rfind("\n", 0, start)

    def _definition(self) -> None:
        cursor = self.cursor
        self.last_column = self._column()
        header = read_header(cursor)
        if cursor.at(NEWLINE) and not at_header(cursor, 1) and not at_input(cursor, 1):
            cursor.take()
        if cursor.at(NEWLINE, END):
            cursor.note(
                f"'{header.name.text}' is left empty. Write a chain or a number after its '='",
                Span(header.name.start, cursor.before.end),
            )
            return
        cursor.parameters = header.parameters
        body = self._body()
        cursor.parameters = ()
        if body is not None:
            span = Span(header.name.start, cursor.before.end)
            self.definitions.append(Definition(header.name.text, header.parameters, body, span))

    def _body(self) -> Chain | Expression | None:
        cursor = self.cursor
        if not cursor.at(NUMBER, "-", "{"):
            return read_chain(cursor, "definition")
        start = cursor.index
        try:
            return read_constant(cursor)
        except Unreadable:
            cursor.index = start
            cursor.skip_to(NEWLINE)
            return None

    def _input(self) -> None:
        cursor = self.cursor
        start = cursor.index
        try:
            found = read_input(cursor)
        except Unreadable:
            cursor.index = start
            cursor.skip_to(*JOINS, NEWLINE)
        else:
            self._keep_input(found)
        cursor.skip_newlines()
        if cursor.at(*JOINS):
            join = cursor.take()
            cursor.skip_newlines()
            if cursor.at(END):
                cursor.note(f"nothing follows this '{join.text}'. Add a layer", join.span)
        self.last_column = None

    def _keep_input(self, found: Input) -> None:
        cursor = self.cursor
        if self.input is not None:
            cursor.note("the input is given twice. Keep one", found.span)
        elif self.chain is not None:
            cursor.note("the input stands before the first layer. Move it up", found.span)
        self.input = found
        if not cursor.at(*JOINS, NEWLINE, END, BAD):
            cursor.note(
                f"expected '->' or a line break after the input, found {cursor.found()}",
                cursor.token.span,
            )

    def _chain(self) -> None:
        """The network's chain, of which there is one."""
        cursor = self.cursor
        first = cursor.token.span
        after_definition = self.last_column
        belongs_above = after_definition is not None and self._column() > after_definition
        chain = read_chain(cursor, "top")
        if belongs_above:
            cursor.note(
                "this line is indented as if it went on with the definition above. "
                "Begin it with '->' to do so, or start it further left",
                first,
            )
        elif self.chain is not None and after_definition is not None:
            cursor.note(
                "the network's layers are in two places. Write them together: definitions stand "
                "before or after them",
                first,
            )
        if not belongs_above:
            self.chain = self.chain or chain
        self.last_column = None

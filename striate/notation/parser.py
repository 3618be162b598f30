"""Text to tree. Recursive descent; what cannot be read is noted, and reading goes on after it."""

from __future__ import annotations

from typing import Literal

from striate.errors import NotationError, Problem
from striate.layers import WORDS
from striate.notation.brackets import TooDeepError, balance
from striate.notation.cursor import Cursor, Unreadable
from striate.notation.expressions import read_arguments, read_constant, read_value
from striate.notation.headers import at_header, find_headers, read_header
from striate.notation.inputs import read_input
from striate.notation.scope import check
from striate.notation.settings import PATTERN, plain_value, read_layer
from striate.notation.tokens import BAD, END, NEWLINE, NUMBER, WORD, Token, tokenize
from striate.notation.tree import (
    Branches,
    CallItem,
    Chain,
    Definition,
    Expression,
    Group,
    Input,
    Item,
    Labelled,
    Network,
)
from striate.notation.vocabulary import (
    COUNT,
    MAX_PROBLEMS,
    MAX_TEXT,
    ValueProblem,
    convert,
    is_layer,
    nearest,
)
from striate.source import Source, Span

_JOINERS = ("->", ",")
_CLOSERS = (")", "]", "}")
_Place = Literal["top", "definition", "inside"]


def parse(text: str, name: str = "<text>") -> Network:
    """The tree of a network's text; `name` is what its problems are reported under.

    Raises NotationError with every problem that the text has, up to 20.
    """
    source = Source(text, name)
    if len(text) > MAX_TEXT:
        message = f"this text has {len(text):,} characters, more than {MAX_TEXT:,}"
        raise NotationError(source, [Problem(message, Span(0, 1))])
    problems: list[Problem] = []
    try:
        tokens = balance(tokenize(text, problems), problems)
    except TooDeepError as error:
        raise NotationError(source, [*problems[: MAX_PROBLEMS - 1], error.problem]) from None
    network = _Parser(Cursor(text, tokens, problems), source).network()
    if problems:
        first = sorted(problems, key=lambda problem: problem.span)[:MAX_PROBLEMS]
        raise NotationError(source, first)
    return network


class _Parser:
    def __init__(self, cursor: Cursor, source: Source) -> None:
        self.cursor = cursor
        self.source = source
        self.input: Input | None = None
        self.chain: Chain | None = None
        self.definitions: list[Definition] = []

    def network(self) -> Network:
        cursor = self.cursor
        find_headers(cursor)
        cursor.skip_newlines()
        while not cursor.at(END):
            self._statement()
            cursor.skip_newlines()
        if self.chain is None and not cursor.problems:
            cursor.note(
                "there are no layers here. A network is written like "
                "'input 3x32x32 -> conv3-64 -> relu -> gap -> fc-10'",
                Span(0, 0),
            )
        chain = self.chain or Chain((), Span(0, 0))
        network = Network(self.input, tuple(self.definitions), chain, self.source)
        cursor.problems.extend(check(network, cursor.definitions))
        return network

    def _statement(self) -> None:
        cursor = self.cursor
        if at_header(cursor):
            self._definition()
        elif cursor.at(WORD) and cursor.token.text == "input":
            self._input()
        else:
            chain = self._chain("top")
            if self.chain is not None:
                cursor.note(
                    "the network's chain stands above the definitions already. Begin this line "
                    "with '->' if it belongs to the definition before it",
                    Span(chain.span.start, chain.span.start + 1),
                )
            self.chain = self.chain or chain

    def _input(self) -> None:
        cursor = self.cursor
        start = cursor.index
        try:
            found = read_input(cursor)
        except Unreadable:
            cursor.index = start
            cursor.skip_to(*_JOINERS, NEWLINE)
        else:
            if self.input is not None:
                cursor.note("the input is given twice. Keep one", found.span)
            elif self.chain is not None:
                cursor.note("the input stands before the first layer. Move it up", found.span)
            self.input = found
            if not cursor.at(*_JOINERS, NEWLINE, END, BAD):
                cursor.note(
                    f"expected '->' or a line break after the input, found {cursor.found()}",
                    cursor.token.span,
                )
        cursor.skip_newlines()
        if cursor.at(*_JOINERS):
            cursor.take()
            cursor.skip_newlines()
            if cursor.at(END):
                cursor.note("nothing follows this '->'", cursor.before.span)

    def _definition(self) -> None:
        cursor = self.cursor
        header = read_header(cursor)
        cursor.skip_newlines()
        body: Chain | Expression
        if cursor.at(NUMBER, "-", "{"):
            start = cursor.index
            try:
                body = read_constant(cursor)
            except Unreadable:
                cursor.index = start
                cursor.skip_to(NEWLINE)
                return
        else:
            body = self._chain("definition")
        span = cursor.since(header.name.start)
        self.definitions.append(Definition(header.name.text, header.parameters, body, span))

    def _chain(self, place: _Place) -> Chain:
        """Items up to the end of their place. Empty only where that has been noted."""
        cursor = self.cursor
        start = cursor.token.start
        items: list[Item] = []
        while True:
            index = cursor.index
            try:
                items.append(self._item())
                self._after(items[-1])
            except Unreadable:
                cursor.index = index
                cursor.skip_to(*_JOINERS, NEWLINE, "|", "+")
            if not self._join(place):
                break
        self._distinct_labels(items)
        return Chain(tuple(items), cursor.since(start))

    def _join(self, place: _Place) -> bool:
        """Past what joins this item to the next; False at the end of the chain."""
        cursor = self.cursor
        if place != "inside" and cursor.at("|", "+"):
            cursor.note(
                f"'{cursor.token.text}' stands between branches, inside parentheses: "
                f"(conv3-64 {cursor.token.text} id)",
                cursor.token.span,
            )
            cursor.take()
            return True
        if cursor.at(NEWLINE):
            if cursor.ahead().kind in _JOINERS:
                cursor.take()
            elif self._ends_at_newline(place):
                return False
            else:
                cursor.take()
                return True
        if cursor.at(END, "|", "+", *_CLOSERS):
            return False
        if not cursor.at(*_JOINERS):
            return True
        while cursor.at(*_JOINERS):
            joiner = cursor.take()
            cursor.skip_newlines()
            if cursor.at(*_JOINERS):
                cursor.note("there is nothing between these joins. Keep one", cursor.token.span)
        if cursor.at(END, "|", "+", *_CLOSERS):
            cursor.note(f"nothing follows this '{joiner.text}'. Take it out", joiner.span)
            return False
        return True

    def _ends_at_newline(self, place: _Place) -> bool:
        cursor = self.cursor
        after = cursor.ahead()
        if place == "definition" or after.kind == END:
            return True
        if place == "inside":
            if after.kind in (*_CLOSERS, "|", "+"):
                cursor.take()
                return True
            return False
        return at_header(cursor, 1) or (after.kind == WORD and after.text == "input")

    def _item(self) -> Item:
        cursor = self.cursor
        token = cursor.token
        if token.kind == "[":
            return self._group()
        if token.kind == "(":
            return self._branches()
        if token.kind != WORD:
            raise self._no_item()
        if cursor.ahead().kind == ":":
            return self._labelled()
        if token.text in cursor.definitions:
            return self._call()
        if is_layer(token.text):
            return read_layer(cursor)
        raise self._unknown(token)

    def _labelled(self) -> Labelled:
        cursor = self.cursor
        label = cursor.take()
        cursor.take()
        cursor.skip_newlines()
        if "." in label.text:
            cursor.note(
                f"'{cursor.written(label.span)}' is not a label: a label has no dots", label.span
            )
        item = self._item()
        if isinstance(item, Labelled):
            raise cursor.failure(
                f"two labels for one item: '{label.text}' and '{item.label}'. Keep one"
            )
        return Labelled(label.text, item, cursor.since(label.start))

    def _call(self) -> CallItem:
        cursor = self.cursor
        token = cursor.take()
        has_parameters = bool(cursor.definitions[token.text])
        arguments: tuple[Expression, ...] = ()
        if cursor.at("(") and (cursor.glued or has_parameters):
            arguments = read_arguments(cursor)
        return CallItem(token.text, arguments, cursor.since(token.start))

    def _group(self) -> Group:
        cursor = self.cursor
        opening = cursor.take()
        cursor.skip_newlines()
        if cursor.at("]"):
            cursor.take()
            raise cursor.failure(
                "these brackets are empty. Put a chain inside", cursor.since(opening.start)
            )
        body = self._chain("inside")
        while not cursor.at("]"):
            cursor.note(
                f"'{cursor.token.text}' stands between branches, which are in parentheses: "
                f"(conv3-64 {cursor.token.text} id)",
                cursor.token.span,
            )
            cursor.take()
            self._chain("inside")
        cursor.take()
        count: Expression | None = None
        if cursor.at("*"):
            cursor.take()
            count = read_value(cursor, "*")
            self._plain_count(count)
        return Group(body, count, cursor.since(opening.start))

    def _plain_count(self, count: Expression) -> None:
        plain = plain_value(count)
        if plain is not None:
            try:
                convert(COUNT, plain)
            except ValueProblem as problem:
                self.cursor.note(str(problem), count.span)

    def _branches(self) -> Branches:
        cursor = self.cursor
        opening = cursor.take()
        branches, signs = [self._branch(opening)], []
        while cursor.at("|", "+"):
            signs.append(cursor.take())
            branches.append(self._branch(signs[-1]))
        cursor.take()
        span = cursor.since(opening.start)
        if not signs:
            inner = cursor.written(branches[0].span)
            cursor.note(
                f"parentheses hold branches, but there is one only. Write [{inner}] to group", span
            )
        other = next((sign for sign in signs if sign.kind != signs[0].kind), None)
        if other is not None:
            cursor.note(
                "'|' (join along depth) and '+' (add) are mixed here. Put the inner branches "
                "in parentheses of their own: (a | (b + c))",
                other.span,
            )
        join: Literal["concat", "add"] = "add" if signs and signs[0].kind == "+" else "concat"
        return Branches(join, tuple(branches), span)

    def _branch(self, sign: Token) -> Chain:
        cursor = self.cursor
        cursor.skip_newlines()
        if cursor.at("|", "+", ")"):
            cursor.note("this branch is empty. Write 'id' for one that changes nothing", sign.span)
            return Chain((), sign.span)
        return self._chain("inside")

    def _after(self, item: Item) -> None:
        """Refuses what may not follow an item."""
        cursor = self.cursor
        written = cursor.written(item.span)
        if cursor.at("*"):
            start = cursor.take().start
            read_value(cursor, "*")
            count = cursor.written(cursor.since(start))
            cursor.note(f"only [ … ] is repeated: write [{written}]{count}", cursor.since(start))
        if cursor.at("?"):
            cursor.take()
            cursor.note(
                f"{PATTERN}; a network says which: write the item without '?' or leave it out",
                cursor.since(item.span.start),
            )
        if cursor.at(":"):
            raise cursor.failure(
                "a label is one name, as in 'stem: conv3-64'. In a pasted listing leave out "
                "what follows the layer: sizes are computed"
            )
        if cursor.at("="):
            raise cursor.failure(
                "a definition begins on a line of its own, and its name is one word"
            )
        if cursor.at(WORD, "[", "(", NUMBER):
            cursor.note(
                f"expected '->' or a line break between '{written}' and {cursor.found()}",
                cursor.token.span,
            )
        elif not cursor.at(*_JOINERS, NEWLINE, END, "|", "+", *_CLOSERS):
            raise cursor.failure(
                f"expected '->' or a line break after '{written}', found {cursor.found()}"
            )

    def _no_item(self) -> Unreadable:
        cursor = self.cursor
        if cursor.at("{"):
            return cursor.failure(
                "braces hold numbers, as in conv3-{2*c}. Layers are grouped by [ … ]"
            )
        if cursor.at(*_JOINERS):
            return cursor.failure(f"nothing stands before this '{cursor.token.text}'. Take it out")
        return cursor.failure(f"expected a layer, as in conv3-64, found {cursor.found()}")

    def _unknown(self, token: Token) -> Unreadable:
        cursor = self.cursor
        if cursor.ahead().kind == "=":
            return cursor.failure(f"a definition begins on a line of its own: '{token.text} = …'")
        if token.text == "input":
            return cursor.failure(
                "the input stands once, before the first layer, as in 'input 3x224x224'"
            )
        cursor.take()
        while cursor.glued and cursor.at(WORD, NUMBER, "x", "-", "/"):
            cursor.take()
        span = cursor.since(token.start)
        written = cursor.written(span)
        head = token.text.rstrip("0123456789.x")
        near = nearest(token.text, cursor.definitions) or nearest(head, WORDS)
        if near is None:
            hint = "Layers are words like conv3-64, relu, pool2, bn, fc-10"
        elif near in cursor.definitions:
            hint = f"Did you mean '{near}'?"
        else:
            hint = f"Did you mean '{near}{written[len(head) :]}'?"
        return cursor.failure(f"unknown layer '{written}'. {hint}", span)

    def _distinct_labels(self, items: list[Item]) -> None:
        seen: set[str] = set()
        for item in items:
            if isinstance(item, Labelled):
                if item.label in seen:
                    span = Span(item.span.start, item.span.start + len(item.label))
                    self.cursor.note(
                        f"the label '{item.label}' is used twice in this chain. Rename one", span
                    )
                seen.add(item.label)

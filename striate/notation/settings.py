"""A layer and its settings, in the compact form and spelt out, by the kind's own declaration."""

from __future__ import annotations

from dataclasses import dataclass, field

from striate.layers import PADDING_WORDS, WORDS, Layer, Setting, Value
from striate.notation import hints
from striate.notation.cursor import Cursor, Unreadable
from striate.notation.expressions import (
    number,
    read_braces,
    read_expression,
    read_size,
    read_value,
)
from striate.notation.tokens import NEWLINE, NUMBER, TIMES, WORD, Token
from striate.notation.tree import Argument, Expression, LayerItem, Negative, Number, Size, Word
from striate.notation.vocabulary import (
    LAYER_WORDS,
    TRUTH,
    Glued,
    ValueProblem,
    begins_item,
    convert,
    letters_of,
    setting_of,
    split,
)
from striate.source import Span


def read_layer(cursor: Cursor) -> LayerItem:
    """A layer with its settings. The cursor stands at its word."""
    token = cursor.take()
    glued = split(token.text, LAYER_WORDS)
    assert glued is not None
    layer = _Layer(cursor, WORDS[glued.word], token.start)
    layer.read_number(glued, token)
    layer.read_sign("-", layer.kind.dash)
    layer.read_sign("/", layer.kind.slash)
    layer.refuse_glued()
    layer.read_named()
    while cursor.at(WORD) and not cursor.glued and layer.read_word():
        pass
    return layer.finish()


def check_plain(
    cursor: Cursor, setting: Setting, value: Expression | Size | Word, of: str = ""
) -> None:
    """Notes what is wrong with a value that needs no evaluation: a number, two, or a word."""
    plain: Value
    match value:
        case Number(found):
            plain = found
        case Negative(Number(found)):
            plain = -found
        case Word(text):
            plain = text
        case Size(Number(rows), Number(columns)):
            plain = rows, columns  # type: ignore[assignment]  # convert refuses fractions
        case _:
            return
    try:
        convert(setting, plain)
    except ValueProblem as problem:
        cursor.note(f"{of}{problem}", value.span)


@dataclass
class _Layer:
    """A layer while its settings are being read."""

    cursor: Cursor
    kind: type[Layer]
    start: int
    given: dict[str, Argument] = field(default_factory=dict)
    doubtful: bool = False
    """Whether something was refused that may have been a setting which now seems to be missing."""

    @property
    def word(self) -> str:
        return self.kind.words[0]

    def give(self, setting: Setting, value: Expression | Size | Word, span: Span) -> None:
        """Remembers a setting's value, and notes why it cannot have it."""
        name = setting.name
        if name in self.given:
            first = self.cursor.written(self.given[name].span)
            second = self.cursor.written(span)
            self.cursor.note(
                f"{name} of {self.word} is given twice: '{first}' and '{second}'. Keep one", span
            )
            return
        self.given[name] = Argument(name, value, span)
        check_plain(self.cursor, setting, value, of=f"{self.word}: ")

    def refuse(self, message: str, span: Span) -> None:
        """Notes something that this kind does not have."""
        self.doubtful = True
        self.cursor.note(message, span)

    def finish(self) -> LayerItem:
        """The layer, with its settings in the order of its kind."""
        span = self.cursor.since(self.start)
        missing = [s for s in self.kind.settings if s.required and s.name not in self.given]
        if missing and not self.doubtful:
            needs = " and ".join(f"its {setting.name} ({setting.help})" for setting in missing)
            example = hints.short_example(self.kind)
            self.cursor.note(f"{self.word} needs {needs}, as in {example}", span)
        arguments = [self.given[s.name] for s in self.kind.settings if s.name in self.given]
        return LayerItem(self.kind, tuple(arguments), span)

    def read_number(self, glued: Glued, token: Token) -> None:
        """The number or braces glued to the word."""
        cursor = self.cursor
        start = token.start + len(glued.word)
        if glued.rows or (cursor.at("{") and cursor.glued):
            value = _read_glued(cursor, glued, token)
        elif cursor.at(NUMBER) and (self.kind.number or self.kind.dash):
            start = cursor.token.start
            self.refuse(self._no_space(), cursor.token.span)
            value = read_value(cursor, self.word)
        else:
            return
        span = cursor.since(start)
        setting = setting_of(self.kind, self.kind.number)
        if setting is not None:
            self.give(setting, value, span)
        elif not self.doubtful:
            right = f"{self.word}-{cursor.written(span)}" if self.kind.dash else self.word
            written = cursor.written(cursor.since(token.start))
            self.refuse(f"{self.word} takes no number as in '{written}'. Write {right}", span)

    def read_sign(self, sign: str, name: str) -> None:
        """What follows the dash or the slash."""
        cursor = self.cursor
        if not cursor.at(sign) or not (cursor.glued or name):
            return
        spaced = not cursor.glued
        start = cursor.take().start
        spaced |= not cursor.glued and cursor.at(NUMBER, WORD, "{")
        value = read_size(cursor, read_value(cursor, sign))
        span = cursor.since(start)
        setting = setting_of(self.kind, name)
        if spaced:
            self.refuse(self._no_space(), span)
        if setting is not None:
            self.give(setting, value, span)
        else:
            written = cursor.written(span)
            forms = hints.spaced_forms(self.kind)
            self.refuse(f"{self.word} takes no '{written}'. {forms}", span)

    def _no_space(self) -> str:
        return (
            "no space belongs here: a layer's number, '-' and '/' are glued to its word, "
            f"as in {self.kind.example.split()[0]}"
        )

    def refuse_glued(self) -> None:
        """Anything else that is glued to the layer, and `?`. Raises Unreadable."""
        cursor = self.cursor
        if cursor.at("?"):
            raise self._question()
        if not cursor.glued:
            return
        if cursor.at(WORD, NUMBER):
            raise cursor.failure(
                f"expected a space before {cursor.found()}: only a number, '-' and '/' are glued "
                f"to a layer's word, as in {self.kind.example.split()[0]}"
            )
        if cursor.at("-", "/"):
            start = cursor.take().start
            read_value(cursor, cursor.before.kind)
            span = cursor.since(start)
            raise cursor.failure(
                f"unexpected '{cursor.written(span)}': a layer is its word, then a number, '-' "
                f"and '/', each once and in this order, as in {self.kind.example.split()[0]}",
                span,
            )

    def _question(self) -> Unreadable:
        self.cursor.take()
        example = hints.short_example(self.kind)
        return self.cursor.failure(
            f"{hints.PATTERN}; a network says which: write {example} or leave it out",
            self.cursor.since(self.start),
        )

    def read_named(self) -> None:
        """`(name=value, …)`, if it is there."""
        cursor = self.cursor
        named = cursor.ahead().kind == WORD and cursor.ahead(2).kind == "="
        if not cursor.at("(") or not (cursor.glued or named):
            return
        opening = cursor.take()
        cursor.skip_newlines()
        while not cursor.at(")"):
            if not cursor.at(WORD) or cursor.ahead().kind != "=":
                raise self._unnamed(opening)
            self._read_one_named()
            cursor.skip_newlines()
            if cursor.at(","):
                cursor.take()
                cursor.skip_newlines()
            elif not cursor.at(")"):
                raise cursor.failure(f"expected ',' or ')' after a setting, found {cursor.found()}")
        cursor.take()

    def _read_one_named(self) -> None:
        cursor = self.cursor
        token = cursor.take()
        cursor.take()
        setting = setting_of(self.kind, token.text)
        value = _read_named_value(cursor, setting)
        if setting is not None:
            self.give(setting, value, cursor.since(token.start))
        else:
            self.refuse(hints.unknown_name(self.kind, cursor.written(token.span)), token.span)

    def _unnamed(self, opening: Token) -> Unreadable:
        cursor = self.cursor
        cursor.skip_to()
        cursor.take()
        names = [setting.name for setting in self.kind.settings][:2]
        example = f"{self.word}({', '.join(f'{name}=…' for name in names)})"
        hint = f"settings in parentheses have names, as in {example}"
        return cursor.failure(
            hint if names else hints.named_forms(self.kind), cursor.since(opening.start)
        )

    def read_word(self) -> bool:
        """A setting by its letter, or a flag; False where the word begins something else."""
        cursor = self.cursor
        token = cursor.token
        letters = letters_of(self.kind)
        glued = split(token.text, frozenset(letters))
        braces = cursor.ahead().kind == "{" and cursor.ahead().start == token.end
        if token.text in self.kind.flags:
            self._read_flag()
        elif glued is not None and (glued.rows or braces):
            cursor.take()
            value = _read_glued(cursor, glued, token)
            self.give(letters[glued.word], value, cursor.since(token.start))
        elif cursor.ahead().kind == "=":
            self._refuse_bare_name()
        elif cursor.ahead().kind in (":", "(") or self._is_item(token):
            return False
        else:
            cursor.take()
            while cursor.glued and cursor.at(NUMBER, WORD, TIMES, "-", "/"):
                cursor.take()
            span = cursor.since(token.start)
            self.refuse(hints.unknown_word(self.kind, cursor.written(span)), span)
        return True

    def _is_item(self, token: Token) -> bool:
        return begins_item(token.text) or token.text in self.cursor.definitions

    def _read_flag(self) -> None:
        token = self.cursor.take()
        name, value = self.kind.flags[token.text]
        setting = setting_of(self.kind, name)
        assert setting is not None
        self.give(setting, Word(str(value).lower(), token.span), token.span)

    def _refuse_bare_name(self) -> None:
        cursor = self.cursor
        token = cursor.take()
        cursor.take()
        while cursor.at(NUMBER, TIMES, WORD) and cursor.glued:
            cursor.take()
        span = cursor.since(token.start)
        written = cursor.written(span)
        if setting_of(self.kind, token.text) is not None:
            message = f"a setting with its name stands in parentheses: {self.word}({written})"
        else:
            message = hints.unknown_name(self.kind, cursor.written(token.span))
        self.refuse(message, span)


def _read_glued(cursor: Cursor, glued: Glued, token: Token) -> Expression | Size:
    """The number, braces or two of them that follow a word without a space."""
    if not glued.rows:
        return read_size(cursor, read_braces(cursor))
    start = token.start + len(glued.word)
    middle = start + len(glued.rows)
    rows = number(cursor, glued.rows, Span(start, middle))
    if not glued.columns:
        return read_size(cursor, rows)
    return Size(
        rows, number(cursor, glued.columns, Span(middle + 1, token.end)), Span(start, token.end)
    )


def _read_named_value(cursor: Cursor, setting: Setting | None) -> Expression | Size | Word:
    token = cursor.token
    if token.kind == WORD and cursor.ahead().kind in (",", ")", NEWLINE):
        words = {"bool": tuple(TRUTH), "padding": PADDING_WORDS}
        if setting is None or setting.type == "text" or token.text in words.get(setting.type, ()):
            cursor.take()
            return Word(token.text, token.span)
    return read_size(cursor, read_expression(cursor), spaced=True)

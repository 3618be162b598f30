"""A layer and its settings, in the compact form and spelt out, by the kind's own declaration."""

from __future__ import annotations

from dataclasses import dataclass, field

from striate.layers import PADDING_WORDS, WORDS, Layer, Setting
from striate.notation.cursor import Cursor
from striate.notation.expressions import (
    number,
    read_braces,
    read_expression,
    read_size,
    read_value,
)
from striate.notation.tokens import NUMBER, TIMES, WORD, Token
from striate.notation.tree import (
    Argument,
    Expression,
    LayerItem,
    Negative,
    Number,
    Size,
    Word,
)
from striate.notation.vocabulary import (
    TRUTH,
    Glued,
    ValueProblem,
    convert,
    is_layer,
    letters_of,
    nearest,
    setting_of,
    split,
)
from striate.source import Span

PATTERN = "'?' says 'one or none' in the pattern INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> …"


@dataclass
class _Layer:
    """A layer while its settings are being read."""

    cursor: Cursor
    kind: type[Layer]
    start: int
    given: dict[str, Argument] = field(default_factory=dict)

    @property
    def word(self) -> str:
        return self.kind.words[0]

    def give(self, name: str, value: Expression | Size | Word, span: Span) -> None:
        """Notes a setting's value, if it can be one."""
        setting = setting_of(self.kind, name)
        assert setting is not None
        if name in self.given:
            first = self.cursor.written(self.given[name].span)
            self.cursor.note(
                f"{name} of {self.word} is given twice: '{first}' and "
                f"'{self.cursor.written(span)}'. Keep one",
                span,
            )
            return
        self.given[name] = Argument(name, value, span)
        plain = plain_value(value)
        if plain is not None:
            try:
                convert(setting, plain)
            except ValueProblem as problem:
                self.cursor.note(f"{self.word}: {problem}", value.span)

    def finish(self) -> LayerItem:
        """The layer, if nothing that it needs is missing."""
        span = self.cursor.since(self.start)
        missing = [s for s in self.kind.settings if s.required and s.name not in self.given]
        if missing:
            needs = " and ".join(f"its {setting.name} ({setting.help})" for setting in missing)
            example = self.kind.example.split()[0].split("/")[0]
            self.cursor.note(f"{self.word} needs {needs}, as in '{example}'", span)
        ordered = tuple(
            self.given[setting.name] for setting in self.kind.settings if setting.name in self.given
        )
        return LayerItem(self.kind, ordered, span)


def plain_value(value: Expression | Size | Word) -> int | float | str | tuple[int, int] | None:
    """The value of what needs no evaluation: a number, two numbers, a word."""
    match value:
        case Number(plain):
            return plain
        case Negative(Number(plain)):
            return -plain
        case Word(text):
            return text
        case Size(Number(rows), Number(columns)):
            return rows, columns  # type: ignore[return-value]
    return None


def read_layer(cursor: Cursor) -> LayerItem:
    """A layer, with the cursor at its word."""
    token = cursor.take()
    glued = split(token.text, WORDS)
    assert glued is not None
    layer = _Layer(cursor, WORDS[glued.word], token.start)
    _read_number(layer, glued, token)
    for sign, name in (("-", layer.kind.dash), ("/", layer.kind.slash)):
        if cursor.at(sign) and cursor.glued:
            _read_sign(layer, sign, name)
    _refuse_glued(layer)
    if cursor.at("?"):
        _refuse_question(layer)
    if cursor.at("(") and (cursor.glued or _names_ahead(cursor)):
        _read_named(layer)
    while cursor.at(WORD) and not cursor.glued and _read_word(layer):
        pass
    return layer.finish()


def _read_number(layer: _Layer, glued: Glued, token: Token) -> None:
    cursor = layer.cursor
    if not glued.rows and not (cursor.at("{") and cursor.glued):
        return
    value = _read_glued(cursor, glued, token)
    span = cursor.since(token.start + len(glued.word))
    if layer.kind.number:
        layer.give(layer.kind.number, value, span)
        return
    written = cursor.written(Span(token.start, span.end))
    hint = f"'{layer.word}-{cursor.written(span)}'" if layer.kind.dash else f"'{layer.word}'"
    cursor.note(f"{layer.word} takes no number like '{written}'. Write {hint}", span)


def _read_glued(cursor: Cursor, glued: Glued, token: Token) -> Expression | Size:
    """The number, braces or two of them that follow a word without a space."""
    if not glued.rows:
        return read_size(cursor, read_braces(cursor))
    start = token.start + len(glued.word)
    middle = start + len(glued.rows)
    rows = number(cursor, glued.rows, Token(NUMBER, glued.rows, start, middle))
    if not glued.columns:
        return read_size(cursor, rows)
    place = Token(NUMBER, glued.columns, middle + 1, token.end)
    return Size(rows, number(cursor, glued.columns, place), Span(start, token.end))


def _read_sign(layer: _Layer, sign: str, name: str) -> None:
    cursor = layer.cursor
    start = cursor.take().start
    value: Expression | Size = read_value(cursor, sign)
    if cursor.at(TIMES) and cursor.glued:
        value = read_size(cursor, value)
    span = cursor.since(start)
    if name:
        layer.give(name, value, span)
    else:
        cursor.note(
            f"{layer.word} takes no '{cursor.written(span)}'. {_settings_hint(layer.kind)}", span
        )


def _refuse_glued(layer: _Layer) -> None:
    cursor = layer.cursor
    if not cursor.glued:
        return
    if cursor.at(WORD, NUMBER):
        cursor.note(
            f"expected a space before {cursor.found()}: only a number, '-' and '/' are glued "
            "to a layer's word",
            cursor.token.span,
        )
        cursor.take()
    elif cursor.at("-", "/"):
        start = cursor.take().start
        read_value(cursor, cursor.before.kind)
        span = cursor.since(start)
        cursor.note(
            f"unexpected '{cursor.written(span)}'. A layer is written word, number, '-', '/' in "
            f"this order, each once, as in '{layer.kind.example.split()[0]}'",
            span,
        )


def _refuse_question(layer: _Layer) -> None:
    cursor = layer.cursor
    cursor.take()
    example = layer.kind.example.split()[0]
    raise cursor.failure(
        f"{PATTERN}; a network says which: write {example} or leave it out",
        cursor.since(layer.start),
    )


def _names_ahead(cursor: Cursor) -> bool:
    return cursor.ahead().kind == WORD and cursor.ahead(2).kind == "="


def _read_named(layer: _Layer) -> None:
    """`(name=value, …)`."""
    cursor = layer.cursor
    opening = cursor.take()
    cursor.skip_newlines()
    while not cursor.at(")"):
        token = cursor.token
        if not cursor.at(WORD) or cursor.ahead().kind != "=":
            cursor.skip_to()
            cursor.take()
            span = cursor.since(opening.start)
            raise cursor.failure(
                f"expected name=value in parentheses. {_named_hint(layer.kind)}", span
            )
        cursor.take()
        cursor.take()
        setting = setting_of(layer.kind, token.text)
        value = _read_setting_value(cursor, setting)
        if setting is None:
            cursor.note(_unknown_name(layer, token), token.span)
        else:
            layer.give(setting.name, value, cursor.since(token.start))
        cursor.skip_newlines()
        if cursor.at(","):
            cursor.take()
            cursor.skip_newlines()
        elif not cursor.at(")"):
            raise cursor.failure(f"expected ',' or ')' after a setting, found {cursor.found()}")
    cursor.take()


def _read_setting_value(cursor: Cursor, setting: Setting | None) -> Expression | Size | Word:
    token = cursor.token
    if token.kind == WORD and cursor.ahead().kind in (",", ")", "newline"):
        words = {"bool": tuple(TRUTH), "padding": PADDING_WORDS}
        if setting is None or setting.type == "text" or token.text in words.get(setting.type, ()):
            cursor.take()
            return Word(token.text, token.span)
    return read_size(cursor, read_expression(cursor), letters=True)


def _read_word(layer: _Layer) -> bool:
    """A letter setting or a flag; False where the word begins something else."""
    cursor = layer.cursor
    token = cursor.token
    if token.text in layer.kind.flags:
        cursor.take()
        name, value = layer.kind.flags[token.text]
        text = str(value).lower()
        layer.give(name, Word(text, token.span), token.span)
        return True
    letters = letters_of(layer.kind)
    glued = split(token.text, letters)
    braces = cursor.ahead().kind == "{" and cursor.ahead().start == token.end
    if glued is not None and (glued.rows or braces):
        cursor.take()
        setting_value = _read_glued(cursor, glued, token)
        layer.give(letters[glued.word].name, setting_value, cursor.since(token.start))
        return True
    if is_layer(token.text) or cursor.ahead().kind in (":", "("):
        return False
    if token.text in cursor.definitions:
        return False
    cursor.take()
    while cursor.glued and cursor.at(NUMBER, WORD, TIMES, "-", "/"):
        cursor.take()
    cursor.note(_unknown_word(layer, cursor.since(token.start)), cursor.since(token.start))
    return True


def _unknown_word(layer: _Layer, span: Span) -> str:
    written = layer.cursor.written(span)
    head = written.lower().rstrip("0123456789.")
    rest = written[len(head) :]
    letters = letters_of(layer.kind)
    names = {setting.name for setting in layer.kind.settings}
    if not layer.kind.settings:
        hint = f"{layer.word} takes no settings; items are joined by '->'"
    elif (near := nearest(head, [*letters, *layer.kind.flags, *names])) is None:
        hint = _settings_hint(layer.kind)
    elif near in letters:
        hint = f"Did you mean '{near}{rest or 'N'}' ({letters[near].name}={rest or 'N'})?"
    elif near in layer.kind.flags:
        hint = f"Did you mean '{near}' ({_flag(layer.kind, near)})?"
    else:
        hint = f"Did you mean '({near}={rest or '…'})', in parentheses after the word?"
    return f"unknown setting '{written}' for {layer.word}. {hint}"


def _flag(kind: type[Layer], flag: str) -> str:
    name, value = kind.flags[flag]
    return f"{name}={str(value).lower()}"


def _unknown_name(layer: _Layer, token: Token) -> str:
    names = [setting.name for setting in layer.kind.settings]
    near = nearest(token.text, names)
    hint = f"Did you mean '{near}'?" if near else _named_hint(layer.kind)
    return f"unknown setting '{layer.cursor.written(token.span)}' for {layer.word}. {hint}"


def _named_hint(kind: type[Layer]) -> str:
    names = [setting.name for setting in kind.settings]
    word = kind.words[0]
    return f"{word} has {', '.join(names)}" if names else f"{word} takes no settings"


def _settings_hint(kind: type[Layer]) -> str:
    letters = [f"{letter}N ({setting.name})" for letter, setting in letters_of(kind).items()]
    known = [*letters, *kind.flags]
    if known:
        return f"{kind.words[0]} takes {', '.join(known)}"
    return _named_hint(kind)

"""Reading tokens one by one, and saying what is wrong with them."""

from __future__ import annotations

from striate.notation.notes import Notes
from striate.notation.tokens import BAD, END, NEWLINE, Token
from striate.source import Span

OPENING, CLOSING = ("(", "[", "{"), (")", "]", "}")


class Unreadable(Exception):  # noqa: N818
    """Something could not be read. Its problem has been noted already."""


class Cursor:
    """A position in a list of tokens, with what has to be known there."""

    def __init__(self, text: str, tokens: list[Token], notes: Notes) -> None:
        self.text = text
        self.tokens = tokens
        self.notes = notes
        self.index = 0
        self.definitions: dict[str, tuple[str, ...]] = {}
        """Names that the text defines anywhere, with their parameters."""
        self.constants: set[str] = set()
        """Those of them that stand for a number."""
        self.parameters: tuple[str, ...] = ()
        """Those of the definition that is being read."""

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.index]

    @property
    def before(self) -> Token:
        """The token that was taken last."""
        return self.tokens[self.index - 1]

    def ahead(self, count: int = 1) -> Token:
        """A token further on, or the end."""
        return self.tokens[min(self.index + count, len(self.tokens) - 1)]

    @property
    def glued(self) -> bool:
        """Whether nothing stands between the last token and the next."""
        return self.index > 0 and self.before.end == self.token.start

    def at(self, *kinds: str) -> bool:
        """Whether the next token is of one of these kinds."""
        return self.token.kind in kinds

    def take(self) -> Token:
        """The next token, which is then behind the cursor."""
        token = self.token
        if token.kind != END:
            self.index += 1
        return token

    def skip_newlines(self) -> None:
        """Past line breaks, where they mean nothing."""
        while self.at(NEWLINE):
            self.index += 1

    def written(self, span: Span) -> str:
        """A part of the text as its writer wrote it, on one line and not too long."""
        shown = " ".join(self.text[span.start : span.end].split())
        return shown if len(shown) <= 40 else f"{shown[:39]}…"

    def found(self) -> str:
        """The next token, for a message."""
        if self.at(END):
            return "the end of the text"
        if self.at(NEWLINE):
            return "the end of the line"
        if not self.token.text or self.token.start == self.token.end:
            return "nothing"
        return f"'{self.written(self.token.span)}'"

    def since(self, start: int) -> Span:
        """From a place up to the last token taken."""
        return Span(start, max(start, self.before.end))

    def note(self, message: str, span: Span) -> None:
        """Remembers a problem and reads on."""
        self.notes.add(message, span)

    def failure(self, message: str, span: Span | None = None) -> Unreadable:
        """Notes a problem, at the next token unless said otherwise; raised to give up on an item.

        Where that token is one that was reported already, nothing is noted.
        """
        if span is not None or not self.at(BAD):
            self.note(message, self.token.span if span is None else span)
        return Unreadable()

    def line_end(self) -> int:
        """Where the last token of this line ends."""
        ahead = 0
        while self.ahead(ahead).kind not in (NEWLINE, END):
            ahead += 1
        return self.tokens[self.index + ahead - 1].end

    def skip_to(self, *kinds: str) -> None:
        """To the next of these tokens outside of brackets, a closing bracket, or the end."""
        depth = 0
        while not self.at(END):
            kind = self.token.kind
            if depth == 0 and (kind in kinds or kind in CLOSING):
                return
            depth += (kind in OPENING) - (kind in CLOSING)
            self.index += 1

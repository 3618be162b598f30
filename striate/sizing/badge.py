"""One line of SVG for a README: a network's name, parameters and MACs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from striate.sizing.table import big

if TYPE_CHECKING:
    from striate.sizing.ledger import Ledger

_HEIGHT = 20
_SIDE = 7
_LONGEST_NAME = 40
_NARROW, _WIDE = 3.6, 10.2
_USUAL = 7.0
"""Widths of letters at 11 pixels, generous: the text is brought to exactly the room it has."""


def to_badge(ledger: Ledger) -> str:
    """An SVG of 20 pixels' height: `vgg16 | 138.4 M parameters · 15.47 G MACs`."""
    name = _clean(ledger.name)
    name = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
    numbers = f"{big(ledger.totals.parameters)} parameters · {big(ledger.totals.macs)} MACs"
    left, right = _width(name), _width(numbers)
    split, width = left + 2 * _SIDE, left + right + 4 * _SIDE
    title = f"{name}: {numbers}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" role="img" '
        f"aria-label={quoteattr(title)}>",
        f"<title>{escape(title)}</title>",
        f'<clipPath id="r"><rect width="{width}" height="{_HEIGHT}" rx="3"/></clipPath>',
        f'<g clip-path="url(#r)"><rect width="{split}" height="{_HEIGHT}" fill="#444"/>'
        f'<rect x="{split}" width="{width - split}" height="{_HEIGHT}" fill="#0b5cad"/></g>',
        '<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">',
        _text(_SIDE, left, name),
        _text(split + _SIDE, right, numbers),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _text(x: int, width: int, text: str) -> str:
    return f'<text x="{x}" y="14" textLength="{width}">{escape(text)}</text>'


def _width(text: str) -> int:
    return round(sum(_NARROW if c in "iljt.,:| ·" else _letter(c) for c in text))


def _letter(character: str) -> float:
    return _WIDE if character in "mwMW@—…" or ord(character) > 0x2FF else _USUAL


def _clean(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)

"""Pieces of a page: everything that comes from outside is escaped here."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from striate.drawing.scene import Scene
from striate.drawing.svg import to_svg

_STYLE = Path(__file__).with_name("report.css")


def text(value: object) -> str:
    """Any value as text of a page: escaped, without what a page cannot hold."""
    clean = "".join(c if c.isprintable() or c in "\n\t" else _stand_in(c) for c in str(value))
    return escape(clean, quote=True)


def _stand_in(character: str) -> str:
    """Joiners and spaces stay; control characters and half surrogates are shown as unknown."""
    controls = ord(character) < 32 or 0x7F <= ord(character) < 0xA0
    return "\ufffd" if controls or 0xD800 <= ord(character) < 0xE000 else character


def page(title: str, body: Iterable[str]) -> str:
    """A whole page, which needs no other file and runs no script."""
    parts = "\n".join(body)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{text(title)}</title>\n<style>{_STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n{parts}\n"
        "</body>\n</html>\n"
    )


def section(name: str, title: str, *parts: str) -> str:
    """A part of the page under a heading, which links reach by `#name`."""
    inside = "\n".join(part for part in parts if part)
    return f'<section id="{name}">\n<h2>{text(title)}</h2>\n{inside}\n</section>'


def paragraph(words: str) -> str:
    """A paragraph of explanation."""
    return f'<p class="soft">{text(words)}</p>'


def picture(scene: Scene) -> str:
    """A scene inside the page."""
    return f"<figure>{to_svg(scene)}</figure>"


def image(png: bytes, alternative: str, sharp: bool) -> str:
    """A PNG inside the page; `sharp` keeps its pixels squares when it is enlarged."""
    kind = ' class="sharp"' if sharp else ""
    data = b64encode(png).decode("ascii")
    return f'<img{kind} alt="{text(alternative)}" src="data:image/png;base64,{data}">'


def card(value: str, label: str, kind: str = "") -> str:
    """One number and what it is."""
    return f'<div class="card {kind}"><b>{text(value)}</b><span>{text(label)}</span></div>'


def cell(value: object, share: float | None = None) -> str:
    """A cell of a table; with a share of 0…1, a bar of that length stands behind it."""
    if share is None or not 0 < share <= 1:
        return f"<td>{text(value)}</td>"
    return f'<td class="bar" style="background-size:{100 * share:.1f}% 1.3em">{text(value)}</td>'


def word(value: object) -> str:
    """A cell of words, set to the left."""
    return f'<td class="l">{text(value)}</td>'


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, total: bool = False
) -> str:
    """A table of ready cells under its heads, in a box that scrolls.

    The first `left` columns are words; with `total` the last row sums up the others.
    """
    head = "".join(
        f'<th class="l">{text(name)}</th>' if i < left else f"<th>{text(name)}</th>"
        for i, name in enumerate(heads)
    )
    lines = [f"<tr>{''.join(row)}</tr>" for row in rows]
    if total:
        lines[-1] = lines[-1].replace("<tr>", '<tr class="total">', 1)
    body = "\n".join(lines)
    return (
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """A table of names and values."""
    lines = "\n".join(
        f'<tr><th class="l">{text(name)}</th><td class="l">{text(value)}</td></tr>'
        for name, value in pairs
    )
    return f"<table><tbody>\n{lines}\n</tbody></table>"

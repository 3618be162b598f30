"""The ledger as a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from striate.sizing import size
from striate.sizing.page import to_html
from striate.sizing.table import cells


class Cells(HTMLParser):
    """The texts of a page's cells, row by row, and each row's style."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.styles: list[str] = []
        self.tags: set[str] = set()
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._inside = tag in ("td", "th", "label", "input") and bool(self.rows)
        if tag == "tr":
            self.rows.append([])
            self.styles.append(dict(attrs).get("style") or "")
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


def read(page: str) -> Cells:
    found = Cells()
    found.feed(page)
    return found


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "googlenet"])
def test_it_holds_the_table(name: str) -> None:
    ledger = size(name)
    found = read(to_html(ledger))
    assert found.rows[1:] == [
        list(row) for row in zip(*cells(ledger, backward=True).values(), strict=True)
    ]
    assert found.rows[0][0] == "layer"


def test_rows_know_their_places_in_every_order() -> None:
    ledger = size("resnet18")
    found = read(to_html(ledger))
    places = [[int(n) for n in re.findall(r"--o\d:(\d+)", style)] for style in found.styles[1:-1]]
    in_network, by_parameters, by_macs, *_ = zip(*places, strict=True)
    assert list(in_network) == list(range(len(ledger.rows)))
    for order, count in ((by_parameters, "parameters"), (by_macs, "macs")):
        values = [getattr(row, count) for _, row in sorted(zip(order, ledger.rows, strict=True))]
        assert values == sorted(values, reverse=True)
        assert sorted(order) == list(in_network)


def test_it_needs_no_other_file_and_runs_no_script() -> None:
    page = to_html(size("lenet5"))
    assert "script" not in read(page).tags
    assert not re.search(r"https?:|src=|url\(|@import", page)


def test_texts_are_escaped() -> None:
    text = "input 3x9x9 -> conv3-4 -> pool2 -> fc-10  # <script>"
    page = to_html(size(text))
    assert "script" not in read(page).tags
    assert "<pre>warning: &lt;text&gt;:1:" in page

"""One line of SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from striate import zoo
from striate.sizing import size
from striate.sizing.badge import to_badge

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", zoo.names())
def test_it_says_the_name_and_the_numbers(name: str) -> None:
    badge = ET.fromstring(to_badge(size(name)))
    texts = badge.findall(f".//{SVG}text")
    left, right = (text.text for text in texts)
    assert left == name
    assert right is not None and right.split(" parameters · ")[1].endswith(" MACs")
    assert badge.get("aria-label") == f"{left}: {right}"
    ends = [int(text.get("x", "")) + int(text.get("textLength", "")) for text in texts]
    assert ends[0] < int(texts[1].get("x", "")) and ends[1] < int(badge.get("width", ""))


def test_the_numbers_of_vgg16() -> None:
    assert ">138.4 M parameters · 15.47 G MACs</text>" in to_badge(size("vgg16"))


def test_names_are_escaped_and_cut(tmp_path) -> None:
    path = tmp_path / ("n&" + "n" * 60 + ".net")
    path.write_text("input 1x4x4 -> fc-2", encoding="utf-8")
    texts = ET.fromstring(to_badge(size(path))).findall(f".//{SVG}text")
    assert texts[0].text == "n&" + "n" * 37 + "…"

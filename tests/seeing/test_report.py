from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from striate.seeing import write_report
from striate.seeing.sections import repeating
from striate.training.metrics import per_class
from striate.training.settings import Settings

from .conftest import CLASSES, Case, make_case, row

ALWAYS = {"curves.svg", "curves.png", "network.svg", "filters.png", "report.html"}
TESTED = {
    "confusion.svg", "confusion.png", "calibration.svg", "calibration.png",
    "mistakes.png", "mistakes.csv",
}  # fmt: skip
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """The tags and the text of a page; fails where tags do not close."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(content)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def report(case: Case) -> list[Path]:
    return write_report(case.run, case.network, case.test, case.part, case.probabilities, case.rows)


def page(case: Case) -> Page:
    report(case)
    return Page((case.run.folder / "report.html").read_text(encoding="utf-8"))


def test_every_file_is_written_and_is_what_it_is_called(case: Case) -> None:
    paths = report(case)
    assert {path.name for path in paths} == ALWAYS | TESTED
    for path in paths:
        content = path.read_bytes()
        if path.suffix == ".png":
            with Image.open(BytesIO(content)) as picture:
                picture.load()
                assert picture.width > 100
        elif path.suffix == ".svg":
            assert ElementTree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"


def test_the_page_needs_nothing_else(case: Case) -> None:
    found = page(case)
    for tag, attributes in found.tags:
        assert tag not in ("script", "link", "iframe", "object")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:image/png;base64,"))
    content = (case.run.folder / "report.html").read_text(encoding="utf-8")
    namespaces = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink")
    assert set(re.findall(r"https?://[^\"' ]+", content)) == set(namespaces)


def test_names_are_shown_as_they_are_and_never_become_tags(case: Case) -> None:
    found = page(case)
    assert not {"i", "u", "photos", "odd", "gpu"} & {tag for tag, _ in found.tags}
    for words in (*CLASSES, "my <photos>", "something <odd>", "a <gpu>", "# <i>three</i> classes"):
        assert words in found.text
    assert re.search(r"<u>\d+</u>\.png", found.text)


def test_the_result_is_told_with_its_interval(case: Case) -> None:
    found = page(case)
    assert case.test is not None
    low, high = case.test.interval
    assert f"{100 * case.test.accuracy:.2f} %" in found.text
    assert f"95 % interval {100 * low:.1f} to {100 * high:.1f} %" in found.text
    assert f"{case.test.metrics.right} of 40 pictures right" in found.text
    assert "1 min 15 s" in found.text and "3.25 epochs" in found.text


def test_links_go_to_sections(case: Case) -> None:
    found = page(case)
    sections = {attributes["id"] for tag, attributes in found.tags if tag == "section"}
    links = {attributes["href"] for tag, attributes in found.tags if tag == "a"}
    assert links == {f"#{name}" for name in sections}
    assert sections == {
        "training", "confusion", "classes", "calibration", "mistakes", "filters", "network",
        "settings",
    }  # fmt: skip


def test_a_page_is_the_same_for_the_same_run(case: Case) -> None:
    report(case)
    first = (case.run.folder / "report.html").read_bytes()
    report(case)
    assert (case.run.folder / "report.html").read_bytes() == first


def test_without_a_test_the_rest_is_told(tmp_path: Path) -> None:
    case = make_case(tmp_path / "small", pictures=0)
    paths = report(case)
    assert {path.name for path in paths} == ALWAYS
    found = page(case)
    assert "accuracy on the validation pictures; no test" in found.text
    assert "Mistakes" not in found.text


def test_without_filters_to_show_the_page_says_why(tmp_path: Path) -> None:
    case = make_case(tmp_path / "flat", "input 3x12x10 -> conv1-6 -> relu -> gap -> fc-3\n")
    assert "filters.png" not in {path.name for path in report(case)}
    assert "No convolution with filters larger than 1×1 reads the image" in page(case).text


def test_no_rows_and_rows_without_numbers_make_a_page(case: Case) -> None:
    assert "nothing to show yet" in page(replace(case, rows=())).text
    page(replace(case, rows=(row(1, math.nan), row(2, math.nan))))


def test_notices_of_the_training_and_of_the_test_stand_once(case: Case) -> None:
    assert case.test is not None
    notices = (*case.run.record.notices, "of the test alone")
    found = page(replace(case, test=replace(case.test, notices=notices)))
    assert found.text.count("something <odd>") == 1
    assert found.text.count("of the test alone") == 1


def test_file_names_of_any_bytes_are_written(case: Case) -> None:
    files = tuple(f"bad \udcff \x07 {i}.png" for i in range(len(case.part)))
    report(replace(case, part=replace(case.part, files=files)))
    content = (case.run.folder / "report.html").read_text(encoding="utf-8")
    assert "bad \ufffd \ufffd" in content
    assert b"bad \xff" in (case.run.folder / "mistakes.csv").read_bytes()


def test_many_classes_are_listed_from_the_worst(case: Case) -> None:
    assert case.test is not None
    metrics = case.test.metrics
    names = (*CLASSES, *(f"class {i}" for i in range(110)))
    confusion = np.zeros((113, 113), np.int64)
    confusion[:3, :3] = metrics.confusion
    wide = replace(
        metrics, classes=names, confusion=confusion, per_class=per_class(confusion, names)
    )
    found = page(replace(case, test=replace(case.test, metrics=wide)))
    assert "A matrix of 113 classes has no room here" in found.text
    assert "Those of the lowest F1 stand first." in found.text
    assert not (case.run.folder / "confusion.svg").exists()


@pytest.mark.parametrize(
    ("settings", "root", "expected"),
    [
        (
            Settings(seconds=3.0),
            None,
            "--seconds 3 --recipe default --batch 128 --lr 0.25 --seed 0",
        ),
        (
            Settings(epochs=2.5, batch=16, seed=7, device="cpu", precision="float32"),
            "/my data",
            "--epochs 2.5 --recipe default --batch 16 --lr 0.25 --seed 7 --device cpu "
            "--precision float32 --root '/my data'",
        ),
    ],
)
def test_the_command_that_repeats_the_training(
    case: Case, settings: Settings, root: str | None, expected: str
) -> None:
    run = replace(case.run, record=replace(case.run.record, settings=settings, root=root))
    network = shlex.quote(str(run.folder / "network.net"))
    assert repeating(run) == f"striate train {network} 'my <photos>' {expected}"

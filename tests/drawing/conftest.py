"""What every picture must keep, whatever it shows."""

from collections.abc import Callable
from itertools import combinations
from xml.etree import ElementTree

import pytest

from striate import zoo
from striate.drawing.scene import Scene, Text, extent, flat
from striate.drawing.svg import to_svg
from striate.graph import Graph, load_graph


def _texts(scene: Scene) -> list[str]:
    """Every text of a scene, in the order of painting."""
    return [shape.text for shape in flat(scene.shapes) if isinstance(shape, Text)]


def _assert_sound(scene: Scene) -> None:
    """Valid XML, everything inside the picture, no text over another, nothing random."""
    ElementTree.fromstring(to_svg(scene))
    assert scene.title
    for shape in flat(scene.shapes):
        left, top, right, bottom = extent(shape)
        inside = left >= 0 and top >= 0 and right <= scene.width and bottom <= scene.height
        assert inside, (shape, (scene.width, scene.height))
    labels = [(shape.text, extent(shape)) for shape in flat(scene.shapes) if type(shape) is Text]
    for (one, a), (other, b) in combinations(labels, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, (one, a, other, b)


@pytest.fixture(scope="session")
def texts() -> Callable[[Scene], list[str]]:
    """Every text of a scene, in the order of painting."""
    return _texts


@pytest.fixture(scope="session")
def assert_sound() -> Callable[[Scene], None]:
    """Fails for a picture with texts that overlap or things that stand outside of it."""
    return _assert_sound


@pytest.fixture(scope="session", params=zoo.names())
def zoo_graph(request: pytest.FixtureRequest) -> Graph:
    """Each network of the zoo in turn."""
    return load_graph(request.param)

"""Pictures as they were looked at and liked.

After a change that is meant, write them anew with `python tests/drawing/test_golden.py` and look
at each of them again.
"""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from striate.drawing import render
from striate.graph import load_graph

FOLDER = Path(__file__).parent / "golden"
NETWORKS = {
    "lenet5": "lenet5",
    "inception": "input 192x28x28 -> (conv1-64 | conv1-96 -> conv3-128 | conv1-16 -> conv5-32 "
    "| pool3/1 p1 -> conv1-32)",
    "residual": "block(c) = (conv3-c -> bn -> relu -> conv3-c -> bn + id) -> relu\n"
    "wider(c) = (conv3-c/2 -> bn -> relu -> conv3-c -> bn + conv1-c/2 -> bn) -> relu\n"
    "input 3x32x32 -> conv3-16 -> bn -> relu -> [block(16)]*3 -> wider(32) -> [block(32)]*2 "
    "-> wider(64) -> [block(64)]*2 -> gap -> fc-10",
    "squeeze": "se(c) = (id * gap -> conv1-{c//4} -> relu -> conv1-c -> sigmoid)\n"
    "input 3x32x32 -> conv3-16 -> bn -> relu -> se(16) -> conv3-32/2 -> relu -> gap -> fc-10",
    "taps": "input 3x32x32 -> conv3-8 -> relu -> tap early -> pool2 -> tap aux [gap -> fc-10] "
    "-> conv3-16 -> gap -> fc-10",
    "unpooling": "input 3x32x32 -> conv3-16 -> p1: pool2 -> conv3-32 -> p2: pool2 -> unpool p2 "
    "-> conv3-16 -> unpool p1 -> conv3-4",
    "siamese": "tower = [conv3-8 -> bn -> relu -> conv3-16 -> relu]\n"
    "input 1x32x32 -> (t: tower -> pool2 | avgpool2 -> again t) -> s: conv1-32 -> relu -> again s "
    "-> gap -> fc-2",
    "crossing": "unit(c) = (conv3-c nobias -> bn -> relu -> conv3-c nobias -> bn + id) -> relu\n"
    "input 3x32x32 -> conv3-16 -> relu -> a: unit(16) -> conv3-32/2 -> relu -> b: unit(32) -> "
    "(conv1-16 -> upsample2 + from a) -> relu -> c: unit(16) -> from b -> unit(32) -> "
    "(upsample2 | from c) -> gap -> fc-10",
    "unet": "input 1x64x64 -> [conv3-16 -> relu]*2 -> (pool2 -> [conv3-32 -> relu]*2 -> "
    "(pool2 -> [conv3-64 -> relu]*2 -> tconv2-32/2 | id) -> [conv3-32 -> relu]*2 -> "
    "tconv2-16/2 | id) -> [conv3-16 -> relu]*2 -> conv1-2",
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("suffix", ["svg", "txt"])
def test_the_text_is_the_same(name, suffix):
    drawn = render(load_graph(NETWORKS[name]), suffix)
    assert drawn.decode() == (FOLDER / f"{name}.{suffix}").read_text("utf-8")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_pixels_are_nearly_the_same(name):
    """Other builds of the font library may place a few pixels of a letter otherwise."""
    drawn = Image.open(BytesIO(render(load_graph(NETWORKS[name]), "png"))).convert("RGB")
    with Image.open(FOLDER / f"{name}.png") as golden:
        assert drawn.size == golden.size
        difference = ImageChops.difference(drawn, golden.convert("RGB"))
    assert max(ImageStat.Stat(difference).mean) < 0.5


if __name__ == "__main__":
    for name, text in NETWORKS.items():
        for suffix in ("svg", "txt", "png"):
            (FOLDER / f"{name}.{suffix}").write_bytes(render(load_graph(text), suffix))

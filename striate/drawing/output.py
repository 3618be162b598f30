"""Pictures as files: a network's picture in any of the formats, written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

from striate.drawing.layout import draw_network
from striate.drawing.scene import Scene
from striate.drawing.svg import to_svg
from striate.drawing.text import draw_text
from striate.errors import UserError
from striate.files import write_whole
from striate.graph import Graph, load_graph

FORMATS = ("svg", "png", "txt")


def draw(what: str | Path | Graph, output: str | Path) -> None:
    """Draws a network into a file: SVG, PNG or text, as the file's ending says.

    `what` is a network of the zoo, a file, a text or a graph. Raises UserError when the ending is
    another one or the file cannot be written, and what `load_graph` raises.
    """
    path = Path(output)
    suffix = format_of(path)
    write_picture(path, render(load_graph(what), suffix))


def render(graph: Graph, format: str) -> bytes:
    """The bytes of a network's picture in one of `FORMATS`; text is UTF-8."""
    if format == "txt":
        return draw_text(graph).encode()
    return render_scene(draw_network(graph), format)


def render_scene(scene: Scene, format: str) -> bytes:
    """The bytes of a scene as `svg` or `png`."""
    if format == "svg":
        return to_svg(scene).encode()
    from striate.drawing.png import to_png

    return to_png(scene)


def format_of(path: Path) -> str:
    """The format that a file's ending stands for. Raises UserError for any but svg, png and txt."""
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        found = f"ends in .{suffix}" if suffix else "has no ending"
        example = path / "net.svg" if path.is_dir() else path.with_suffix(".svg")
        raise UserError(
            f"{path} {found}, but a picture is written as .svg, .png or .txt. For example {example}"
        )
    return suffix


def write_picture(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all. Raises UserError when it cannot be written."""
    if path.is_dir():
        raise UserError(f"{path} is a folder. Give a file inside it, such as {path / 'net.svg'}")
    if not path.parent.is_dir():
        raise UserError(
            f"{path} cannot be written: there is no folder {path.parent}. Make it first"
        )
    try:
        write_whole(path.resolve(), data)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        fix = (
            "Make room, or choose a folder on another disk"
            if full
            else "Choose a folder that you may write to"
        )
        raise UserError(f"{path} cannot be written: {error.strerror}. {fix}") from None

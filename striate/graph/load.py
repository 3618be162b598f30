"""From what a user names (a network of the zoo, a file, a text) to its graph."""

from __future__ import annotations

import difflib
from pathlib import Path

from striate import zoo
from striate.errors import NotationError, UserError
from striate.graph.build import build_graph
from striate.graph.constants import as_use, fill_in
from striate.graph.nodes import Graph
from striate.graph.performed import graph_of_program
from striate.graph.program import PROGRAM_OF_RUN, is_program
from striate.layers import Shape
from striate.notation import Network, parse
from striate.notation.vocabulary import is_layer
from striate.source import Source

NETWORK_OF_RUN = "network.net"
"""The text of the network that a run folder holds."""

WEIGHTS_OF_RUN = "weights.safetensors"
"""The values of its weights."""

MAX_BYTES = 1_000_000
MAX_PROGRAM_BYTES = 64_000_000
_SIGNS_OF_NOTATION = ("->", "→", "\n", "[", "{", "|", "=", ",", "*")


def load_graph(what: str | Path | Source | Graph, *, input: Shape | None = None) -> Graph:
    """The graph of a zoo network, a `.net` file, a text or a source, with another input if given.

    Constants of a network may be set behind its name: `mobilenet_v2(alpha=0.5)`. Raises UserError
    when there is no such network and NotationError when its text is wrong.
    """
    if isinstance(what, Graph):
        if input is None or input == what.input:
            return what
        return _built(what.source, input, what.name)
    return _built(find_source(what), input)


def find_program(what: object) -> Source | None:
    """The program that this is or holds: a text, a graph, a run's folder or the file in it."""
    if isinstance(what, Source):
        return what if is_program(what) else None
    if isinstance(what, Graph):
        return None if what.program is None else what.source
    if not isinstance(what, str | Path) or not _exists(str(what)):
        return None
    path = Path(what)
    if path.name != PROGRAM_OF_RUN and not (path / PROGRAM_OF_RUN).is_file():
        return None
    found = read_file(path)
    return found if is_program(found) else None


def _built(source: Source, input: Shape | None, name: str = "") -> Graph:
    if is_program(source):
        return graph_of_program(source, input=input, name=name)
    return build_graph(_parsed(source), input=input, name=name)


def _parsed(source: Source) -> Network:
    return parse(source.text, source.name)


def find_source(what: str | Path | Source) -> Source:
    """The text that a zoo name, a file, a run folder or a text itself stands for.

    In that of `name(constant=number)` the constants are filled in. Raises UserError if there is
    none, and NotationError for a constant that it does not have.
    """
    if isinstance(what, Source):
        return what
    if isinstance(what, Path):
        return read_file(what)
    if not what.strip():
        raise UserError(
            "the network's text is empty. Give a text such as "
            "'input 3x32x32 -> conv3-16 -> relu -> gap -> fc-10', a file, or one of the zoo: "
            + ", ".join(zoo.names())
        )
    known = _known(what)
    if known is not None:
        return known
    use = as_use(what)
    if use is not None:
        known = _known(use.network)
        if known is not None:
            return fill_in(known, use)
        if _is_path(use.network) or (not is_layer(use.network) and _near(use.network)):
            raise UserError(_unknown(use.network))
    source = Source(what)
    if _is_notation(source):
        return source
    raise UserError(_unknown(what.strip()))


def _known(what: str) -> Source | None:
    """The network of the zoo or the file of that name."""
    name = what.strip().lower()
    if name in zoo.names():
        return zoo.read(name)
    return read_file(Path(what)) if _exists(what) else None


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # longer than a name may be, or with a NUL character
        return False


def _is_notation(source: Source) -> bool:
    """Whether a text is meant as a network, well-formed or not, rather than as a name."""
    text = source.text.strip()
    if any(sign in text for sign in _SIGNS_OF_NOTATION) or text.lower().startswith("input "):
        return True
    if _is_path(text):
        return False
    try:
        _parsed(source)
    except NotationError:
        return len(text.split()) > 1
    return True


def _is_path(text: str) -> bool:
    return text.endswith(".net") or text.startswith(("/", "./", "../", "~"))


def _unknown(name: str) -> str:
    if _is_path(name) or "/" in name:
        return f"{name}: there is no such file{_near_files(Path(name))}"
    near = _near(name)
    guess = f" Did you mean {' or '.join(near[:2])}?" if near else ""
    return (
        f"unknown network {name!r}.{guess} The zoo has {', '.join(zoo.names())}; "
        "a file's path or a text such as 'input 3x32x32 -> conv3-16 -> relu -> gap -> fc-10' "
        "is also a network"
    )


def _near(name: str) -> list[str]:
    """Networks of the zoo whose names are like this one, the likeliest first."""
    near = difflib.get_close_matches(name.lower(), zoo.names(), n=3, cutoff=0.6)
    return sorted(near, key=lambda other: sorted(other) != sorted(name.lower()))  # letters moved


def _near_files(path: Path) -> str:
    if not path.parent.is_dir():
        return f", nor a folder {path.parent}"
    files = [file.name for file in path.parent.iterdir()]
    near = difflib.get_close_matches(path.name, files, n=1)
    return f". Did you mean {path.with_name(near[0])}?" if near else ""


def read_file(path: Path) -> Source:
    """The text of a file of notation or of a run. Raises UserError when it is neither."""
    try:
        if not path.exists():
            raise UserError(f"{path}: there is no such file{_near_files(path)}")
        for name in (NETWORK_OF_RUN, PROGRAM_OF_RUN):
            if (path / name).is_file():
                return Source(read_file(path / name).text, str(path))
        if path.is_dir():
            raise UserError(
                f"{path} is a folder, neither a network's text nor a run, which holds "
                f"{NETWORK_OF_RUN}. Give a file inside it"
            )
        if not path.is_file():
            raise UserError(f"{path} is not an ordinary file")
        with path.open("rb") as file:
            most = MAX_PROGRAM_BYTES if path.name == PROGRAM_OF_RUN else MAX_BYTES
            data = file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > most:
        raise UserError(f"{path} is larger than {most // 1_000_000} MB, which no network's text is")
    return Source(_decoded(path, data), str(path))


def _decoded(path: Path, data: bytes) -> str:
    if b"\0" in data:
        raise UserError(f"{path} is a binary file, not a network's text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.start + 1:,}). Save it as UTF-8"
        ) from None
    if not text.strip():
        raise UserError(f"{path} is empty. A network begins with a line such as input 3x224x224")
    return text.replace("\r\n", "\n").replace("\r", "\n")

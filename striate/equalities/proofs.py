"""Every equality by its name, with a case that shows it well, and what is told about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from striate.drawing import Scene, render_scene
from striate.drawing.output import format_of, write_picture
from striate.equalities import pictures
from striate.equalities.backward import backward, gradient_of
from striate.equalities.case import Case, Equality, Pair, case_of
from striate.equalities.edges import drawn_picture, edges, grey_picture
from striate.equalities.flip import flip
from striate.equalities.im2col import im2col
from striate.equalities.pointwise import pointwise
from striate.equalities.toeplitz import toeplitz
from striate.equalities.translation import translation
from striate.errors import UserError
from striate.layers import Shape, show


@dataclass(frozen=True)
class _Claim:
    """How an equality is checked and drawn, and on which convolution unless one is given."""

    check: Callable[[Case, int], Equality]
    draw: Callable[[Case, Equality], Scene]
    layer: str
    input: Shape


_CLAIMS = {
    "im2col": _Claim(lambda case, _: im2col(case), pictures.im2col, "conv3-2 valid", (1, 5, 5)),
    "toeplitz": _Claim(
        lambda case, _: toeplitz(case), pictures.toeplitz, "conv3-1 valid", (1, 5, 5)
    ),
    "backward": _Claim(
        lambda case, seed: backward(case, gradient_of(case, seed)),
        pictures.backward,
        "conv3-1/2 p1",
        (1, 5, 5),
    ),
    "pointwise": _Claim(lambda case, _: pointwise(case), pictures.pointwise, "conv1-3", (4, 3, 3)),
    "flip": _Claim(lambda case, _: flip(case), pictures.flip, "conv3-1", (1, 7, 7)),
    "translation": _Claim(
        lambda case, _: translation(case), pictures.translation, "conv3-1", (1, 12, 12)
    ),
}

EQUALITIES = (*_CLAIMS, "edges")
"""The names of all equalities, in the order in which they are taught."""


@dataclass(frozen=True)
class Proof:
    """One equality that was checked on one case; `case` is None for `edges`, whose case is a
    picture."""

    equality: Equality
    case: Case | None
    about: str
    """The layer and the image in words."""

    @property
    def equal(self) -> bool:
        return self.equality.equal

    def picture(self) -> Scene:
        """The equality as a picture for a slide."""
        if self.case is None:
            return pictures.edges(self.equality)
        return _CLAIMS[self.equality.name].draw(self.case, self.equality)

    def draw(self, output: str | Path) -> None:
        """Draws the equality into a file. Raises UserError unless it is to be SVG or PNG."""
        path = Path(output)
        suffix = format_of(path)
        if suffix == "txt":
            raise UserError(
                f"{path} ends in .txt, but an equality is drawn as .svg or .png. For example "
                f"{path.with_suffix('.svg')}"
            )
        write_picture(path, render_scene(self.picture(), suffix))

    def table(self) -> str:
        """The equality in words: both sides, shapes, the largest difference, times."""
        found = self.equality
        lines = [f"{found.name}: {found.statement}", f"on {self.about}", ""]
        for pair in found.pairs:
            lines += _told(pair)
        matrices = ", ".join(f"{name} {show(tuple(m.shape))}" for name, m in found.matrices.items())
        lines += [f"matrices: {matrices}", "equal" if self.equal else "NOT EQUAL"]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON; times in seconds."""
        found = self.equality
        return {
            "equality": found.name,
            "statement": found.statement,
            "about": self.about,
            "equal": self.equal,
            "pairs": [
                {
                    "what": pair.what,
                    "left": pair.left_name,
                    "right": pair.right_name,
                    "shape": list(pair.left.shape),
                    "difference": pair.difference,
                    "seconds": list(pair.seconds),
                }
                for pair in found.pairs
            ],
            "matrices": {name: list(m.shape) for name, m in found.matrices.items()},
        }


def _told(pair: Pair) -> list[str]:
    names = (pair.left_name, pair.right_name)
    width = max(len(name) for name in names)
    shape = show(tuple(pair.left.shape))
    return [
        f"{pair.what}, {shape}: largest difference {pair.difference:.3g}",
        *(
            f"  {name:<{width}}  {seconds * 1000:8.2f} ms"
            for name, seconds in zip(names, pair.seconds, strict=True)
        ),
        "",
    ]


def prove(
    name: str,
    *,
    layer: str | None = None,
    input: Shape | None = None,
    seed: int = 0,
    image: str | Path | None = None,
) -> Proof:
    """Checks one of `EQUALITIES` on numbers drawn from a seed and returns both sides.

    `layer` is a convolution written as in a network, `input` its image's shape; each equality has
    one that shows it well. `edges` takes no layer but an `image` file, or a built-in picture.
    Raises UserError for an unknown name, for a layer that the equality is not about, and for an
    image that cannot be read.
    """
    if name == "edges":
        _refuse_settings(layer, input)
        picture = drawn_picture() if image is None else grey_picture(image)
        about = (
            f"{'the built-in picture' if image is None else image}, {show(tuple(picture.shape))}"
        )
        return Proof(edges(picture), None, about)
    if image is not None:
        raise UserError(f"an image is given to 'edges' alone, and {name} draws its numbers itself")
    if name not in _CLAIMS:
        raise UserError(_unknown(name))
    claim = _CLAIMS[name]
    text, shape = claim.layer if layer is None else layer, input or claim.input
    case = case_of(text, shape, seed)
    return Proof(claim.check(case, seed), case, f"{text} over {show(shape)}, seed {seed}")


def _refuse_settings(layer: str | None, input: Shape | None) -> None:
    if layer is not None or input is not None:
        raise UserError(
            "'edges' has its own filter and takes the size of its picture: leave out "
            "the layer and the input"
        )


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, EQUALITIES, n=1)
    guess = f" Did you mean {near[0]}?" if near else ""
    return f"there is no equality {name!r}.{guess} There are {', '.join(EQUALITIES)}"

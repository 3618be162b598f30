"""Other tools' ways to count, so that a published number can be traced to what it counts."""

from __future__ import annotations

import difflib

from striate.errors import UserError
from striate.sizing.conventions.fvcore import FVCORE
from striate.sizing.conventions.papers import PAPERS
from striate.sizing.conventions.ptflops import PTFLOPS
from striate.sizing.conventions.thop import THOP
from striate.sizing.conventions.torchinfo import TORCHINFO
from striate.sizing.conventions.use import Convention

CONVENTIONS = {each.name: each for each in (TORCHINFO, FVCORE, PTFLOPS, THOP, PAPERS)}

__all__ = ["CONVENTIONS", "Convention", "find"]


def find(name: str) -> Convention:
    """The convention of that name. Raises UserError, with the nearest, when there is none."""
    if name in CONVENTIONS:
        return CONVENTIONS[name]
    near = difflib.get_close_matches(name.lower(), CONVENTIONS, 1, 0.5)
    fix = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(CONVENTIONS)}"
    raise UserError(f"there is no convention '{name}'. {fix}")

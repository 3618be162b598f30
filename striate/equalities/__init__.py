"""Statements about convolutions that can be run and seen: each computes both of its sides."""

from striate.equalities.backward import backward
from striate.equalities.case import Case, Equality, Pair, case_of
from striate.equalities.edges import edges
from striate.equalities.flip import flip
from striate.equalities.im2col import im2col
from striate.equalities.pointwise import pointwise
from striate.equalities.proofs import EQUALITIES, Proof, prove
from striate.equalities.toeplitz import toeplitz
from striate.equalities.translation import translation

__all__ = [
    "EQUALITIES",
    "Case",
    "Equality",
    "Pair",
    "Proof",
    "backward",
    "case_of",
    "edges",
    "flip",
    "im2col",
    "pointwise",
    "prove",
    "toeplitz",
    "translation",
]

"""The multiply-adds of papers: products with learned weights, in convolutions and matrices."""

from __future__ import annotations

from striate.sizing.conventions.use import Convention, Count, Use, same


def _of_function(use: Use) -> Count:
    """Attention's products of two activations are left out."""
    return same(sum(each.macs for each in use.products if each.weighs))


PAPERS = Convention("papers", "", "multiply-adds", of_function=_of_function)

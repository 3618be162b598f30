"""Networks written by the sizing rules of course notes, with the reasons in their comments."""

from striate.patterns.plan import Plan
from striate.patterns.write import Pattern, pattern

__all__ = ["Pattern", "Plan", "pattern"]

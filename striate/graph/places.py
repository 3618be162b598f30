"""Where in its expansion a layer stands, for messages: which repetition, which use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A repetition, a use of a definition or a branch, and what it stands in."""

    here: str = ""
    outer: Place | None = None
    branch: bool = False
    """Whether it stands inside a branch that meets others."""

    def inside(self, here: str) -> Place:
        """A repetition or a use at this place."""
        return Place(here, self, self.branch)

    def in_branch(self) -> Place:
        """A branch that meets others."""
        return Place("", self, branch=True)

    def aside(self) -> Place:
        """A tap's own layers, which meet nothing."""
        return Place("", self, branch=False)

    def __str__(self) -> str:
        parts = []
        place: Place | None = self
        while place is not None:
            if place.here:
                parts.append(place.here)
            place = place.outer
        return f" (in {', '.join(reversed(parts))})" if parts else ""

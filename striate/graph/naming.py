"""How the layers of a graph get their names, which are also the keys of its weights."""

from __future__ import annotations

from collections.abc import Iterable


class Scope:
    """The names given so far within one scope, and the prefix that they share.

    Layers are counted by kind from 1 (`conv1, bn1, conv2`), uses of a definition likewise; both
    and labels draw on one set of names, so that none is given twice. What a text calls something
    is kept for it from the beginning of its chain.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._counts: dict[str, int] = {}
        self._taken: set[str] = set()
        self._kept: set[str] = set()

    def keep(self, labels: Iterable[str]) -> None:
        """Leave these names to what the text calls so."""
        self._kept.update(labels)

    def counted(self, word: str) -> str:
        """The full name of the next thing of its kind: `conv3`, or `relu6_3` after a digit."""
        stem = f"{word}_" if word[-1].isdigit() else word
        count = self._counts.get(word, 0) + 1
        while f"{stem}{count}" in self._taken | self._kept:
            count += 1
        self._counts[word] = count
        return self._take(f"{stem}{count}")

    def labelled(self, label: str) -> str:
        """The full name for a label; `label_2` and so on where it was given before."""
        name, count = label, 1
        while name in self._taken:
            count += 1
            name = f"{label}_{count}"
        return self._take(name)

    def _take(self, name: str) -> str:
        self._taken.add(name)
        return f"{self.name}.{name}" if self.name else name

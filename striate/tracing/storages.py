"""Which storages are alive at each moment, and what for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from striate.tracing.quick import corrected
from striate.tracing.record import tensors


class Storages:
    """Follows the life of storages, of real tensors and of those without memory alike.

    A moment is told by `mark`; what was alive at each is read by `live_at` once all is over, since
    what a storage was for is known only then.
    """

    def __init__(self) -> None:
        self._alive: dict[int, tuple[int, weakref.ref[torch.UntypedStorage]]] = {}
        self._sizes: list[int] = []
        self._changes: list[tuple[int, int]] = []
        """(storage's number, +1 or −1), in order."""
        self._marks: list[int] = []
        self._kinds: dict[int, str] = {}

    def add(self, tensor: Tensor, kind: str | None = None) -> None:
        """Follow a tensor's storage from now on.

        `kind` says what it is for; the first word counts.
        """
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._alive:
            number = len(self._sizes)
            self._sizes.append(storage.nbytes())
            self._changes.append((number, 1))
            self._alive[key] = number, weakref.ref(storage, self._gone(key, number))
        if kind is not None:
            self._kinds.setdefault(self._alive[key][0], kind)

    def _gone(self, key: int, number: int) -> Callable[[object], None]:
        def gone(_: object) -> None:
            self._changes.append((number, -1))
            del self._alive[key]

        return gone

    def mark(self) -> None:
        """A moment to read later."""
        self._marks.append(len(self._changes))

    def live_at(self, kinds: Sequence[str]) -> list[tuple[int, ...]]:
        """Bytes by kind at each mark; the last kind takes those of which nothing was said."""
        places = {kind: place for place, kind in enumerate(kinds)}
        live, found, done = [0] * len(kinds), [], 0
        for mark in self._marks:
            for number, sign in self._changes[done:mark]:
                kind = self._kinds.get(number, kinds[-1])
                live[places[kind]] += sign * self._sizes[number]
            done = mark
            found.append(tuple(live))
        return found


class Watching(TorchDispatchMode):
    """Follows every storage that an operation gives; `tell` is called after each with its name."""

    def __init__(self, storages: Storages, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.storages = storages
        self.tell = tell

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = corrected(func, args, kwargs or {})
        if result is None:
            result = func(*args, **(kwargs or {}))
        found = tensors(result)
        for tensor in found:
            self.storages.add(tensor)
        if found:
            self.storages.mark()
            self.tell(func._schema.name.rpartition("::")[2])
        return result

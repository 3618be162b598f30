"""What the tensors of a pass see, kept up to date through views and writing in place."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from striate.tracing.fields import Sight, UnknownReachError, pixels
from striate.tracing.reach import seen
from striate.tracing.record import Operation


class Sights:
    """Goes through a pass operation by operation; of some tensors it is not known what they see.

    What is seen is told of the first input; another one of its height and width lies over it, and
    what comes of others alone sees nothing.
    """

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        image = inputs[0]
        self.image = tuple(image.shape[1:])
        self.known: dict[int, Sight | None] = {}
        self.sharing: dict[int, list[int]] = {}
        self.unknown: list[Operation] = []
        """The operations behind which nothing is known, though something was before them."""
        for each in inputs:
            if each.dim() == 4 and each.shape[2:] == image.shape[2:]:
                self._keep(each, pixels(each))
            elif each is image:
                self._keep(each, None)

    def reads(self, read: Sequence[Tensor]) -> bool:
        """Whether any of these comes of the image."""
        return any(id(each) in self.known for each in read)

    def take(self, operation: Operation, read: list[Tensor], results: list[Tensor]) -> Sight | None:
        """What the units of an operation that reads the image see; None where it is not known."""
        sources = {id(each): self.known[id(each)] for each in read if id(each) in self.known}
        sight = self._behind(operation, sources)
        for each in results:
            self._keep(each, sight)
        return sight

    def _behind(self, operation: Operation, found: dict[int, Sight | None]) -> Sight | None:
        sources = {key: each for key, each in found.items() if each is not None}
        if len(sources) < len(found):
            return None
        try:
            return seen(operation, sources, self.image)
        except UnknownReachError:
            self.unknown.append(operation)
            return None

    def _keep(self, tensor: Tensor, sight: Sight | None) -> None:
        """Another look at memory that is written over sees something else from then on."""
        mine = id(tensor)
        sharing = self.sharing.setdefault(tensor.untyped_storage()._cdata, [])
        if mine in self.known:
            for other in sharing:
                fields = self.known[other]
                if fields is None or sight is None or fields.fields != sight.fields:
                    self.known[other] = None
        else:
            sharing.append(mine)
        self.known[mine] = sight

"""What an operation of an ONNX graph is given: tensors, known numbers, and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from striate.errors import UserError
from striate.onnx_files.reading import Node

Known = np.ndarray[Any, Any]
"""Numbers that do not depend on the images: shapes, axes, limits."""
Value = Tensor | Known | None


@dataclass(frozen=True)
class Given:
    """One operation, with the values that it reads."""

    node: Node
    values: Sequence[Value]
    opset: int
    training: bool
    batch: tuple[int, int]
    """The batch that the file was written for (0 where it is open), and the one that runs."""

    def has(self, place: int) -> bool:
        """Whether there is a value at that place."""
        return place < len(self.values) and self.values[place] is not None

    def tensor(self, place: int = 0) -> Tensor:
        """The value at a place as a tensor, like the first one where it is known."""
        value = self.values[place]
        if isinstance(value, Tensor):
            return value
        assert value is not None, self.node
        others = [each for each in self.values if isinstance(each, Tensor)]
        found = torch.from_numpy(np.array(value))
        floating = next((each.dtype for each in others if each.is_floating_point()), found.dtype)
        dtype = floating if found.is_floating_point() else found.dtype
        return found.to(device=others[0].device if others else None, dtype=dtype)

    def known(self, place: int) -> list[Any]:
        """The numbers at a place. Raises UserError where they depend on the images."""
        value = self.values[place]
        if isinstance(value, Tensor):
            raise UserError(
                f"the {self.node.operation} {self.node.name!r} takes {self.node.inputs[place]!r} "
                "as a shape or a limit, and it depends on the values of the images"
            )
        assert value is not None, self.node
        return list(value.reshape(-1).tolist())

    def setting(self, name: str, otherwise: Any = None) -> Any:
        """A setting of the node."""
        return self.node.settings.get(name, otherwise)

    def setting_or_known(self, name: str, place: int, otherwise: Any = None) -> Any:
        """Numbers that older files have as a setting and newer ones as a value."""
        if self.has(place):
            return self.known(place)
        return self.setting(name, otherwise)

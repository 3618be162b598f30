"""Batches that take more memory than there is: learned in parts."""

from __future__ import annotations

import math

import torch

from striate.errors import UserError
from striate.graph import Graph
from striate.training.device import Machine


def is_out_of_memory(error: Exception) -> bool:
    """Python's own error or torch's, which on a CPU is known by its text alone."""
    told = "can't allocate memory" in str(error) or "out of memory" in str(error)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or told


def halved(pieces: int, batch: int, graph: Graph, machine: Machine) -> int:
    """Twice as many parts of a batch. Raises UserError where none can be smaller."""
    if machine.device.type == "cuda":
        torch.cuda.empty_cache()
    smallest = batch // (2 * pieces)
    if smallest < 1:
        raise UserError(
            f"{machine.device}: one picture takes more memory than there is. Give smaller ones "
            "with --input, or a smaller network"
        )
    require_statistics(graph, smallest)
    return 2 * pieces


def in_parts(pieces: int, batch: int, step: int) -> str:
    """What is said and recorded when a batch is cut."""
    return (
        f"a batch of {batch} takes more memory than there is: from step {step} on it is learned in "
        f"{pieces} parts, which give the same gradient but for batch normalisation"
    )


def require_statistics(graph: Graph, batch: int) -> None:
    """Raise UserError if batch normalisation would get one value a channel, which has no spread."""
    if batch > 1:
        return
    for node in graph:
        if node.kind == "bn" and math.prod(node.output[1:]) == 1:
            raise UserError(
                f"batch: found 1, but {node.name} normalises one value of each picture over the "
                "batch, so a step takes 2 pictures or more. Give --batch 2 or more"
            )

"""How much of a batch fits into memory, and batches that do not: they are learned in parts."""

from __future__ import annotations

import math

import torch

from striate.data.room import free_memory
from striate.errors import UserError
from striate.graph import Graph
from striate.ledgers import largest_batch, memory
from striate.sizing.memory import StepSettings
from striate.training.device import Machine, give_back
from striate.training.team import Team


def halved(pieces: int, batch: int, team: Team, graph: Graph, machine: Machine) -> int:
    """Twice as many parts of each process's share. Raises UserError where none can be smaller."""
    give_back(machine.device)
    if batch // (2 * pieces * team.size) < 1:
        raise UserError(
            f"{machine.device}: one picture takes more memory than there is. Give smaller ones "
            "with --input, or a smaller network"
        )
    require_statistics(graph, batch // (2 * pieces))
    return 2 * pieces


def pieces_of(accumulate: int, batch: int, team: Team) -> int:
    """The parts that each process learns its share of a batch in.

    Raises UserError for a batch with fewer pictures than they all take.
    """
    least = batch // team.size
    if not least:
        raise UserError(
            f"batch: found {batch}, but {team.size} processes take a picture each at least. Give "
            f"--batch {team.size} or more"
        )
    return min(-(-accumulate // team.size), least)


def in_parts(pieces: int, batch: int, team: Team, step: int) -> str:
    """What is said and recorded when a batch is cut."""
    cut = (
        f"it is learned in {pieces} parts"
        if team.size == 1
        else f"each of {team.size} processes learns its share in {pieces} parts"
    )
    return (
        f"a batch of {batch} takes more memory than there is: from step {step} on {cut}, which "
        "give the same gradient but for batch normalisation"
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


MARGIN = 0.9
"""The share of the memory that is free that a step may take."""


def free_bytes(machine: Machine) -> int:
    """Memory that is free on the device; on a CPU, for this process."""
    if machine.device.type == "cuda":
        return int(torch.cuda.mem_get_info(machine.device)[0])
    return free_memory()


def parts_that_fit(graph: Graph, batch: int, optimizer: str, machine: Machine, free: int) -> int:
    """The fewest parts of a batch of which each fits, by the ledger of a training step.

    Raises UserError where not even the smallest does.
    """
    keeps = "adam" if optimizer in ("adamw", "lamb") else "momentum"
    precision = "bfloat16" if machine.dtype == torch.bfloat16 else "float32"
    limit = int(MARGIN * free)
    step = StepSettings(optimizer=keeps, precision=precision)
    if memory(graph, batch=batch, settings=step).peak.bytes <= limit:
        return 1
    fits = largest_batch(graph, limit, settings=step)
    return -(-batch // min(batch, fits.memory.batch))

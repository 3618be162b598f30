"""In which order a graph is computed, and where its values wait until they are read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from striate.graph.nodes import IMAGE, Graph, Node
from striate.layers import FullyConnected, Unpool


class Step(NamedTuple):
    """One node's work on numbered slots, which hold what is still to be read."""

    node: int
    path: tuple[str, ...]
    """The parts of the name under which its module hangs."""
    inputs: tuple[int, ...]
    output: int
    kept: int | None
    """Where a pool that an unpool is tied to leaves its indices and its input's size."""
    dead: tuple[int, ...]
    """Other slots that nothing reads after this step."""
    flatten: bool


@dataclass(frozen=True)
class Plan:
    """The steps that give some nodes' values and nothing else. Slot 0 holds the image at first."""

    steps: tuple[Step, ...]
    slots: int


def tied_pools(graph: Graph) -> frozenset[int]:
    """The pools whose indices an unpool takes."""
    return frozenset(node.inputs[1] for node in graph if isinstance(node.layer, Unpool))


def plan(graph: Graph, targets: Collection[int]) -> Plan:
    """What has to be computed for the values of the target nodes, in the graph's order."""
    needed = _needed(graph, targets)
    tied = tied_pools(graph)
    last_reader = {i: index for index in needed for i in _reads(graph, graph.nodes[index])}
    slot_of = {IMAGE: 0}
    free: list[int] = []
    steps = []
    slots = 1

    def take() -> int:
        nonlocal slots
        if not free:
            free.append(slots)
            slots += 1
        return free.pop()

    for index in needed:
        node = graph.nodes[index]
        reads = _reads(graph, node)
        inputs = tuple(slot_of[i] for i in reads)
        released = {slot_of[i] for i in reads if last_reader[i] == index}
        free.extend(sorted(released))
        slot_of[index] = output = take()
        kept = None
        if index in tied:
            slot_of[_indices_of(graph, index)] = kept = take()
        dead = released - {output, kept}
        if kept is not None and _indices_of(graph, index) not in last_reader:
            dead.add(kept)
            free.append(kept)
        steps.append(
            Step(
                node=index,
                path=tuple((node.weights or node.name).split(".")),
                inputs=inputs,
                output=output,
                kept=kept,
                dead=tuple(dead),
                flatten=isinstance(node.layer, FullyConnected)
                and len(graph.shapes_into(node)[0]) > 1,
            )
        )
    return Plan(tuple(steps), slots)


def _needed(graph: Graph, targets: Collection[int]) -> list[int]:
    """The targets and all that they come from."""
    found = {target for target in targets if target != IMAGE}
    for index in range(len(graph.nodes) - 1, -1, -1):
        if index in found:
            found.update(i for i in graph.nodes[index].inputs if i != IMAGE)
    return sorted(found)


def _reads(graph: Graph, node: Node) -> tuple[int, ...]:
    """What a node takes: values of nodes, and for an unpool the indices of its pool."""
    if isinstance(node.layer, Unpool):
        values, pool = node.inputs
        return values, _indices_of(graph, pool)
    return node.inputs


def _indices_of(graph: Graph, pool: int) -> int:
    """A number for a pool's indices, beside those of the nodes."""
    return len(graph.nodes) + pool

"""From the tree to the graph: every layer in its place, with its name and its shape."""

from __future__ import annotations

from striate.errors import Problem, ShapeError
from striate.graph.items import Run
from striate.graph.mismatches import MAX_VALUES, too_many
from striate.graph.nodes import Graph
from striate.graph.resolve import Resolver
from striate.graph.sizes import SEARCH_WORK, nearest_sizes
from striate.graph.unread import unread_rows
from striate.graph.walk import Walk
from striate.layers import Pair, Shape, product
from striate.notation.tree import Network
from striate.notation.vocabulary import CHANNELS, HEIGHT, MAX_LAYERS, WIDTH
from striate.source import Source, Span


def build_graph(network: Network, *, input: Shape | None = None, name: str = "") -> Graph:
    """The graph of a network, for its own input or for the one given (C, H, W).

    Raises ShapeError, with every problem that can be told independently, when a setting has no
    meaning, volumes do not fit together, or the network is too large.
    """
    resolver = Resolver(network)
    shape = _input_shape(network, resolver) if input is None else input
    run = resolver.network(network.chain)
    problems = list(resolver.problems)
    walk = Walk(network.source, shape or (1, 1, 1), problems)
    walkable = shape is not None and run.size <= MAX_LAYERS
    structure = walk.network(run) if walkable else None
    if structure is None or walk.end is None or problems:
        if shape is not None and not resolver.problems and walk.mismatched_in_size:
            problems[0] = _with_sizes(problems[0], network.source, run, shape)
        raise ShapeError(network.source, problems)
    nodes = tuple(walk.nodes)
    return Graph(
        name=name or network.source.stem,
        source=network.source,
        input=walk.input,
        nodes=nodes,
        structure=structure,
        end=walk.end,
        taps=tuple(walk.taps),
        warnings=unread_rows(nodes, walk.input, network.source, walk.places),
    )


def _with_sizes(problem: Problem, source: Source, run: Run, input: Shape) -> Problem:
    """The problem with the nearest sizes of the image for which there is none."""

    def fits(size: Pair) -> bool:
        walk = Walk(source, (input[0], *size), [])
        walk.network(run)
        return not walk.problems

    sizes = nearest_sizes((input[1], input[2]), fits, tries=SEARCH_WORK // max(1, run.size))
    if not sizes:
        return problem
    shown = " or ".join(f"{height}×{width}" for height, width in sizes)
    return Problem(f"{problem.message}. An image of {shown} fits", problem.span)


def _input_shape(network: Network, resolver: Resolver) -> Shape | None:
    if network.input is None:
        resolver.complain(
            "the size of the image is missing. Begin with a line such as input 3x224x224, "
            "or give --input 3x224x224",
            Span(network.chain.span.start, network.chain.span.start),
        )
        return None
    given = network.input
    found = (
        resolver.constant(CHANNELS, given.channels),
        resolver.constant(HEIGHT, given.height),
        resolver.constant(WIDTH, given.width),
    )
    sizes = tuple(n for n in found if n is not None)
    if len(sizes) < len(found):
        return None
    if product(sizes) > MAX_VALUES:
        resolver.complain(too_many(sizes), given.span)
        return None
    return sizes

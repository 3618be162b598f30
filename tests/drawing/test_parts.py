import pytest

from striate.drawing.gather import pieces
from striate.drawing.parts import main_branch, tell
from striate.graph import load_graph


@pytest.mark.parametrize(
    ("text", "main"),
    [
        ("(conv3-8 + id)", 0),
        ("(id + conv3-8 -> conv3-8)", 1),
        ("(conv1-8 + conv3-8 -> conv3-8)", 1),
        ("(conv1-8 | conv3-8)", None),
        ("(conv1-8 | id)", 0),
        ("(id | id)", None),
        ("(id * gap -> conv1-8 -> sigmoid)", 0),
        ("(gap -> conv1-8 * conv3-8)", 1),
        ("(id * conv3-8)", 1),
        ("(tap t * gap)", 0),
    ],
)
def test_the_branch_on_the_axis(text, main):
    (fork,) = pieces(load_graph(f"input 8x8x8 -> {text}"))
    assert main_branch(fork) == main


def test_what_a_volume_tells():
    graph = load_graph("input 3x8x8 -> conv3-4 -> bn -> relu")
    (stage,) = pieces(graph)
    assert tell(graph, stage) == (
        "conv1: conv3-4 → 4×8×8, 112 parameters\nbn1: bn → 4×8×8, 8 parameters\nrelu1: relu → 4×8×8"
    )


def test_what_a_volume_with_the_weights_of_another_tells():
    graph = load_graph("input 4x8x8 -> stem: conv3-4 -> tap t -> again stem")
    *_, stage = pieces(graph)
    assert tell(graph, stage) == "stem_2: conv3-4 → 4×8×8, the weights of stem"

import pytest

from striate.drawing.gather import pieces
from striate.drawing.parts import Block, Fold, Fork, Jump, Mark, Side, Stage
from striate.graph import load_graph


def _show(piece):
    match piece:
        case Stage():
            label = piece.label.upper() + (f"<{piece.note}>" if piece.note else "")
            return "·".join([*piece.prefix, label, *piece.folded])
        case Fork(branches, join):
            return f"({' | '.join(_chain(branch) for branch in branches)}) {_show(join)}"
        case Block(title, chain):
            return f"{title}{'=' if piece.shared else ''}{{{_chain(chain)}}}"
        case Side(name, chain):
            return f"/{name}: {_chain(chain)}/"
        case Fold(chain, count):
            return f"[{_chain(chain)}]×{count}"
        case Mark(name, goes_on):
            return f"@{name}" + ("" if goes_on else ".")
        case Jump(name):
            return f"<{name}"


def _chain(chain):
    return " ".join(_show(piece) for piece in chain) or "id"


def _pieces(text, shape="8x32x32"):
    return _chain(pieces(load_graph(text if "input" in text else f"input {shape} -> {text}")))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("conv3-8 -> bn -> relu -> dropout0.2", "CONV3-8·bn·relu·dropout0.2"),
        ("conv3-8 -> conv3-16/2", "CONV3-8 CONV3-16/2"),
        ("bn -> relu -> conv3-8", "bn·relu·CONV3-8"),
        ("relu", "RELU"),
        ("pool2 -> flatten -> fc-10 -> softmax", "POOL2·flatten FC-10·softmax"),
        ("id -> conv1-8 -> id", "CONV1-8"),
        ("pool3/2 -> pool3/1 p1 -> avgpool2/2", "POOL3/2 POOL3/1 AVGPOOL2"),
        ("conv3-8 d2 -> conv3-16 g4 nobias -> dwconv3", "CONV3-8 D2 CONV3-16 G4 DWCONV3"),
        ("conv1x7-8 -> tconv2-4/2", "CONV1X7-8 TCONV2-4/2"),
    ],
)
def test_small_layers_join_the_volume_before_or_after_them(text, shown):
    assert _pieces(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[conv3-64 -> relu]*2 -> pool2", "[CONV3-64·relu]×2 POOL2"),
        ("conv3-8 -> relu -> conv3-8 -> relu -> conv3-8", "[CONV3-8·relu]×2 CONV3-8"),
        ("[conv3-8 -> conv1-4]*3", "[CONV3-8 CONV1-4]×3"),
        ("[[conv3-8 -> relu]*2 -> conv1-4]*3", "[[CONV3-8·relu]×2 CONV1-4]×3"),
        ("[[conv3-8]*2]*3", "[CONV3-8]×6"),
        ("[conv3-8 -> pool2]*2", "CONV3-8 POOL2 CONV3-8 POOL2"),
        ("conv3-8/2 -> [conv3-8]*2", "CONV3-8/2 [CONV3-8]×2"),
        ("[conv3-8 -> pool1]*2 -> [conv3-8 -> pool1]", "[CONV3-8 POOL1]×2 CONV3-8 POOL1"),
        ("[conv3-8]*2 -> relu", "[CONV3-8]×2 RELU"),
        ("[relu -> conv3-8]*3", "[relu·CONV3-8]×3"),
        ("conv3-8 nobias -> conv3-8", "CONV3-8 CONV3-8"),
        ("[fc-10]*1", "FC-10"),
    ],
)
def test_equal_neighbours_are_folded(text, shown):
    assert _pieces(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("(conv3-8 -> relu | id) -> relu", "(CONV3-8·relu | id) CONCAT·relu"),
        ("(conv3-8 + relu)", "(CONV3-8 | RELU) ADD"),
        ("((conv1-4 | conv3-4) + id)", "((CONV1-4 | CONV3-4) CONCAT | id) ADD"),
        ("[(conv3-8 + id) -> relu]*3", "[(CONV3-8 | id) ADD·relu]×3"),
        ("relu -> (conv3-8 + id)", "RELU (CONV3-8 | id) ADD"),
    ],
)
def test_forks(text, shown):
    assert _pieces(text) == shown


DEFINITIONS = """
unit(c) = conv3-c -> bn -> relu
pair(c) = unit(c) -> unit(c)
residual(c) = (pair(c) + id) -> relu
stage(c) = unit(c) -> pool2 -> [residual(c)]*2 -> residual(c)
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("unit(8)", "CONV3-8·bn·relu"),
        ("pair(8)", "pair{[CONV3-8·bn·relu]×2}"),
        ("residual(8)", "residual{([CONV3-8·bn·relu]×2 | id) ADD·relu}"),
        (
            "stage(8)",
            "CONV3-8·bn·relu POOL2 [residual{([CONV3-8·bn·relu]×2 | id) ADD·relu}]×3",
        ),
        (
            "main: residual(8) -> [residual(8)]*1",
            "[residual{([CONV3-8·bn·relu]×2 | id) ADD·relu}]×2",
        ),
    ],
)
def test_a_definition_is_a_block_unless_it_is_one_volume_or_holds_several_blocks(text, shown):
    assert _pieces(f"{DEFINITIONS}input 8x32x32 -> {text}") == shown


def test_resnet50_is_a_projection_and_then_equal_blocks_in_each_stage():
    trunk = pieces(load_graph("resnet50"))
    outline = [
        (piece.chain[0].title, piece.count) if isinstance(piece, Fold) else piece.title
        for piece in trunk
        if not isinstance(piece, Stage)
    ]
    assert outline == [
        *("project", ("block", 2)),
        *("project", ("block", 3)),
        *("project", ("block", 5)),
        *("project", ("block", 2)),
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("conv3-8 -> tap t -> relu -> fc-3", "CONV3-8 /t: id/ RELU FC-3"),
        ("conv3-8 -> tap t [relu -> gap] -> fc-3", "CONV3-8 /t: relu·GAP/ FC-3"),
        ("relu -> tap t -> conv3-8", "RELU /t: id/ CONV3-8"),
        ("[conv3-8 -> tap t]*2", "CONV3-8 /t: id/ CONV3-8 /t_2: id/"),
        ("(tap t | conv3-8)", "(/t: id/ | CONV3-8) CONCAT"),
        ("a = tap t\ninput 8x8x8 -> conv3-8 -> a", "CONV3-8 /a1.t: id/"),
        (
            "p: pool2 -> conv3-8 -> unpool p",
            "POOL2<indices p> CONV3-8 UNPOOL<indices p>",
        ),
        (
            "s: conv3-8 -> relu -> again s -> bn -> conv3-8",
            "CONV3-8<weights s>·relu CONV3-8<weights s>·bn CONV3-8",
        ),
        ("s: conv3-8 -> again s -> again s", "[CONV3-8<weights s>]×3"),
        (
            "e: [conv3-8 -> conv1-8] -> again e -> again e",
            "e={CONV3-8 CONV1-8} [again e={CONV3-8 CONV1-8}]×2",
        ),
        (
            "a: conv3-8 -> relu -> (conv1-8 + from a)",
            "CONV3-8 @a RELU (CONV1-8 | <a) ADD",
        ),
        (
            "a: id -> b: [conv3-8 -> relu] -> from a -> (conv3-8 + from b)",
            "@a CONV3-8·relu @b. <a (CONV3-8 | <b) ADD",
        ),
        ("[a: relu -> conv3-8 -> (from a + id)]*3", "[RELU @a CONV3-8 (<a | id) ADD]×3"),
        (
            "a: relu -> e: conv1-8 -> again e -> (from a | from e | id)",
            "RELU @a CONV1-8<weights e> @e CONV1-8<weights e> (<a | <e | id) CONCAT",
        ),
        ("e: [conv3-8]*2 -> (again e | id)", "e={[CONV3-8]×2} (again e={[CONV3-8]×2} | id) CONCAT"),
    ],
)
def test_taps_and_what_layers_share(text, shown):
    assert _pieces(text) == shown


def test_every_layer_of_the_zoo_is_in_the_picture(zoo_graph):
    def count(chain):
        total = 0
        for piece in chain:
            match piece:
                case Stage():
                    total += len(piece.nodes)
                case Fork(branches, join):
                    total += sum(count(branch) for branch in branches) + len(join.nodes)
                case Block() | Side():
                    total += count(piece.chain)
                case Fold():
                    total += count(piece.chain) * piece.count
        return total

    assert count(pieces(zoo_graph)) == sum(node.kind != "id" for node in zoo_graph)

"""Which layers are one block of a picture."""

from __future__ import annotations

from typing import Any

import pytest

from striate.programs.blocks import blocks

HEAVY = {
    f"{module}.{layer}"
    for module in ("stem", "body.0", "body.1")
    for layer in ("conv", "side", "fc", "a", "b", "add")
}
PAIRS = [
    {"block": "Block", "name": f"body.{i}", "parts": [f"body.{i}.a", f"body.{i}.b"]}
    for i in range(2)
]
KINDS = {"": "Net", "stem": "Stem", "body": "Sequential"} | {f"body.{i}": "Block" for i in range(3)}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], []),
        (["conv", "relu"], ["conv", "relu"]),
        (
            ["stem.conv", "stem.relu", "stem.fc", "fc"],
            [
                {"block": "Stem", "name": "stem", "parts": ["stem.conv", "stem.relu", "stem.fc"]},
                "fc",
            ],
        ),
        (["stem.conv", "stem.relu", "fc"], ["stem.conv", "stem.relu", "fc"]),
        (
            ["body.0.a", "body.0.b", "body.1.a", "body.1.b", "fc"],
            [{"rounds": PAIRS}, "fc"],
        ),
        (
            [{"branches": [["body.0.a", "body.0.b"], []], "join": "body.0.add"}, "body.0.relu"],
            [
                {
                    "block": "Block",
                    "name": "body.0",
                    "parts": [
                        {"branches": [["body.0.a", "body.0.b"], []], "join": "body.0.add"},
                        "body.0.relu",
                    ],
                }
            ],
        ),
        (
            ["stem.conv", {"tap": "side", "parts": ["stem.side", "stem.fc"]}, "stem.relu"],
            [
                {
                    "block": "Stem",
                    "name": "stem",
                    "parts": [
                        "stem.conv",
                        {"tap": "side", "parts": ["stem.side", "stem.fc"]},
                        "stem.relu",
                    ],
                }
            ],
        ),
    ],
)  # fmt: skip
def test_layers_of_one_module_are_a_block(parts: list[Any], expected: list[Any]) -> None:
    assert blocks(parts, KINDS, HEAVY) == expected

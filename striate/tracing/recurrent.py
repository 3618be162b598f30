"""What oneDNN's LSTM keeps for the backward pass: its workspace, whose size torch does not say.

The workspace is one block that holds, each from the start of a page on: the gates of all steps;
states of both sides of the layer before and behind each step, as they are, and twice for their
gradients; hidden and cell states; and what comes of the cells. Rows are padded to 64 bytes, and by
64 more where their length is a multiple of 256 values, against aliasing in caches. The sizes are
those that torch's oneDNN gives on CPUs with AVX-512 (tests/tracing/test_recurrent.py asks it).
"""

from __future__ import annotations

_PAGE = 4096
_LINE = 64
_FLOAT = 4
LSTM = 2
"""The number that torch has for LSTM among oneDNN's recurrent layers."""


def workspace(steps: int, batch: int, input_size: int, hidden_size: int, value: int) -> int:
    """Bytes of the workspace of one direction of one layer; `value` is what a number takes."""
    widest = max(input_size, hidden_size)
    around = 2 * (steps + 1) * batch
    parts = (
        steps * batch * _padded(4 * hidden_size, value) * value,
        around * _padded(widest, value) * value,
        around * _padded(widest, _FLOAT) * _FLOAT,
        around * _padded(widest, _FLOAT) * _FLOAT,
        around * hidden_size * value,
        around * hidden_size * _FLOAT,
        steps * batch * _padded(hidden_size, value) * value,
    )
    return sum(-(-part // _PAGE) * _PAGE for part in parts)


def _padded(width: int, value: int) -> int:
    """A row's values with those that it is padded by."""
    line = _LINE // value
    width = -(-width // line) * line
    return width + line if width % 256 == 0 else width

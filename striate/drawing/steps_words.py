"""What a stepped drawing says in words: the layer's settings, the size it gives, what is shown."""

from __future__ import annotations

from striate.drawing.steps import Steps, Track
from striate.layers import Pair
from striate.layers.convolution import Conv, TransposedConv


def settings_line(steps: Steps) -> str:
    """The settings in force: `filter 3×3 · stride 2 · padding 1`."""
    layer, (rows, columns) = steps.layer, (steps.rows, steps.columns)
    window = "filter" if steps.operation == "sum" else "window"
    words = [f"{window} {rows.kernel_size}×{columns.kernel_size}"]
    if isinstance(layer, TransposedConv):
        padding, added = layer.paddings()
        named = {"stride": layer.stride, "padding": padding, "output padding": added}
    else:
        named = {"stride": (rows.stride, columns.stride)}
        words += [_padding_words(rows, columns)]
    named["dilation"] = (rows.dilation, columns.dilation)
    usual = {"stride": (1, 1), "dilation": (1, 1)}
    words += [f"{name} {_pair(n)}" for name, n in named.items() if n != usual.get(name, (0, 0))]
    return " · ".join(word for word in words if word)


def _padding_words(rows: Track, columns: Track) -> str:
    before, after = (rows.before, columns.before), (rows.after, columns.after)
    if before == after:
        return f"padding {_pair(before)}" if before != (0, 0) else ""
    return f"padding {_pair(before)} before, {_pair(after)} after"


def _pair(numbers: Pair) -> str:
    rows, columns = numbers
    return str(rows) if rows == columns else f"{rows}×{columns}"


def size_lines(steps: Steps) -> list[str]:
    """How the output's size follows: one line, or two where rows and columns differ."""
    rows, columns = (_size(steps, axis) for axis in (0, 1))
    return [f"size: {rows}"] if rows == columns else [f"rows: {rows}", f"columns: {columns}"]


def _size(steps: Steps, axis: int) -> str:
    track = (steps.rows, steps.columns)[axis]
    formula = _enlarged(steps.layer, track, axis) if steps.turned else _slid(track)
    return f"{formula} = {track.positions}"


def _slid(track: Track) -> str:
    """`floor((5 + 2·1 − 3) / 2) + 1`; with stride 1 `5 + 2·1 − (3 − 1)`."""
    size = str(track.size)
    if track.before == track.after:
        size += f" + 2·{track.before}" if track.before else ""
    else:
        size += f" + {track.before} + {track.after}"
    reach = f"{track.dilation}·({track.kernel_size} − 1)"
    if track.stride == 1:
        return f"{size} − {reach.removeprefix('1·')}"
    extent = str(track.kernel_size) if track.dilation == 1 else f"{reach} − 1"
    room = track.size + track.before + track.after - track.extent
    up = track.positions > room // track.stride + 1
    return f"{'ceil' if up else 'floor'}(({size} − {extent}) / {track.stride}) + 1"


def _enlarged(layer: object, track: Track, axis: int) -> str:
    """`(3 − 1)·2 − 2·1 + 3`, with the output padding at the end."""
    assert isinstance(layer, TransposedConv)
    padding, added = (pair[axis] for pair in layer.paddings())
    formula = f"({track.size} − 1)·{track.spread}"
    formula += f" − 2·{padding}" if padding else ""
    if track.dilation == 1:
        formula += f" + {track.kernel_size}"
    else:
        formula += f" + {track.dilation}·({track.kernel_size} − 1) + 1"
    return formula + (f" + {added}" if added else "")


def notes(steps: Steps) -> list[str]:
    """What a reader must know to read the picture."""
    found = []
    if steps.turned:
        zeros = f" with zeros {where}" if (where := _zeros(steps)) else ""
        found.append(f"as a convolution of stride 1 over the input{zeros}")
        found.append("and the filter turned by 180°")
    if channels := _channels(steps):
        found.append(channels)
    if _unread(steps):
        found.append("pale: read by no window")
    return found


def _zeros(steps: Steps) -> str:
    """Where a transposed convolution's input gets zeros."""
    tracks = (steps.rows, steps.columns)
    between = ["between"] if any(track.spread > 1 for track in tracks) else []
    around = ["around"] if any(max(track.before, track.after) > 0 for track in tracks) else []
    return " and ".join(between + around)


def _channels(steps: Steps) -> str:
    layer, count = steps.layer, steps.input[0]
    if isinstance(layer, Conv | TransposedConv):
        out_channels, groups = (
            layer.grouping(count) if isinstance(layer, Conv) else (layer.out_channels, layer.groups)
        )
        parts = [f"filter 1 of {out_channels}"] if out_channels > 1 else []
        if count // groups > 1:
            parts.append(f"channel 1 of {count // groups}; what the others give is added")
        return ", ".join(parts)
    return f"channel 1 of {count}, each is pooled alone" if count > 1 else ""


def _unread(steps: Steps) -> bool:
    """Whether there are values of the input that no window reads."""
    return any(
        track.index(place) is not None and place not in track.read
        for track in (steps.rows, steps.columns)
        for place in track.cells
    )

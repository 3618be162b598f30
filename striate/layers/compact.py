"""Layers in the few letters that a table or a picture has room for."""

from __future__ import annotations

from striate.layers.base import Layer, Setting, Value
from striate.layers.traced import Traced

_SHOWN = ("dilation", "groups", "after", "bilinear")


def compact(layer: Layer) -> str:
    """A layer as papers write it: `conv3-64/2`. Padding, bias and constants are left out."""
    if isinstance(layer, Traced):
        return layer.label
    text = layer.kind
    if layer.number:
        text += _number(getattr(layer, layer.number))
    if layer.dash and (channels := getattr(layer, layer.dash)):
        text += f"-{_number(channels)}"
    if layer.slash and _moves(layer):
        text += f"/{_number(getattr(layer, layer.slash))}"
    for setting in layer.settings:
        if setting.name in _SHOWN and setting.name != layer.number and _differs(layer, setting):
            value = getattr(layer, setting.name)
            text += f" {setting.name if value is True else setting.letter + _number(value)}"
    return text


def _moves(layer: Layer) -> bool:
    """Whether the stride is worth a word: not one, and for a pool not its own size."""
    stride = getattr(layer, layer.slash)
    usual = getattr(layer, "kernel_size", None) if layer.role == "pool" else (1, 1)
    return stride not in ((0, 0), usual)


def _differs(layer: Layer, setting: Setting) -> bool:
    value: Value = getattr(layer, setting.name)
    return value != setting.default


def _number(value: Value) -> str:
    if isinstance(value, tuple):
        rows, columns = value
        return str(rows) if rows == columns else f"{rows}x{columns}"
    return f"{value:g}" if isinstance(value, float) else str(value)

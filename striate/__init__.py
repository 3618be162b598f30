"""Striate: convolutional networks written as papers write them, sized, drawn, trained and shown.

Each name is imported from its package when it is first used, so that `import striate` costs
nothing and sizing a network never waits for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.api import find_rate, resume, train
    from striate.equalities import prove
    from striate.errors import NotationError, ShapeError, StriateError, UserError
    from striate.ledgers import largest_batch, memory, saved_bytes, size, step_time, verify
    from striate.modules import load_published
    from striate.networks import build, draw, draw_steps, load_graph, symbolic
    from striate.notation import parse, print_network
    from striate.onnx_files import load_onnx
    from striate.patterns import pattern
    from striate.sizing.compare import compare
    from striate.sizing.memory import StepSettings
    from striate.timing.machine import machine
    from striate.timing.times import measure_time
    from striate.tracing.timeline import draw_memory
    from striate.training.ensemble import test_together
    from striate.training.folds import Folds
    from striate.training.predicting import predict
    from striate.training.progress import Display
    from striate.training.testing import test

__version__ = "0.1.0"

_HOMES = {
    "Display": "striate.training.progress",
    "Folds": "striate.training.folds",
    "NotationError": "striate.errors",
    "ShapeError": "striate.errors",
    "StepSettings": "striate.sizing.memory",
    "StriateError": "striate.errors",
    "UserError": "striate.errors",
    "build": "striate.networks",
    "compare": "striate.sizing.compare",
    "draw": "striate.networks",
    "draw_memory": "striate.tracing.timeline",
    "draw_steps": "striate.networks",
    "find_rate": "striate.api",
    "largest_batch": "striate.ledgers",
    "load_graph": "striate.networks",
    "load_onnx": "striate.onnx_files",
    "load_published": "striate.modules",
    "machine": "striate.timing.machine",
    "measure_time": "striate.timing.times",
    "memory": "striate.ledgers",
    "parse": "striate.notation",
    "pattern": "striate.patterns",
    "predict": "striate.training.predicting",
    "print_network": "striate.notation",
    "prove": "striate.equalities",
    "resume": "striate.api",
    "saved_bytes": "striate.ledgers",
    "size": "striate.ledgers",
    "step_time": "striate.ledgers",
    "symbolic": "striate.networks",
    "test": "striate.training.testing",
    "test_together": "striate.training.ensemble",
    "train": "striate.api",
    "verify": "striate.ledgers",
}

__all__ = [
    "Display",
    "Folds",
    "NotationError",
    "ShapeError",
    "StepSettings",
    "StriateError",
    "UserError",
    "__version__",
    "build",
    "compare",
    "draw",
    "draw_memory",
    "draw_steps",
    "find_rate",
    "largest_batch",
    "load_graph",
    "load_onnx",
    "load_published",
    "machine",
    "measure_time",
    "memory",
    "parse",
    "pattern",
    "predict",
    "print_network",
    "prove",
    "resume",
    "saved_bytes",
    "size",
    "step_time",
    "symbolic",
    "test",
    "test_together",
    "train",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'striate' has no attribute '{name}'")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

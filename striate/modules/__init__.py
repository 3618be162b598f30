"""Graphs as torch modules: building, first weights, published checkpoints."""

from striate.modules.build import build, outline
from striate.modules.initialise import initialise
from striate.modules.network import InputError, Network
from striate.modules.published import load_published, to_published
from striate.modules.replay import Replay

__all__ = [
    "InputError",
    "Network",
    "Replay",
    "build",
    "initialise",
    "load_published",
    "outline",
    "to_published",
]

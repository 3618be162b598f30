"""What a training begins with: a network, pictures and settings that fit together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from striate.data import DataSet, open_data
from striate.data.pictures import Pixels
from striate.errors import UserError
from striate.graph import Graph, find_source, load_graph
from striate.layers import Shape
from striate.modules import Network, build
from striate.programs import Subject
from striate.source import Source
from striate.training.choosing import AUTO, Chosen, Wishes, choose, keeping_weights
from striate.training.device import Machine, choose_machine, keep_large_blocks
from striate.training.distilling import teacher_of
from striate.training.fitting import Followed, Written, choose_input, preprocess_for, start_from
from striate.training.growing import require_sizes
from striate.training.memory import free_bytes, parts_that_fit
from striate.training.prepare import ends_in_softmax
from striate.training.progress import Display
from striate.training.residual import zero_last_gammas
from striate.training.run import Normalise
from striate.training.settings import Settings

_STATISTICS_PIXELS = 1 << 25
_CHUNK_PIXELS = 1 << 22

SOFTMAX_NOTICE = "the loss has a softmax of its own: training takes the scores before the last one"


@dataclass(frozen=True)
class Ready:
    """All that a training begins with."""

    source: Source
    """The text as it was given."""
    text: Source
    """The text for these pictures and classes."""
    network: Network
    pictures: DataSet
    chosen: Chosen
    normalise: Normalise
    machine: Machine
    notices: tuple[str, ...]


def prepare(
    network: str | Path | Source | Subject,
    data: str,
    wishes: Wishes,
    *,
    weights: Mapping[str, Tensor] | None,
    whose: str,
    input: Shape | None,
    root: Path | None,
    download: bool,
    allow_unreadable: bool,
    display: Display,
) -> Ready:
    """Bring a network, pictures and settings together. Arguments and errors as of `fit`."""
    keep_large_blocks()
    machine = choose_machine(wishes.device, wishes.precision)
    wished = choose(  # a bad wish is told before data are read
        images=1, shape=(1, 1, 1), normalised=True, wishes=wishes
    ).settings
    given: Written | Followed = (
        Followed(network) if isinstance(network, Subject) else Written(find_source(network))
    )
    shape, resized = choose_input(given, data, input)
    pictures = open_data(
        data,
        preprocess_for(shape),
        root=root,
        download=download,
        seed=wishes.seed if wishes.split is None else wishes.split,
        fold=wishes.fold,
        val_fraction=wished.hold_out,
        allow_unreadable=allow_unreadable,
        progress=display.reading,
    )
    fitted = given.fitted(shape, len(pictures.classes))
    graph = load_graph(fitted.text)
    normalised = any(node.kind in ("bn", "gn") for node in graph)
    chosen = choose(len(pictures.train), shape, normalised, wishes)
    require_looks(chosen.settings, len(pictures.val))
    if weights or fitted.weights:
        chosen = keeping_weights(chosen)
    require_sizes(graph, chosen.settings)
    if wishes.batch == AUTO:
        chosen = in_parts_that_fit(chosen, graph, len(pictures.train), machine)
    module = first_network(fitted.text, chosen.settings)
    start_from(module, fitted.weights)
    teacher_of(chosen.settings, pictures.classes, pictures.preprocess, machine)
    own_weights = start_from(module, weights or {}, whose)
    softmax = SOFTMAX_NOTICE if ends_in_softmax(module.graph) else ""
    told = (resized, fitted.notice, own_weights, softmax, *pictures.notices)
    return Ready(
        given.source,
        fitted.text,
        module,
        pictures,
        chosen,
        scaled(pictures, chosen.settings.scaling),
        machine,
        tuple(filter(None, told)),
    )


def require_looks(settings: Settings, validation: int) -> None:
    """Raise UserError for settings that wait for a validation loss that there is not."""
    if validation:
        return
    none = "goes by the validation loss, and there are no validation pictures. Hold some out, as "
    if settings.schedule == "plateau":
        raise UserError(f"schedule=plateau {none}with hold_out=0.1, or choose another schedule")
    if settings.stop_after:
        raise UserError(f"stop_after={settings.stop_after} {none}with hold_out=0.1, or say 0")


def in_parts_that_fit(chosen: Chosen, graph: Graph, images: int, machine: Machine) -> Chosen:
    """The same batch, learned in as many parts as the memory that is free asks for."""
    free, batch = free_bytes(machine), min(chosen.settings.batch, images)
    parts = parts_that_fit(graph, batch, chosen.settings.optimizer, machine, free)
    origin = f"a batch of {batch} in {free / 1e9:.1f} GB of free memory"
    return Chosen(
        replace(chosen.settings, accumulate=parts), {**chosen.origins, "accumulate": origin}
    )


def first_network(source: Source, settings: Settings) -> Network:
    """A network as a training begins with it."""
    network = build(source, seed=settings.seed)
    if settings.zero_gamma:
        zero_last_gammas(network)
    return network


def statistics(data: DataSet) -> Normalise:
    """Mean and standard deviation of each channel over the training pictures, in 0…255.

    Of all of them, or of evenly spaced ones when they are many. A channel that never changes is
    divided by 1.
    """
    height, width, channels = data.train.images.shape[1:]
    step = max(1, math.ceil(len(data.train) * height * width / _STATISTICS_PIXELS))
    images = data.train.images[::step]
    chunk = max(1, _CHUNK_PIXELS // (height * width))
    pixels = np.zeros((channels, 256), np.int64)
    for start in range(0, len(images), chunk):
        for channel, counts in enumerate(pixels):
            part = images[start : start + chunk, ..., channel]
            counts += np.bincount(part.reshape(-1), minlength=256)
    values = np.arange(256)
    mean = (pixels * values).sum(1) / pixels.sum(1)
    variance = (pixels * (values - mean[:, None]) ** 2).sum(1) / pixels.sum(1)
    std = np.where(variance > 0, np.sqrt(variance), 1.0)
    return Normalise(tuple(float(m) for m in mean), tuple(float(s) for s in std))


def mean_image(data: DataSet) -> Pixels:
    """The mean of all training pictures, H×W×C, rounded to whole values (Krizhevsky et al. 2012,
    section 2)."""
    images = data.train.images
    chunk = max(1, _CHUNK_PIXELS // (images.shape[1] * images.shape[2]))
    total = np.zeros(images.shape[1:], np.int64)
    for start in range(0, len(images), chunk):
        total += images[start : start + chunk].sum(0, dtype=np.int64)
    return np.rint(total / len(images)).astype(np.uint8)


def scaled(data: DataSet, scaling: str) -> Normalise:
    """What a network is given of pixels, by the word of the settings."""
    measured = statistics(data)
    half, channels = 255 / 2, len(measured.mean)
    match scaling:
        case "mean":
            return Normalise(measured.mean, (half,) * channels)
        case "image":
            return Normalise(measured.mean, (half,) * channels, mean_image(data))
        case "unit":
            return Normalise((half,) * channels, (half,) * channels)
    return measured

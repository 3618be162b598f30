"""A run folder: all that a training leaves behind, as text, pictures and safetensors.

    network.net          the notation of the network as trained; of one that the notation has no
                         words for it is network.json, its operations (docs/any-network.md)
    run.json             classes, preprocessing, settings, results (see `Record`)
    split.csv            which picture was in which part
    metrics.csv          one row for each validation
    mean.png             the mean of the training pictures, where it is taken from each
    weights.safetensors  the best weights, float32, under the graph's names
    state.safetensors    what a training that is not over goes on from (see `State`)

Nothing in it can execute: reading a run parses text and copies numbers.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.data import Preprocess
from striate.data.pictures import Pixels
from striate.errors import UserError
from striate.files import write_whole
from striate.graph.load import NETWORK_OF_RUN, WEIGHTS_OF_RUN, read_file
from striate.graph.program import PROGRAM_OF_RUN, is_program
from striate.layers import show
from striate.source import Source
from striate.training.fields import FieldError, Fields, read_json
from striate.training.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from striate.graph import Graph
    from striate.modules import Network

FORMAT = 1
NETWORK, PROGRAM, RECORD, SPLIT, METRICS, WEIGHTS, STATE = (
    NETWORK_OF_RUN,
    PROGRAM_OF_RUN,
    "run.json",
    "split.csv",
    "metrics.csv",
    WEIGHTS_OF_RUN,
    "state.safetensors",
)
MEAN = "mean.png"


@dataclass(frozen=True)
class Normalise:
    """What is taken from each channel of a picture in 0…255, and what it is divided by."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    image: Pixels | None = field(default=None, compare=False)
    """The picture H×W×C that is taken in place of the means; a run has it as a file."""

    def to_json(self) -> dict[str, Any]:
        """What `run.json` holds of it."""
        named = {} if self.image is None else {"image": MEAN}
        return {"mean": self.mean, "std": self.std, **named}


@dataclass(frozen=True)
class Record:
    """What `run.json` holds beside the weights and the notation."""

    network: str
    """The network's name as given: a zoo name, a file's stem."""
    data: str
    """The data as the user named it: a built-in name or a folder."""
    folder: str | None
    """The folder, absolute, that the names in `split.csv` are relative to; None: a built-in set."""
    root: str | None
    """Where the built-in sets were looked for, absolute; None for ./data."""
    fingerprint: str
    classes: tuple[str, ...]
    preprocess: Preprocess
    normalise: Normalise
    settings: Settings
    environment: Mapping[str, str | int]
    """Versions, device, precision and threads that the run was trained with."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where the value of each setting comes from."""
    notices: tuple[str, ...] = ()
    results: Mapping[str, Any] = field(default_factory=dict)
    """Training seconds, epochs, steps, images, best validation accuracy, whether it was cut off."""

    def to_json(self) -> str:
        """The text of `run.json`."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        own["settings"] = self.settings.to_json()
        own["preprocess"] = self.preprocess.to_json()
        own["normalise"] = self.normalise.to_json()
        content = {"format": FORMAT, **own}
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Run:
    """A finished or cut-off training, read from its folder."""

    folder: Path
    source: Source
    record: Record

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.name

    @property
    def network_path(self) -> Path:
        """The file with its notation, or with its operations."""
        return self.folder / network_file(self.source)

    def load_network(self) -> Network:
        """The trained network in float32 on the CPU, in evaluation mode.

        Raises UserError when the weights are missing, damaged, or not those of the notation.
        """
        from striate.modules import outline

        network = outline(self.source)
        _check_record(self, network.graph)
        expected = network.state_dict()
        weights = read_weights(self.folder / WEIGHTS)
        _check_fit(self, expected, weights)
        fitting = {name: weights[name].to(tensor.dtype) for name, tensor in expected.items()}
        network.load_state_dict(fitting, assign=True)
        return network.eval()


def network_file(source: Source) -> str:
    """What a run calls the file that holds its network."""
    return PROGRAM if is_program(source) else NETWORK


def write_record(folder: Path, record: Record) -> None:
    """Write `run.json`, whole or not at all."""
    write_whole(folder / RECORD, record.to_json())


def write_mean(folder: Path, normalise: Normalise) -> None:
    """Write `mean.png`, whole or not at all, if a mean picture is taken from each."""
    if normalise.image is None:
        return
    from PIL import Image

    bytes_of = io.BytesIO()
    Image.fromarray(normalise.image.squeeze()).save(bytes_of, "png")
    write_whole(folder / MEAN, bytes_of.getvalue())


def _read_mean(path: Path, preprocess: Preprocess) -> Pixels:
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise _missing(path)
    try:
        with Image.open(path) as opened:
            found = np.atleast_3d(np.array(opened))
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(
            f"{path}: the mean picture is damaged ({error}). Copy the file again from where it "
            "came, or train again"
        ) from None
    wanted = (preprocess.height, preprocess.width, preprocess.channels)
    if found.shape != wanted or found.dtype != np.uint8:
        raise UserError(
            f"{path}: the mean picture is {show(found.shape)}, but {RECORD} reads pictures of "
            f"{show(wanted)} (rows, columns, channels). One of the two was changed"
        )
    return found


def write_weights(folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Write `weights.safetensors`, whole or not at all."""
    from safetensors.torch import save

    write_whole(folder / WEIGHTS, save({key: value.contiguous() for key, value in weights.items()}))


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises UserError when it is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(path.read_bytes())
    except FileNotFoundError:
        raise _missing(path) from None
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{path}: the weights are damaged or cut short ({error}). "
            "Copy the file again from where it came, or train again"
        ) from None


def open_run(folder: str | Path) -> Run:
    """Read a run folder. Raises UserError when it is no run, is incomplete, or is newer than we."""
    return _open(Path(folder), (RECORD, WEIGHTS))


def open_started(folder: str | Path) -> Run:
    """The same of a run that may have no weights yet."""
    return _open(Path(folder), (RECORD,))


def _open(folder: Path, needed: Sequence[str]) -> Run:
    if not folder.exists():
        raise UserError(f"{folder}: there is no such run.{_other_runs(folder)}")
    if not folder.is_dir():
        raise UserError(f"{folder}: this is a file; a run is a folder that `striate train` wrote")
    if not any((folder / name).exists() for name in (RECORD, NETWORK, PROGRAM, WEIGHTS)):
        raise UserError(f"{folder}: this is not a run: it holds no {RECORD}.{_other_runs(folder)}")
    network = folder / (PROGRAM if (folder / PROGRAM).exists() else NETWORK)
    for path in (folder / RECORD, network, *(folder / name for name in needed)):
        if not path.is_file():
            raise _missing(path)
    record = _read_record(folder / RECORD)
    if record.normalise.image is not None:
        image = _read_mean(folder / MEAN, record.preprocess)
        record = replace(record, normalise=replace(record.normalise, image=image))
    return Run(folder, read_file(network), record)


def finish(folder: Path, record: Record, results: Mapping[str, Any]) -> Record:
    """Add results to a run's record."""
    record = replace(record, results={**record.results, **results})
    write_record(folder, record)
    return record


def _missing(path: Path) -> UserError:
    return UserError(
        f"{path}: this file of the run is missing. A run needs {RECORD}, {NETWORK} and {WEIGHTS}: "
        "copy the whole folder, or train again"
    )


def _other_runs(folder: Path) -> str:
    if folder.is_dir():
        inner = sorted(path.parent.name for path in folder.glob(f"*/{RECORD}"))
        return f" Runs in it: {', '.join(inner[:8])}" if inner else ""
    beside = sorted(path.parent for path in folder.parent.glob(f"*/{RECORD}"))
    found = beside or sorted(path.parent for path in Path("runs").glob(f"*/{RECORD}"))
    return f" There are: {', '.join(str(path) for path in found[-8:])}" if found else ""


def _read_record(path: Path) -> Record:
    content = read_json(path)
    version = content.get("format") if isinstance(content, dict) else None
    if not isinstance(content, dict) or type(version) is not int:
        raise UserError(f"{path}: this is not the record of a run: it has no format number")
    if version > FORMAT:
        raise UserError(
            f"{path}: the run was written by a newer Striate (format {version}; this one "
            f"reads up to {FORMAT}). Update Striate to read it"
        )
    try:
        return _record(Fields(content))
    except (FieldError, UserError) as error:
        problem = str(error).rstrip(".")
        raise UserError(
            f"{path}: {problem}.\n"
            "The record was changed or damaged: copy the run again, or train again"
        ) from None


def _record(given: Fields) -> Record:
    preprocess = Preprocess.from_json(given.object("preprocess"))
    return Record(
        network=given.text("network"),
        data=given.text("data"),
        folder=given.optional_text("folder"),
        root=given.optional_text("root"),
        fingerprint=given.text("fingerprint"),
        classes=given.names("classes"),
        preprocess=preprocess,
        normalise=_normalise(given.inside("normalise"), preprocess.channels),
        settings=Settings.from_json(given.object("settings")),
        origins=given.optional_object("origins"),
        environment=given.object("environment"),
        notices=given.texts("notices"),
        results=given.object("results"),
    )


def _normalise(given: Fields, channels: int) -> Normalise:
    mean, std = given.numbers("mean", channels), given.numbers("std", channels)
    if 0 in std:
        raise FieldError(f"'{given.prefix}std' is {list(std)}; none may be 0")
    return Normalise(mean, std, np.zeros(0, np.uint8) if "image" in given.content else None)


def _check_record(run: Run, graph: Graph) -> None:
    """Raises UserError when the record is not that of the notation."""
    classes, preprocess = len(run.record.classes), run.record.preprocess
    place = run.network_path
    if graph.output[0] != classes:
        raise UserError(
            f"{place}: the network gives {graph.output[0]} values, but {RECORD} has {classes} "
            "classes. One of the two was changed"
        )
    image = (preprocess.channels, preprocess.height, preprocess.width)
    if graph.input != image:
        raise UserError(
            f"{place}: the network takes images of {show(graph.input)}, but {RECORD} reads them "
            f"as {show(image)}. One of the two was changed"
        )


def _check_fit(run: Run, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    folder, network = run.folder, run.network_path.name
    for name, tensor in expected.items():
        if name not in found:
            raise UserError(
                f"{folder / WEIGHTS}: there are no weights for {name}, which {network} has. "
                "The notation was changed, or the weights are another run's"
            )
        if found[name].shape != tensor.shape:
            raise UserError(
                f"{folder / WEIGHTS}: {name} has the shape {tuple(found[name].shape)}, but "
                f"{network} makes it {tuple(tensor.shape)}. The notation was changed, or the "
                "weights are another run's"
            )
    if extra := sorted(set(found) - set(expected)):
        raise UserError(
            f"{folder / WEIGHTS}: {extra[0]} is not in {network}. "
            "The notation was changed, or the weights are another run's"
        )

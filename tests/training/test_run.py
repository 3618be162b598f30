from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from striate.errors import NotationError, UserError
from striate.modules import Network
from striate.training.run import (
    FORMAT,
    NETWORK,
    RECORD,
    WEIGHTS,
    Run,
    finish,
    open_run,
    write_record,
)

ANOTHER = "The notation was changed, or the weights are another run's"


def failure(action: Callable[[], object]) -> str:
    """The whole message of the UserError that an action ends in."""
    with pytest.raises(UserError) as caught:
        action()
    assert caught.value.exit_status == 2
    return str(caught.value)


def change(run: Run, edit: Callable[[dict[str, Any]], object]) -> None:
    path = run.folder / RECORD
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_a_run_is_read_back_as_it_was_written(run: Run) -> None:
    results = {"seconds": 1.5, "epochs": 2, "interrupted": False}
    record = finish(run.folder, run.record, results)
    assert record == replace(run.record, results=results)
    again = open_run(str(run.folder))
    assert again == Run(run.folder, run.source, record)
    assert again.name == "digits-tiny"


def test_names_of_any_characters_and_bytes_are_kept(run: Run) -> None:
    names = ("café", "🐈 & <b>", "a\nb", *run.record.classes[3:])
    record = replace(run.record, classes=names, data="caf\udce9", folder="/x/caf\udce9")
    write_record(run.folder, record)
    assert open_run(run.folder).record == record
    assert "café" in (run.folder / RECORD).read_text(errors="surrogateescape")


def test_the_network_comes_back_with_its_weights(run: Run, trained: Network) -> None:
    network = run.load_network()
    expected = trained.state_dict()
    found = network.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not network.training
    assert all(p.requires_grad and p.device.type == "cpu" for p in network.parameters())


def test_weights_in_another_precision_are_taken(run: Run) -> None:
    weights = load_file(run.folder / WEIGHTS)
    save_file({key: value.half() for key, value in weights.items()}, run.folder / WEIGHTS)
    network = run.load_network()
    assert network.conv1.weight.dtype == torch.float32
    assert torch.equal(network.conv1.weight, weights["conv1.weight"].half().float())
    assert network.bn1.num_batches_tracked.dtype == torch.int64


def test_opening_a_run_needs_no_torch(run: Run) -> None:
    code = (
        "import sys\nfrom striate.training.run import open_run\n"
        f"open_run({str(run.folder)!r})\n"
        "assert not {'torch', 'safetensors', 'torchvision', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_missing_folder(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere" / "nothing"
    assert failure(lambda: open_run(folder)) == f"{folder}: there is no such run."


def test_a_missing_folder_beside_runs_names_them(run: Run) -> None:
    folder = run.folder.with_name("digits-tinny")
    expected = f"{folder}: there is no such run. There are: {run.folder}"
    assert failure(lambda: open_run(folder)) == expected


def test_a_file_in_place_of_a_run(run: Run) -> None:
    file = run.folder / WEIGHTS
    expected = f"{file}: this is a file; a run is a folder that `striate train` wrote"
    assert failure(lambda: open_run(file)) == expected


def test_a_folder_that_is_no_run(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    expected = f"{tmp_path / 'empty'}: this is not a run: it holds no {RECORD}."
    assert failure(lambda: open_run(tmp_path / "empty")) == expected
    runs = run.folder.parent
    expected = f"{runs}: this is not a run: it holds no {RECORD}. Runs in it: digits-tiny"
    assert failure(lambda: open_run(runs)) == expected


@pytest.mark.parametrize("name", [RECORD, NETWORK, WEIGHTS])
def test_a_missing_file(run: Run, name: str) -> None:
    (run.folder / name).unlink()
    assert failure(lambda: open_run(run.folder)) == (
        f"{run.folder / name}: this file of the run is missing. A run needs {RECORD}, {NETWORK} "
        f"and {WEIGHTS}: copy the whole folder, or train again"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b'{"format": 1,', "Expecting property name enclosed in double quotes: line 1 column 14"),
        (b"\x80\x02", ""),
    ],
)
def test_a_damaged_record(run: Run, content: bytes, problem: str) -> None:
    (run.folder / RECORD).write_bytes(content)
    message = failure(lambda: open_run(run.folder))
    assert message.startswith(f"{run.folder / RECORD}: this is not readable JSON ({problem}")
    assert message.endswith("). The file was damaged: copy the run again, or train again")


def test_a_record_nested_without_end(run: Run) -> None:
    (run.folder / RECORD).write_text("[" * 100_000)
    message = failure(lambda: open_run(run.folder))
    assert message.startswith(f"{run.folder / RECORD}: this is not readable JSON (")


@pytest.mark.parametrize(
    "text", ["[]", "7", '{"classes": []}', '{"format": "1"}', '{"format": true}']
)
def test_json_that_is_no_record(run: Run, text: str) -> None:
    (run.folder / RECORD).write_text(text)
    assert failure(lambda: open_run(run.folder)) == (
        f"{run.folder / RECORD}: this is not the record of a run: it has no format number"
    )


def test_a_newer_format(run: Run) -> None:
    change(run, lambda content: content.update(format=FORMAT + 1, unheard=True))
    assert failure(lambda: open_run(run.folder)) == (
        f"{run.folder / RECORD}: the run was written by a newer Striate (format {FORMAT + 1}; this "
        f"one reads up to {FORMAT}). Update Striate to read it"
    )


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda c: c.pop("classes"), "'classes' is missing"),
        (lambda c: c.update(classes="abc"), "'classes' is 'abc'; expected a list of names"),
        (lambda c: c.update(classes=[1, 2]), "'classes' is [1, 2]; expected a list of names"),
        (lambda c: c.update(classes=[]), "'classes' is []; expected a list of names"),
        (lambda c: c.update(classes=["a", "a"]), "'classes' names 'a' twice"),
        (lambda c: c.update(network=7), "'network' is 7; expected text"),
        (lambda c: c.update(folder=7), "'folder' is 7; expected text or null"),
        (lambda c: c.update(notices=[7]), "'notices' is [7]; expected a list of texts"),
        (lambda c: c.update(results=[]), "'results' is []; expected an object"),
        (lambda c: c.update(environment=None), "'environment' is None; expected an object"),
        (lambda c: c.update(preprocess=None), "'preprocess' is None; expected an object"),
        (
            lambda c: c["preprocess"].update(height="8"),
            "preprocess: height is '8'; expected a whole number from 1 to 65535",
        ),
        (
            lambda c: c["settings"].update(batch="x"),
            "settings: batch is 'x'; expected a whole number from 1 to 1048576",
        ),
        (lambda c: c.update(normalise=3), "'normalise' is 3; expected an object"),
        (
            lambda c: c["normalise"].update(mean=[1, 2]),
            "'normalise.mean' is [1, 2]; expected 1 finite number, one for each channel",
        ),
        (
            lambda c: c["normalise"].update(std=[float("nan")]),
            "'normalise.std' is [nan]; expected 1 finite number, one for each channel",
        ),
        (lambda c: c["normalise"].update(std=[0]), "'normalise.std' is [0.0]; none may be 0"),
    ],
)
def test_a_record_that_was_tampered_with(
    run: Run, edit: Callable[[dict[str, Any]], object], problem: str
) -> None:
    change(run, edit)
    assert failure(lambda: open_run(run.folder)) == (
        f"{run.folder / RECORD}: {problem}.\nThe record was changed or damaged: copy the run "
        "again, or train again"
    )


@pytest.mark.parametrize("kept", [0, 4, 100, 3000])
def test_truncated_weights(run: Run, kept: int) -> None:
    path = run.folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:kept])
    message = failure(run.load_network)
    assert message.startswith(f"{path}: the weights are damaged or cut short (")
    assert message.endswith("). Copy the file again from where it came, or train again")


def test_a_pickle_in_place_of_weights_is_not_opened(run: Run, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"conv1.weight": Trap()}, run.folder / WEIGHTS)
    assert "the weights are damaged or cut short" in failure(run.load_network)
    assert not (tmp_path / "sprung").exists()


def rewritten(run: Run, edit: Callable[[dict[str, torch.Tensor]], object]) -> Run:
    weights = load_file(run.folder / WEIGHTS)
    edit(weights)
    save_file(weights, run.folder / WEIGHTS)
    return run


def test_weights_that_lack_a_layer(run: Run) -> None:
    rewritten(run, lambda weights: weights.pop("fc1.bias"))
    assert failure(run.load_network) == (
        f"{run.folder / WEIGHTS}: there are no weights for fc1.bias, which {NETWORK} has. {ANOTHER}"
    )


def test_weights_of_another_shape(run: Run) -> None:
    rewritten(run, lambda weights: weights.update({"conv1.weight": torch.zeros(8, 1, 5, 5)}))
    assert failure(run.load_network) == (
        f"{run.folder / WEIGHTS}: conv1.weight has the shape (8, 1, 5, 5), but {NETWORK} makes it "
        f"(8, 1, 3, 3). {ANOTHER}"
    )


def test_weights_with_a_layer_too_many(run: Run) -> None:
    rewritten(run, lambda weights: weights.update({"conv2.weight": torch.zeros(3)}))
    assert failure(run.load_network) == (
        f"{run.folder / WEIGHTS}: conv2.weight is not in {NETWORK}. {ANOTHER}"
    )


def test_notation_that_no_longer_reads_is_pointed_at(run: Run) -> None:
    text = (run.folder / NETWORK).read_text().replace("relu", "reluu")
    (run.folder / NETWORK).write_text(text)
    with pytest.raises(NotationError) as caught:
        open_run(run.folder).load_network()
    assert str(caught.value).startswith(f"{run.folder / NETWORK}:1:33: ")
    assert "^^^^^" in str(caught.value)


def test_notation_of_other_classes_or_images(run: Run) -> None:
    change(run, lambda content: content.update(classes=["a", "b"]))
    assert failure(open_run(run.folder).load_network) == (
        f"{run.folder / NETWORK}: the network gives 10 values, but {RECORD} has 2 classes. "
        "One of the two was changed"
    )
    change(run, lambda content: content.update(classes=list("abcdefghij")))
    change(run, lambda content: content["preprocess"].update(height=9))
    assert failure(open_run(run.folder).load_network) == (
        f"{run.folder / NETWORK}: the network takes images of 1×8×8, but {RECORD} reads them as "
        "1×9×8. One of the two was changed"
    )


def test_notation_that_is_not_text(run: Run) -> None:
    (run.folder / NETWORK).write_bytes(b"\xff\xfe\x00")
    assert failure(lambda: open_run(run.folder)) == (
        f"{run.folder / NETWORK} is a binary file, not a network's text"
    )

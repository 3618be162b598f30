"""`striate machine`, and the times that `striate size` tells from its figures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

import striate
from striate.sizing.machine import Machine, store, stored
from striate.sizing.machine_table import table
from striate.timing import machine as measuring
from striate.timing import step as timing
from striate.timing.probes import Probe, of_rates


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "striate" / "machine.json"


def smallest_of_each_family(dtype: torch.dtype, device: str) -> list[Probe]:
    """tests/timing measures them all."""
    families: dict[str, Probe] = {}
    for probe in of_rates(dtype, device):
        families.setdefault(probe.family, probe)
    return list(families.values())


def test_the_figures_are_shown_and_stored(run, home: Path, monkeypatch) -> None:
    monkeypatch.setattr(measuring, "SAMPLES", 1)
    monkeypatch.setattr(measuring, "SAMPLE_SECONDS", 1e-5)
    monkeypatch.setattr(measuring, "COPIES", (2**10,))
    monkeypatch.setattr(measuring, "of_rates", smallest_of_each_family)
    status, out, err = run("machine", "--threads", 1)
    (found,) = stored()
    assert (status, out) == (0, table(found))
    assert err.endswith(f"{home} written\n")
    status, out, _ = run("machine", "--threads", 1, "--json")
    assert (status, json.loads(out)["threads"]) == (0, 1)


def test_times_are_those_of_the_function(run, figures: Machine) -> None:
    store([figures])
    times = striate.step_time("lenet5", batch=4, precision="bfloat16")
    step = ("lenet5", "--batch", 4, "--precision", "bfloat16", "--time")
    assert run("size", *step) == (0, times.table(), "")
    assert run("size", *step, "--json") == (0, times.to_json(), "")


def test_a_measured_step(run, figures: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    store([dataclasses.replace(figures, torch=torch.__version__)])
    status, out, _ = run("size", "lenet5", "--batch", 4, "--measure", "--json")
    assert status == 0
    assert json.loads(out)["measured"]["steps"] == timing.FEWEST


def test_nothing_was_measured(run, home: Path) -> None:
    assert run("size", "lenet5", "--time") == (
        2,
        "",
        f"striate: {home} has no figures of this machine: times are told from what it was measured "
        "to do. Run striate machine, once\n",
    )


@pytest.mark.parametrize("option", [("--csv",), ("--backward",), ("vgg16",), ("--symbolic",)])
def test_options_that_say_nothing_of_a_step(run, option: tuple[str, ...]) -> None:
    status, out, err = run("size", "lenet5", "--time", *option)
    assert (status, out) == (2, "")
    assert "go with one network, --batch, --input, --precision" in err or "--symbolic goes" in err


def test_a_step_that_was_not_asked_for(run) -> None:
    status, out, err = run("size", "lenet5", "--precision", "bfloat16")
    assert (status, out) == (2, "")
    assert "--precision and --device are of a step: add --time or --measure." in err

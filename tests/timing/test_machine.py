"""What is measured of a machine: each family in both directions, and no settings left changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import striate
from striate.errors import UserError
from striate.sizing.machine import Figure, stored
from striate.sizing.machine_table import table
from striate.sizing.work import PRODUCTS, VALUES
from striate.timing import machine as measuring
from striate.timing.probes import of_overhead, of_rates


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """One short sample of each: what is measured means nothing, but all of it is measured."""
    monkeypatch.setattr(measuring, "SAMPLES", 1)
    monkeypatch.setattr(measuring, "SAMPLE_SECONDS", 1e-5)
    monkeypatch.setattr(measuring, "COPIES", (2**10, 2**14))


def test_all_families_are_measured_and_stored(hasty: None) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    told: list[tuple[int, int]] = []
    (cpu,) = striate.machine(threads=1, progress=lambda done, total: told.append((done, total)))
    assert stored() == (cpu,)
    assert (cpu.device, cpu.threads, cpu.torch) == ("cpu", 1, torch.__version__)
    assert [point.at for point in cpu.bandwidth] == [2**13, 2**17]
    assert set(cpu.overhead) == {"copy", *PRODUCTS, *VALUES}
    for precision in ("float32", "bfloat16"):
        assert set(cpu.rates[precision]) == {*PRODUCTS, *VALUES}
        for rates in cpu.rates[precision].values():
            places = [rate.at for rate in rates]
            assert places == sorted(set(places))
            assert all(0 < rate.forward.low <= rate.forward.high for rate in rates)
            assert all(0 < rate.backward.low <= rate.backward.high for rate in rates)
    assert told[-1] == (len(told), len(told))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("family", PRODUCTS)
def test_products_have_the_flops_that_torch_counts(family: str) -> None:
    probes = [p for p in of_rates(torch.float32, "meta") if p.family == family]
    assert probes
    for probe in probes:
        with FlopCounterMode(display=False) as counter:
            probe.function(*probe.tensors())
        assert counter.get_total_flops() == probe.amount, probe


@pytest.mark.parametrize("family", VALUES)
def test_values_are_those_of_the_output_and_of_all_windows(family: str) -> None:
    for probe in of_rates(torch.float32, "meta"):
        if probe.family == family:
            output = probe.function(*probe.tensors())
            assert probe.amount == output.numel() * max(1, probe.at)


def test_overhead_is_that_of_next_to_nothing() -> None:
    for probe in of_overhead("meta"):
        assert max(tensor.numel() for tensor in probe.tensors()) <= 144


def test_fewer_than_one_thread() -> None:
    with pytest.raises(UserError) as caught:
        striate.machine(threads=0)
    assert str(caught.value) == "threads is 0; expected 1 or more"


def test_a_figure_has_the_median_and_both_ends() -> None:
    assert measuring.figure([3.0, 1.0, 2.0]) == Figure(2.0, 1.0, 3.0)


def test_the_table_has_every_figure(figures) -> None:
    lines = table(figures).splitlines()
    assert lines[0] == "a machine, 2 threads, torch 2.0, measured 2026-01-31"
    assert lines[3].split() == ["1", "B", "1.00", "(1.00–1.00)"]
    figures_of_conv = [line.split() for line in lines if line.startswith("conv 4096 ")]
    assert figures_of_conv == [["conv", "4096", "8.00", "(8.00–8.00)", "4.00", "(4.00–4.00)"]] * 2
    assert max(map(len, lines)) <= 100

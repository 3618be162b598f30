"""What is stored of a machine: found again, replaced, and refused with the fix."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from striate.errors import UserError
from striate.sizing.machine import Figure, Machine, Point, find, path, store, stored


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_figures_are_found_as_they_were_stored(figures: Machine) -> None:
    assert stored() == ()
    assert store([figures]) == path()
    assert stored() == (figures,)
    assert find() == find("cpu") == figures


def test_newer_figures_of_the_same_device_replace_older_ones(figures: Machine) -> None:
    other = dataclasses.replace(figures, threads=7)
    newer = dataclasses.replace(figures, measured="2026-02-01")
    store([figures, other])
    store([newer])
    assert stored() == (other, newer)
    assert find() == newer


def test_a_gpu_goes_first_where_one_was_measured(figures: Machine) -> None:
    gpu = dataclasses.replace(figures, device="cuda", name="a GPU")
    store([gpu, figures])
    assert find() == gpu
    assert find("cpu") == figures


def test_nothing_was_measured(home: Path, figures: Machine) -> None:
    with pytest.raises(UserError) as caught:
        find()
    assert str(caught.value) == (
        f"{home}/striate/machine.json has no figures of this machine: times are told from what it "
        "was measured to do. Run striate machine, once"
    )
    store([figures])
    with pytest.raises(UserError, match="has no figures of a device 'cuda' of this machine: "):
        find("cuda")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "JSONDecodeError: "),
        ('{"version": 0, "machines": []}', "ValueError: it is of version 0"),
        ('{"version": 1, "machines": [{}]}', "KeyError: 'device'"),
        ("[]", "TypeError: "),
    ],
)
def test_a_file_of_another_form(home: Path, text: str, told: str) -> None:
    path().parent.mkdir()
    path().write_text(text)
    with pytest.raises(UserError) as caught:
        stored()
    message = str(caught.value)
    assert message.startswith(
        f"{home}/striate/machine.json does not hold figures of this version of striate ({told}"
    )
    assert message.endswith("). Remove it, then run striate machine")


def test_a_relative_folder_for_settings_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the XDG base directory specification asks."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    assert path() == Path.home() / ".config" / "striate" / "machine.json"


def test_between_two_sizes_a_rate_lies_on_a_power_law(figures: Machine) -> None:
    ends = [Point(10, Figure(2.0, 1, 3)), Point(1000, Figure(8.0, 7, 9))]
    machine = dataclasses.replace(figures, bandwidth=tuple(ends))
    assert machine.bytes_per_second(5) == machine.bytes_per_second(10) == 2e9
    assert math.isclose(machine.bytes_per_second(100), 4e9)
    assert machine.bytes_per_second(5000) == 8e9

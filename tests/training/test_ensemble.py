"""Several runs asked together."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import striate
from striate.errors import UserError
from striate.training.ensemble import test_together as together
from striate.training.progress import Display
from striate.training.run import Run, open_run, write_record
from striate.training.testing import open_test
from striate.training.testing import test_part as of_part

TEXT = "input 1x8x8 -> conv3-8 -> bn -> relu -> pool2 -> fc-10"


def trained(folder: Path, seed: int, **given: object) -> Run:
    return striate.train(
        TEXT, "digits", output=folder, seed=seed, epochs=1, display=Display(io.StringIO()), **given
    ).run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three that hold the same pictures out, the third of larger pictures."""
    place = tmp_path_factory.mktemp("runs")
    plain = [trained(place / f"run{seed}", seed, split=0) for seed in (0, 1)]
    return [*plain, trained(place / "large", 2, split=0, input=(1, 12, 12))]


def test_the_mean_of_the_probabilities_is_measured(runs: list[Run]) -> None:
    found = together(runs)
    total = 0
    for run in runs:
        part, _, _ = open_test(run, None, None, False, None)
        result, seen = of_part(run, run.load_network(), part, data="")
        assert (str(run.folder), result.accuracy) in found.alone
        total = total + seen.astype(np.float64)
    right = (total.argmax(1) == part.labels).mean()
    assert found.accuracy == pytest.approx(right)
    assert found.accuracy >= min(accuracy for _, accuracy in found.alone)
    assert found.notices == ()
    assert found.run == " + ".join(str(run.folder) for run in runs)


def test_one_run_thrice_is_that_run(runs: list[Run]) -> None:
    found = together([runs[0]] * 3)
    assert {accuracy for _, accuracy in found.alone} == {found.accuracy}
    assert found.metrics.confusion.tolist() == striate.test(runs[0]).metrics.confusion.tolist()


def test_classes_in_another_order_are_the_same_classes(runs: list[Run], tmp_path: Path) -> None:
    """The second run's network gives its classes the other way round."""
    import shutil

    import torch
    from safetensors.torch import load_file, save_file

    other = tmp_path / "turned"
    shutil.copytree(runs[0].folder, other)
    weights = load_file(other / "weights.safetensors")
    for name in ("fc1.weight", "fc1.bias"):
        weights[name] = torch.flip(weights[name], (0,)).contiguous()
    save_file(weights, other / "weights.safetensors")
    run = open_run(other)
    write_record(other, replace(run.record, classes=run.record.classes[::-1]))
    found = together([runs[0], other])
    assert found.accuracy == striate.test(runs[0]).accuracy
    assert {accuracy for _, accuracy in found.alone} == {found.accuracy}


def test_pictures_that_another_one_learned_are_told(runs: list[Run], tmp_path: Path) -> None:
    other = trained(tmp_path / "other", 5)
    (notice,) = together([runs[0], other]).notices
    assert notice.endswith(
        f"of these 355 pictures served to train {other.folder}: the result is better than it would "
        "be on new ones. Runs of --ensemble hold the same pictures out"
    )
    assert int(notice.split()[0]) > 100


def test_other_classes(runs: list[Run], tmp_path: Path) -> None:
    import shutil

    other = tmp_path / "other"
    shutil.copytree(runs[0].folder, other)
    run = open_run(other)
    write_record(other, replace(run.record, classes=tuple(f"c{i}" for i in range(10))))
    with pytest.raises(UserError) as caught:
        together([runs[0], other])
    assert str(caught.value) == (
        f"{other}: its classes are not those of {runs[0].folder}, so that the two cannot be asked "
        "together. Give runs of the same classes"
    )

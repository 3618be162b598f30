"""Learning from a trained network's scores."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch

import striate
from striate.data import open_data
from striate.errors import UserError
from striate.training.device import Machine
from striate.training.distilling import distance, teacher_of
from striate.training.progress import Display
from striate.training.run import Run
from striate.training.settings import Settings

BIG = "input 1x8x8 -> conv3-32 nobias -> bn -> relu -> pool2 -> conv3-32 -> bn -> relu -> fc-10"
SMALL = "input 1x8x8 -> conv3-4 -> relu -> pool2 -> fc-10"
CPU = Machine(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    return striate.train(BIG, "digits", output=folder, epochs=8, display=Display(io.StringIO())).run


def test_the_distance_has_the_gradient_of_its_paper() -> None:
    """Hinton et al. 2015, equation 2: (softmax(z/T) − softmax(v/T))·T for each picture."""
    scores = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    taught = torch.randn(6, 5, dtype=torch.float64)
    for temperature in (1.0, 4.0):
        assert distance(taught, taught, temperature).item() == pytest.approx(0, abs=1e-12)
        (gradient,) = torch.autograd.grad(distance(scores, taught, temperature), scores)
        soft = torch.softmax(scores / temperature, 1) - torch.softmax(taught / temperature, 1)
        torch.testing.assert_close(gradient, temperature * soft / 6)


def test_a_teacher_scores_as_its_run_does(teacher: Run) -> None:
    part = open_data("digits", teacher.record.preprocess, splits=("test",)).test
    classes = teacher.record.classes
    settings = Settings(epochs=1, teacher=str(teacher.folder))
    images, labels = torch.from_numpy(part.images), torch.from_numpy(part.labels)
    score = teacher_of(settings, classes, teacher.record.preprocess, CPU)
    assert score is not None
    assert (score(images).argmax(1) == labels).float().mean() > 0.9
    turned = teacher_of(settings, classes[::-1], teacher.record.preprocess, CPU)
    assert turned is not None
    assert torch.equal(turned(images), score(images).flip(1))
    assert teacher_of(Settings(epochs=1), classes, teacher.record.preprocess, CPU) is None


def test_a_small_network_learns_what_the_teacher_says(teacher: Run, tmp_path: Path) -> None:
    """With the teacher alone, no label is seen."""
    settings = {"teacher": str(teacher.folder), "distil": 1.0}
    result = striate.train(
        SMALL, "digits", output=tmp_path / "run", epochs=10, settings=settings,
        display=Display(io.StringIO()),
    )  # fmt: skip
    assert result.run.record.results["val_accuracy"] > 0.85
    assert result.run.record.settings.teacher == str(teacher.folder)


def test_other_classes_and_other_pictures(teacher: Run, tmp_path: Path) -> None:
    settings = Settings(epochs=1, teacher=str(teacher.folder))
    with pytest.raises(UserError) as caught:
        teacher_of(settings, ("a", "b"), teacher.record.preprocess, CPU)
    assert str(caught.value) == (
        f"{teacher.folder}: this teacher knows other classes than those that are learned. Give a "
        "run on the same classes"
    )
    with pytest.raises(UserError) as caught:
        striate.train(
            SMALL, "digits", input=(1, 12, 12), settings={"teacher": str(teacher.folder)},
            output=tmp_path / "run", display=Display(io.StringIO()),
        )  # fmt: skip
    assert str(caught.value) == (
        f"{teacher.folder}: this teacher takes pictures of 1×8×8, and here they are 1×12×12. Give "
        "--input 1x8x8"
    )
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such run"):
        striate.train(
            SMALL, "digits", settings={"teacher": str(tmp_path / "none")}, output=tmp_path / "run",
            display=Display(io.StringIO()),
        )  # fmt: skip

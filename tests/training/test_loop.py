from __future__ import annotations

import math
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from striate.data import DataSet
from striate.errors import StriateError, UserError
from striate.modules import Network, build
from striate.source import Source
from striate.training import loop
from striate.training.best import Best
from striate.training.clock import Clock, Moment, Row
from striate.training.device import Machine, lower_precision, resident
from striate.training.loop import Trained, score, train_network
from striate.training.memory import require_statistics
from striate.training.prepare import to_input
from striate.training.run import Normalise
from striate.training.settings import Settings
from striate.training.watching import Watcher

TEXT = "input 1x8x8 -> conv3-18 nobias -> relu -> conv3-16 nobias -> pool2 -> bn -> relu -> fc-10"
CPU = Machine(torch.device("cpu"), torch.float32)
NORMALISE = Normalise((78.0,), (96.0,))
QUICK = Settings(epochs=4, batch=64, shift=0.1)


def learn(
    data: DataSet,
    settings: Settings = QUICK,
    watcher: Watcher | None = None,
    text: str = TEXT,
    machine: Machine = CPU,
) -> Trained:
    network = build(Source(text), seed=settings.seed)
    return train_network(network, data, NORMALISE, settings, machine, watcher or Watcher())


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def learned(digits: DataSet) -> Trained:
    return learn(digits)


def test_a_small_network_learns_digits(learned: Trained, digits: DataSet) -> None:
    assert learned.best.val_accuracy > 0.95
    network = build(Source(TEXT), seed=0)
    network.load_state_dict(learned.weights, strict=True)
    images = to_input(torch.from_numpy(digits.test.images), NORMALISE, torch.float32)
    found = network.eval()(images).argmax(1).numpy()
    assert (found == digits.test.labels).mean() > 0.95


def test_a_training_is_told_in_rows(learned: Trained, digits: DataSet) -> None:
    steps = len(digits.train) // 64 * 4
    assert (learned.steps, learned.epochs, learned.interrupted) == (steps, 4.0, False)
    assert [row.epoch for row in learned.rows] == [1, 2, 3, 4]
    last = learned.rows[-1]
    assert last.lr == 0
    assert last.seconds == pytest.approx(learned.seconds)
    assert last.train_accuracy > 0.9 and 0 < last.val_loss < last.train_loss


def test_the_seed_decides_every_weight(learned: Trained, digits: DataSet) -> None:
    again = learn(digits)
    other = learn(digits, replace(QUICK, seed=1))
    assert same(learned.weights, again.weights)
    assert not same(learned.weights, other.weights)


@pytest.mark.parametrize("optimizer", ["muon", "sgd"])
def test_it_learns_in_bfloat16(digits: DataSet, optimizer: str) -> None:
    settings = replace(QUICK, optimizer=optimizer, epochs=3)
    trained = learn(digits, settings, machine=Machine(CPU.device, torch.bfloat16))
    assert trained.best.val_accuracy > 0.9
    assert all(w.dtype != torch.bfloat16 for w in trained.weights.values())


def test_a_network_that_ends_in_softmax_learns_as_the_one_before_it(
    learned: Trained, digits: DataSet
) -> None:
    ends = learn(digits, text=f"{TEXT} -> softmax")
    assert same(ends.weights, learned.weights)
    assert ends.best.val_accuracy == learned.best.val_accuracy


def test_a_last_layer_of_maps_of_one_value_learns(digits: DataSet) -> None:
    text = "input 1x8x8 -> conv3-16 -> bn -> relu -> pool2 -> conv3-10 -> gap"
    assert learn(digits, text=text).best.val_accuracy > 0.5


class Stop:
    """A watcher that presses Ctrl-C once a step is told, and again at a row if it says so."""

    def __init__(self, at_step: int) -> None:
        self.at_step = at_step
        self.kept: list[dict[str, Tensor]] = []
        self.stopped = False

    def step(self, moment: Moment) -> None:
        if moment.step >= self.at_step and not self.stopped:
            self.stopped = True
            raise KeyboardInterrupt

    def row(self, row: Row, weights: dict[str, Tensor] | None) -> None:
        self.kept += [weights] if weights else []

    @property
    def watcher(self) -> Watcher:
        return Watcher(self.step, self.row)


@pytest.fixture
def every_step_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clock, "to_show", lambda clock: True)


@pytest.mark.usefixtures("every_step_is_shown")
@pytest.mark.parametrize("at_step", [1, 3, 25])
def test_an_interrupt_ends_with_the_weights_there_are(digits: DataSet, at_step: int) -> None:
    stop = Stop(at_step)
    trained = learn(digits, watcher=stop.watcher)
    assert trained.interrupted and trained.steps == at_step
    assert trained.rows[-1].step == at_step
    assert trained.weights is stop.kept[-1]
    assert all(torch.isfinite(weight).all() for weight in trained.weights.values())
    assert not math.isnan(trained.best.val_accuracy)


@pytest.mark.usefixtures("every_step_is_shown")
@pytest.mark.parametrize("at_step", [1, 25])
def test_a_second_interrupt_leaves_the_validation_out(
    digits: DataSet, monkeypatch: pytest.MonkeyPatch, at_step: int
) -> None:
    stop = Stop(at_step)
    validate = loop.probabilities

    def probabilities(*given: object, **named: object) -> object:
        if stop.stopped:
            raise KeyboardInterrupt
        return validate(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "probabilities", probabilities)
    trained = learn(digits, watcher=stop.watcher)
    assert trained.interrupted
    assert all(torch.isfinite(weight).all() for weight in trained.weights.values())
    assert trained.best.step == (1 if at_step == 1 else 20)
    assert math.isnan(trained.best.val_accuracy) == (at_step == 1)


def test_an_interrupt_while_weights_are_written_loses_none(digits: DataSet) -> None:
    def row(row: Row, weights: object) -> None:
        raise KeyboardInterrupt

    trained = learn(digits, watcher=Watcher(row=row))
    assert trained.interrupted and trained.best == trained.rows[0]
    assert trained.weights


def test_a_training_that_diverges_says_so(digits: DataSet) -> None:
    settings = replace(QUICK, optimizer="sgd", lr=1e6)
    text = "input 1x8x8 -> conv3-8 -> relu -> fc-10"
    kept: list[int] = []
    watcher = Watcher(row=lambda row, weights: kept.append(row.step))
    with pytest.raises(StriateError) as error:
        learn(digits, settings, watcher, text)
    first, _, fix = str(error.value).partition(" at step ")
    assert first == "the training diverged: the loss is not a finite number"
    assert fix.endswith(". Try a smaller rate, such as --lr 250000")
    assert kept == [] and error.value.exit_status == 1


def test_a_batch_that_diverges_is_named(digits: DataSet) -> None:
    """The loss is infinite from the third step on."""
    network = build(Source(TEXT), seed=0)
    seen: list[int] = []

    def spoil(module: nn.Module, given: object, scores: Tensor) -> Tensor:
        seen.append(len(scores))
        return scores * math.inf if network.training and len(seen) > 2 else scores

    network.get_submodule("fc1").register_forward_hook(spoil)
    rows: list[Row] = []
    watcher = Watcher(row=lambda row, weights: rows.append(row))
    with pytest.raises(StriateError) as error:
        train_network(network, digits, NORMALISE, QUICK, CPU, watcher)
    words = re.fullmatch(
        r"the training diverged: the loss is not a finite number at step 3\. Its batch: "
        r"(digits/\d+), (digits/\d+), (digits/\d+), (digits/\d+) and 60 more\. Try a smaller rate, "
        r"such as --lr 0\.0625",
        str(error.value),
    )
    assert words, str(error.value)
    assert set(words.groups()) <= set(digits.train.files)
    assert [row.step for row in rows] == [2]  # the weights of the last good step


class Short:
    """Memory for so many pictures at once."""

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures

    def __call__(self, module: nn.Module, given: tuple[Tensor]) -> None:
        if module.training and len(given[0]) > self.pictures:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")


@pytest.mark.parametrize(("room", "pieces"), [(64, 1), (40, 2), (16, 4), (9, 8)])
def test_a_batch_without_room_is_learned_in_parts(digits: DataSet, room: int, pieces: int) -> None:
    """Without batch normalisation the gradient is the same but for its last digits."""
    text = "input 1x8x8 -> conv3-18 nobias -> relu -> conv3-16 -> pool2 -> relu -> fc-10"
    settings = replace(QUICK, epochs=0.25, lr=0.01, adam_lr=0.001)
    network = build(Source(text), seed=0)
    network.get_submodule("conv1").register_forward_pre_hook(Short(room))
    said: list[str] = []
    watcher = Watcher(notice=said.append)
    found = train_network(network, digits, NORMALISE, settings, CPU, watcher)
    whole = learn(digits, settings, text=text)
    assert (found.pieces, found.steps) == (pieces, whole.steps)
    for name, weight in whole.weights.items():
        torch.testing.assert_close(found.weights[name], weight, rtol=1e-3, atol=1e-4)
    assert len(said) == pieces.bit_length() - 1
    if pieces == 2:
        assert said == [
            "a batch of 64 takes more memory than there is: from step 1 on it is learned in 2 "
            "parts, which give the same gradient but for batch normalisation"
        ]


def test_a_picture_without_room_is_told(digits: DataSet) -> None:
    network = build(Source("input 1x8x8 -> conv3-8 -> relu -> fc-10"), seed=0)
    network.get_submodule("conv1").register_forward_pre_hook(Short(0))
    with pytest.raises(UserError) as error:
        train_network(network, digits, NORMALISE, QUICK, CPU, Watcher())
    assert str(error.value) == (
        "cpu: one picture takes more memory than there is. Give smaller ones with --input, or a "
        "smaller network"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"mixup": 0.2},
        {"cutmix": 1.0, "mixup": 0.2},
        {"cutout": 0.4, "crop": 0.6, "ema": 0.9},
        {"balance": True, "schedule": "cosine"},
        {"optimizer": "rmsprop", "lr": 0.01, "eps": 1.0, "schedule": "plateau"},
        {"optimizer": "lamb", "lr": 0.02, "clip": 1.0},
        {"optimizer": "adamw", "lr": 0.003, "schedule": "drops", "drop": 0.5, "drop_every": 1.0},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_every_trick_learns(digits: DataSet, changes: dict[str, object]) -> None:
    trained = learn(digits, replace(QUICK, epochs=6, **changes))
    assert trained.best.val_accuracy > 0.85


def test_a_loss_that_stands_still() -> None:
    def rows(*losses: float) -> list[Row]:
        return [replace(row(0.5), val_loss=loss) for loss in losses]

    assert not loop.stands_still(rows(1, 0.9, 0.95, 0.96), 0)
    assert not loop.stands_still(rows(1, 0.9, 0.95), 2)
    assert loop.stands_still(rows(1, 0.9, 0.95, 0.96), 2)
    assert not loop.stands_still(rows(1, 0.9, 0.95, 0.89), 2)
    assert not loop.stands_still(rows(0.5, 0.6), 2)


def test_a_training_that_stands_still_ends_early(digits: DataSet) -> None:
    said: list[str] = []
    settings = replace(QUICK, epochs=12, lr=1e-12, adam_lr=1e-12, stop_after=2, schedule="constant")
    trained = learn(digits, settings, Watcher(notice=said.append))
    assert len(trained.rows) < 12 and not trained.interrupted
    assert said == [
        f"stopped at epoch {trained.epochs:.1f}: the validation loss was not lower for 2 looks"
    ]


def test_no_validation_pictures_keep_the_last_weights(digits: DataSet) -> None:
    empty = replace(
        digits.val, images=digits.val.images[:0], labels=digits.val.labels[:0], files=()
    )
    trained = learn(replace(digits, val=empty), replace(QUICK, epochs=2))
    assert math.isnan(trained.best.val_accuracy) and math.isnan(trained.best.val_loss)
    assert trained.best == trained.rows[-1]


def few(data: DataSet, count: int) -> DataSet:
    part = data.train
    cut = replace(
        part, images=part.images[:count], labels=part.labels[:count], files=part.files[:count]
    )
    return replace(data, train=cut)


def test_label_smoothing_is_in_the_loss(digits: DataSet) -> None:
    """One batch that is the whole set, at a rate of nearly 0: the loss is that of the start."""
    data = few(digits, 64)
    for smoothing in (0.0, 0.2):
        settings = Settings(
            epochs=1, batch=64, label_smoothing=smoothing, lr=1e-9, adam_lr=1e-9, whiten=False
        )
        network = build(Source("input 1x8x8 -> fc-10"), seed=0)
        images = to_input(torch.from_numpy(data.train.images), NORMALISE, torch.float32)
        answers = torch.from_numpy(data.train.labels)
        loss = nn.CrossEntropyLoss(label_smoothing=smoothing)(network(images), answers)
        trained = learn(data, settings, text="input 1x8x8 -> fc-10")
        assert trained.rows[0].train_loss == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("count", [2, 3, 20])
def test_few_pictures_train(digits: DataSet, count: int) -> None:
    trained = learn(few(digits, count), replace(QUICK, batch=8, epochs=3))
    assert trained.steps == 3 * max(1, count // 8)


def test_a_batch_of_one_needs_more_than_one_value_to_normalise(digits: DataSet) -> None:
    text = "input 1x8x8 -> fc-8 -> bn -> relu -> fc-10"
    with pytest.raises(UserError) as error:
        learn(digits, replace(QUICK, batch=1), text=text)
    assert str(error.value) == (
        "batch: found 1, but bn1 normalises one value of each picture over the batch, so a step "
        "takes 2 pictures or more. Give --batch 2 or more"
    )
    require_statistics(build(Source(text), seed=0).graph, 2)
    require_statistics(build(Source(TEXT), seed=0).graph, 1)


def test_a_read_only_map_is_taken_without_a_warning(digits: DataSet, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", digits.train.images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    data = replace(digits, train=replace(digits.train, images=mapped))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = resident(mapped, torch.device("cpu"))
        trained = learn(data, replace(QUICK, epochs=1, flip=True))
    assert tensor.data_ptr() == mapped.ctypes.data
    assert trained.steps == len(mapped) // 64


def row(accuracy: float, step: int = 0) -> Row:
    return Row(step, 0, 0, 0, 0, 0, 0, 0, accuracy)


def kept(pictures: int, *accuracies: float) -> int:
    best = Best(pictures)
    for step, accuracy in enumerate(accuracies):
        best.take(row(accuracy, step), {"step": torch.tensor(step)})
    assert best.weights["step"] == best.row.step
    return best.row.step


def test_the_latest_that_is_not_clearly_worse_is_kept() -> None:
    assert kept(100, 0.5, 0.9, 0.89) == 2
    assert kept(100, 0.5, 0.9, 0.80) == 1
    assert kept(100, 0.9, 0.88, 0.86, 0.83, 0.5) == 2
    assert kept(10_000, 0.9, 0.89) == 0
    assert kept(100, 0.95, 0.93) == 1
    assert kept(1000, 0.0, 0.0) == 1


def test_without_validation_the_last_is_kept() -> None:
    assert kept(0, math.nan, math.nan, math.nan) == 2


def test_weights_that_were_not_validated_are_kept_in_need_alone() -> None:
    assert kept(100, math.nan) == 0
    assert kept(100, 0.9, math.nan) == 0
    assert kept(100, math.nan, 0.1) == 1


def test_scores_of_probabilities() -> None:
    seen = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]], np.float32)
    labels = np.array([0, 1, 1])
    loss, accuracy = score(seen, labels)
    assert loss == pytest.approx(-(math.log(0.5) + math.log(0.75) + math.log(1e-12)) / 3)
    assert accuracy == pytest.approx(2 / 3)
    assert all(math.isnan(value) for value in score(seen[:0], labels[:0]))


def test_normalisation_stays_in_full_precision() -> None:
    network: Network = build(Source(TEXT), seed=0)
    lower_precision(network, torch.bfloat16)
    for name, weight in network.named_parameters():
        wanted = torch.float32 if name.startswith("bn") else torch.bfloat16
        assert weight.dtype == wanted, name

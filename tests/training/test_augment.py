from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms import functional as published

from striate.training.augment import Batches
from striate.training.device import resident
from striate.training.settings import Settings
from striate.training.team import ALONE, Team

PLAIN = {"epochs": 1.0, "batch": 4}


def pictures(count: int, height: int, width: int, channels: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, height, width, channels)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def batches(images: Tensor, seed: int = 0, **settings: object) -> Batches:
    """Batches whose labels are the pictures' numbers."""
    generator = torch.Generator().manual_seed(seed)
    return Batches(images, torch.arange(len(images)), Settings(**PLAIN | settings), generator)


def epoch(source: Batches) -> tuple[Tensor, Tensor]:
    items = [source.next() for _ in range(source.steps_per_epoch)]
    return torch.cat([each.pictures for each in items]), torch.cat([each.labels for each in items])


def test_without_augmentation_every_picture_comes_once_as_it_is() -> None:
    images = pictures(12, 5, 6, 3)
    seen, numbers = epoch(batches(images))
    assert sorted(numbers.tolist()) == list(range(12))
    assert numbers.tolist() != list(range(12))
    assert seen.dtype == torch.uint8
    assert torch.equal(seen, images[numbers])


def test_epochs_are_shuffled_anew() -> None:
    source = batches(pictures(12, 2, 2, 1))
    items = [source.next().places for _ in range(6)]
    first, second = (torch.cat(part).tolist() for part in (items[:3], items[3:]))
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_a_batch_that_is_not_full_waits_for_another_epoch() -> None:
    _, numbers = epoch(batches(pictures(11, 2, 2, 1)))
    assert len(numbers) == len(set(numbers.tolist())) == 8


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fewer_pictures_than_a_batch_make_one(count: int) -> None:
    source = batches(pictures(count, 4, 4, 3), flip=True, shift=0.2, colour=0.2)
    assert (source.size, source.steps_per_epoch) == (count, 1)
    assert sorted(epoch(source)[1].tolist()) == list(range(count))


@pytest.mark.parametrize("changes", [{}, {"rotate": 20.0, "zoom": 0.1}])
def test_the_generator_decides_everything(changes: dict[str, float]) -> None:
    wanted = {"flip": True, "shift": 0.2, "colour": 0.3} | changes
    same, again, other = (
        epoch(batches(pictures(8, 9, 7, 3), seed=seed, **wanted))[0] for seed in (1, 1, 2)
    )
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


def crops(image: np.ndarray, down: int, right: int) -> list[np.ndarray]:
    """All crops of a padded picture, by NumPy's own padding."""
    pads = ((down, down), (right, right), (0, 0))
    padded = np.pad(image, pads, mode="constant" if image.shape[2] == 1 else "reflect")
    height, width = image.shape[:2]
    return [
        padded[y : y + height, x : x + width]
        for y in range(2 * down + 1)
        for x in range(2 * right + 1)
    ]


@examples(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    channels=st.sampled_from([1, 3]),
    shift=st.floats(0.05, 0.99),
    seed=st.integers(0, 1000),
)
def test_a_shift_is_a_crop_of_the_padded_picture(
    height: int, width: int, channels: int, shift: float, seed: int
) -> None:
    images = pictures(6, height, width, channels, seed)
    source = batches(images, seed=seed, shift=shift)
    seen, numbers = epoch(source)
    assert seen.dtype == torch.uint8
    for picture, number in zip(seen.numpy(), numbers.tolist(), strict=True):
        possible = crops(images[number].numpy(), *source.reach)
        assert any(np.array_equal(picture, crop) for crop in possible)


def test_shifts_reach_each_side_and_no_farther() -> None:
    image = torch.zeros(1, 20, 20, 1, dtype=torch.uint8)
    image[0, 10, 10] = 255
    seen, _ = epoch(batches(image.expand(2000, -1, -1, -1), shift=0.1))
    places = torch.nonzero(seen[..., 0])[:, 1:] - 10
    assert set(map(tuple, places.tolist())) == {(y, x) for y in range(-2, 3) for x in range(-2, 3)}


@pytest.mark.parametrize("size", [1, 2, 8])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiny_pictures_take_every_augmentation(size: int, channels: int) -> None:
    wanted = {"flip": True, "shift": 0.9, "rotate": 90.0, "zoom": 0.5, "colour": 0.9}
    seen, _ = epoch(batches(pictures(8, size, size, channels), **wanted))
    assert seen.shape == (8, size, size, channels)
    assert torch.isfinite(seen).all() and seen.min() >= 0 and seen.max() <= 255


def test_each_picture_is_mirrored_in_every_second_epoch() -> None:
    images = pictures(32, 3, 4, 3)
    source = batches(images, flip=True)
    mirrored = []
    for _ in range(4):
        sides = torch.zeros(32, dtype=torch.bool)
        for batch in (source.next() for _ in range(source.steps_per_epoch)):
            numbers, seen = batch.labels, batch.pictures
            assert torch.equal(numbers, batch.places)
            flipped = (seen == images[numbers].flip(2)).flatten(1).all(1)
            straight = (seen == images[numbers]).flatten(1).all(1)
            assert (flipped ^ straight).all()
            sides[numbers] = flipped
        mirrored.append(sides)
    assert 4 < mirrored[0].sum() < 28
    assert torch.equal(mirrored[1], ~mirrored[0])
    assert torch.equal(mirrored[2], mirrored[0])
    assert torch.equal(mirrored[3], ~mirrored[0])


class Chosen(Batches):
    """Batches whose random amounts are given: angle, scale, shift across, shift down."""

    amounts: tuple[float, ...] = ()

    def _within(self, limit: float) -> Tensor:
        self.amounts = (*self.amounts[1:], self.amounts[0])
        return torch.full((len(self.labels),), self.amounts[-1])


def turned(images: Tensor, angle: float, zoom: float, across: float, down: float) -> Tensor:
    wanted = Settings(**PLAIN, rotate=90.0, zoom=0.5, shift=0.5)
    source = Chosen(images, torch.arange(len(images)), wanted, torch.Generator())
    source.amounts = angle, zoom, across, down
    return source._turned(images)


def test_no_turn_is_the_identity() -> None:
    images = pictures(3, 7, 10, 3)
    assert torch.allclose(turned(images, 0, 0, 0, 0), images.float(), atol=1e-3)


def test_a_quarter_turn_is_exact() -> None:
    images = pictures(3, 9, 9, 3)
    found = turned(images, math.pi / 2, 0, 0, 0)
    assert torch.allclose(found, torch.rot90(images, 1, (1, 2)).float(), atol=0.05)


@pytest.mark.parametrize("size", [(24, 24), (16, 40), (40, 16)])
@pytest.mark.parametrize("degrees", [-33.0, 12.0])
@pytest.mark.parametrize("scale", [0.8, 1.25])
def test_turns_are_those_of_torchvision(
    size: tuple[int, int], degrees: float, scale: float
) -> None:
    images = pictures(2, *size, 1)
    found = turned(images, math.radians(degrees), 1 / scale - 1, 0, 0)
    expected = published.affine(
        images.permute(0, 3, 1, 2).float(),
        -degrees,
        [0, 0],
        scale,
        [0.0],
        interpolation=published.InterpolationMode.BILINEAR,
    ).permute(0, 2, 3, 1)
    inner = np.s_[:, 2:-2, 2:-2]
    assert torch.allclose(found[inner], expected[inner], atol=0.5)


def test_turns_shift_by_a_share_of_the_side() -> None:
    images = pictures(2, 10, 20, 1)
    found = turned(images, 0, 0, 2 * 0.1, 2 * 0.2)
    assert torch.allclose(found[:, :8, :18], images[:, 2:, 2:].float(), atol=0.01)
    assert (found[:, 8:] == 0).all() and (found[:, :, 18:] == 0).all()


def test_colours_stay_in_range_and_keep_grey_grey() -> None:
    images = pictures(64, 6, 6, 3)
    seen, numbers = epoch(batches(images, colour=0.9))
    assert seen.min() >= 0 and seen.max() <= 255
    assert not torch.allclose(seen, images[numbers].float(), atol=1)
    grey = images[..., :1].expand(-1, -1, -1, 3)
    seen, _ = epoch(batches(grey, colour=0.9))
    assert torch.allclose(seen[..., 0], seen[..., 2], atol=1e-3)


def test_colour_factors_are_as_said() -> None:
    images = torch.full((400, 2, 2, 3), 100, dtype=torch.uint8)
    seen, _ = epoch(batches(images, colour=0.2))
    brightness = seen[:, 0, 0, 0] / 100
    assert 0.8 <= brightness.min() < 0.82 and 1.18 < brightness.max() <= 1.2


def test_pictures_are_read_only_as_batches_ask(tmp_path: object) -> None:
    """A tensor over a read-only map works, and nothing writes to it."""
    path = f"{tmp_path}/pictures.npy"
    np.save(path, pictures(16, 4, 4, 3).numpy())
    mapped = np.load(path, mmap_mode="r")
    images = resident(mapped, torch.device("cpu"))
    seen, numbers = epoch(batches(images, flip=True, shift=0.3, colour=0.1))
    assert len(seen) == 16 and len(set(numbers.tolist())) == 16


def test_a_mixed_batch_is_one_of_its_pictures_and_another() -> None:
    images = pictures(32, 4, 5, 3)
    plain, mixed = batches(images, seed=3), batches(images, seed=3, mixup=0.4)
    shares = []
    for _ in range(40):
        plain.generator.set_state(mixed.generator.get_state())
        plain.order, plain.position, plain.epoch = mixed.order, mixed.position, mixed.epoch
        one, batch = plain.next(), mixed.next()
        assert torch.equal(one.labels, batch.labels)
        partners = images[batch.others].float()
        expected = batch.share * one.pictures.float() + (1 - batch.share) * partners
        torch.testing.assert_close(batch.pictures, expected, rtol=1e-4, atol=1e-3)
        shares.append(batch.share)
    assert 0 <= min(shares) < 0.2 and 0.8 < max(shares) <= 1


def test_shares_are_of_the_beta_distribution() -> None:
    source = batches(pictures(4, 2, 2, 1), mixup=0.3)
    found = torch.tensor([source._beta(0.3) for _ in range(4000)])
    reference = torch.distributions.Beta(0.3, 0.3)
    assert found.mean().item() == pytest.approx(0.5, abs=0.02)
    assert found.var().item() == pytest.approx(reference.variance.item(), abs=0.01)


def test_a_box_of_another_picture_counts_by_its_area() -> None:
    """Pictures are all of one number, their own, so that the box is seen."""
    images = torch.arange(32, dtype=torch.uint8).reshape(32, 1, 1, 1).expand(32, 9, 7, 3)
    source = batches(images.contiguous(), cutmix=1.0)
    areas = []
    for _ in range(30):
        batch = source.next()
        own = batch.pictures == batch.labels.reshape(-1, 1, 1, 1)
        other = batch.pictures == batch.others.reshape(-1, 1, 1, 1)
        assert (own | other).all()
        for place in (batch.labels != batch.others).nonzero().flatten().tolist():
            share = own[place, :, :, 0].float().mean().item()
            assert share == pytest.approx(batch.share)
        areas.append(batch.share)
    assert min(areas) < 0.4 and max(areas) > 0.8


def test_both_ways_of_mixing_take_turns() -> None:
    source = batches(pictures(16, 4, 4, 3), mixup=0.5, cutmix=1.0)
    kinds = {source.next().pictures.dtype for _ in range(30)}
    assert kinds == {torch.uint8, torch.float32}


def test_a_square_is_hidden_in_the_mean_colour() -> None:
    images = pictures(64, 16, 12, 3)
    source = batches(images, cutout=0.5)
    mean = images.reshape(-1, 3).double().mean(0).to(torch.uint8)
    sizes = []
    for _ in range(source.steps_per_epoch):
        batch = source.next()
        changed = (batch.pictures != images[batch.places]).any(3)
        for picture, spots in zip(batch.pictures, changed, strict=True):
            rows, columns = spots.any(1).nonzero().flatten(), spots.any(0).nonzero().flatten()
            box = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert (box == mean).all()
            sizes.append((len(rows), len(columns)))
    assert max(sizes) == (6, 6)
    assert min(sizes)[0] >= 3


def test_a_part_is_cut_out_and_enlarged() -> None:
    """On a slope of brightness the range that is left is the share of the width."""
    line = torch.linspace(0, 252, 64).round().to(torch.uint8)
    images = line.reshape(1, 1, 64, 1).expand(256, 48, 64, 1).contiguous()
    seen, _ = epoch(batches(images, crop=0.25))
    spread = (seen[:, 24, -2] - seen[:, 24, 1])[:, 0] / (252 * 61 / 63)
    least, most = (0.25 * 3 / 4) ** 0.5, 1.0
    assert least - 0.03 < spread.min() < least + 0.12
    assert 0.9 < spread.max() <= most + 0.03
    whole, _ = epoch(batches(images[:8], crop=0.0))
    assert torch.equal(whole, images[:8])


def test_light_moves_along_the_components_of_all_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    grey = torch.randn(4000, 1, generator=generator) * 40 + 128
    tint = torch.randn(4000, 3, generator=generator) * 4
    images = (grey + tint).clamp(0, 255).to(torch.uint8).reshape(250, 4, 4, 3)
    seen, places = epoch(batches(images, lighting=0.1))
    moved = (seen - images[places].float()).reshape(len(places), -1, 3)
    clear = ((seen > 0) & (seen < 255)).reshape(len(places), -1).all(1)
    moves = moved[clear, 0]
    assert (moved[clear] - moves[:, None]).abs().max() < 1e-3
    colours = images.reshape(-1, 3).double().numpy() / 255
    variances = np.linalg.eigvalsh(np.cov(colours.T))
    found = torch.linalg.eigvalsh(torch.cov(moves.T.double() / 255)).sqrt()
    assert found[-1].item() == pytest.approx(0.1 * variances[-1], rel=0.2)


@pytest.mark.parametrize(
    "more",
    [
        {"shift": 0.2, "flip": True},
        {"rotate": 20.0, "zoom": 0.2, "shift": 0.1},
        {"crop": 0.4, "colour": 0.3, "lighting": 0.1},
        {"cutout": 0.4, "mixup": 0.3},
        {"cutmix": 1.0, "shift": 0.2},
    ],
    ids=str,
)
def test_the_shares_of_processes_are_the_batch_of_one(more: dict[str, float]) -> None:
    images, labels = pictures(23, 8, 9, 3), torch.arange(23)
    wanted = Settings(epochs=1.0, batch=7, **more)

    def batches(team: Team) -> Batches:
        return Batches(images, labels, wanted, torch.Generator().manual_seed(3), team)

    whole, *shares = batches(ALONE), *(batches(Team(rank, 3)) for rank in range(3))
    for _ in range(5):
        one, parts = whole.next(), [each.next() for each in shares]
        for name in ("pictures", "labels", "places", "others"):
            joined = torch.cat([getattr(part, name) for part in parts])
            assert torch.equal(joined, getattr(one, name)), name
        assert [part.share for part in parts] == [one.share] * 3
        assert [len(part.labels) for part in parts] == [3, 2, 2]

"""ONNX's operations that move values, in torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from striate.errors import UserError
from striate.onnx_files.given import Given
from striate.onnx_files.known import DTYPES


def reshape(given: Given) -> Tensor:
    """The shape asked for; one that has the file's batch in it is given the batch that runs."""
    image = given.tensor(0)
    target = [int(n) for n in given.known(1)]
    if not given.setting("allowzero", 0):
        target = [image.shape[i] if n == 0 else n for i, n in enumerate(target)]
    return image.reshape(_of_batch(target, image, given.batch))


def _of_batch(target: list[int], image: Tensor, batch: tuple[int, int]) -> list[int]:
    written, runs = batch
    if not written or written == runs or not target:
        return target
    if target[0] == -1 or target[0] % written:
        return target
    fits = math.prod(target) == image.numel()
    if fits or (-1 in target and target[0] == runs != written):  # computed of the batch that runs
        return target
    return [target[0] // written * runs, *target[1:]]


def flatten(given: Given) -> Tensor:
    image, axis = given.tensor(0), given.setting("axis", 1) % (given.tensor(0).dim() + 1)
    if axis == 1:
        return image.flatten(1)
    return image.reshape(math.prod(image.shape[:axis]), -1)


def squeeze(given: Given) -> Tensor:
    axes = given.setting_or_known("axes", 1)
    return given.tensor(0).squeeze() if axes is None else given.tensor(0).squeeze(tuple(axes))


def unsqueeze(given: Given) -> Tensor:
    image, axes = given.tensor(0), given.setting_or_known("axes", 1)
    rank = image.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        image = image.unsqueeze(axis)
    return image


def transpose(given: Given) -> Tensor:
    image = given.tensor(0)
    return image.permute(given.setting("perm", list(range(image.dim()))[::-1]))


def concat(given: Given) -> Tensor:
    """What is the same for all images, such as a class token, is repeated for those that run."""
    parts = [given.tensor(place) for place in range(len(given.values))]
    axis = given.setting("axis") % parts[0].dim()
    written, runs = given.batch
    if axis and written == 1 and any(len(part) == runs for part in parts):
        parts = [part.expand(runs, *part.shape[1:]) if len(part) == 1 else part for part in parts]
    return torch.cat(parts, axis)


def split(given: Given) -> tuple[Tensor, ...]:
    image, axis = given.tensor(0), given.setting("axis", 0)
    sizes = given.setting_or_known("split", 1)
    if sizes is None:
        count = given.setting("num_outputs", len(given.node.outputs))
        sizes = -(-image.shape[axis] // count)
    return tuple(image.split(sizes, axis))


def cut(given: Given) -> Tensor:
    image = given.tensor(0)
    starts, ends = (given.setting_or_known(n, i) for n, i in (("starts", 1), ("ends", 2)))
    axes = given.setting_or_known("axes", 3, list(range(len(starts))))
    steps = given.known(4) if given.has(4) else [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 0:
            raise UserError(
                f"the Slice {given.node.name!r} goes backwards, which torch's slices cannot do"
            )
        size = image.shape[axis]
        begin, stop, _ = slice(start, end).indices(size)
        if (begin, stop, step) != (0, size, 1):
            index = [slice(None)] * image.dim()
            index[axis] = slice(begin, stop, step)
            image = image[tuple(index)]
    return image


def gather(given: Given) -> Tensor:
    image, axis = given.tensor(0), given.setting("axis", 0)
    places = given.values[1]
    if places is None or isinstance(places, Tensor):
        places = given.tensor(1)
        found = image.index_select(axis, places.reshape(-1).long())
        shape = (*image.shape[:axis], *places.shape, *image.shape[axis:][1:])
        return found.view(shape)
    if places.ndim == 0:
        return image.select(axis, int(places))
    found = image.index_select(
        axis, torch.from_numpy(np.array(places.reshape(-1))).to(image.device)
    )
    return found.view(*image.shape[:axis], *places.shape, *image.shape[axis:][1:])


def scatter(given: Given) -> Tensor:
    places = given.tensor(1).long()
    index = tuple(places.movedim(-1, 0))
    return given.tensor(0).clone().index_put_(index, given.tensor(2))


def expand(given: Given) -> Tensor:
    image, target = given.tensor(0), [int(n) for n in given.known(1)]
    rank = max(image.dim(), len(target))
    sizes = [1] * (rank - len(target)) + target
    own = [1] * (rank - image.dim()) + list(image.shape)
    return image.expand([max(have, want) for have, want in zip(own, sizes, strict=True)])


def tile(given: Given) -> Tensor:
    return given.tensor(0).repeat([int(n) for n in given.known(1)])


def pad(given: Given) -> Tensor:
    image, mode = given.tensor(0), given.setting("mode", "constant")
    pads = [int(n) for n in given.setting_or_known("pads", 1)]
    axes = [axis % image.dim() for axis in given.known(3)] if given.has(3) else range(image.dim())
    count = len(pads) // 2
    sides = {axis: (pads[i], pads[count + i]) for i, axis in enumerate(axes)}
    flat = [n for axis in reversed(range(image.dim())) for n in sides.get(axis, (0, 0))]
    while len(flat) > 2 and flat[-2:] == [0, 0]:
        flat = flat[:-2]
    if mode != "constant":
        names = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}
        flat += [0, 0] * (image.dim() - 2 - len(flat) // 2)
        return functional.pad(image, flat, mode=names[mode])
    value: Any = given.known(2)[0] if given.has(2) else given.setting("value", 0.0)
    return functional.pad(image, flat, value=value)


def depth_to_space(given: Given) -> Tensor:
    image, block = given.tensor(0), given.setting("blocksize")
    if given.setting("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(image, block)
    count, channels, height, width = image.shape
    cut = image.view(count, block, block, channels // block**2, height, width)
    moved = cut.permute(0, 3, 4, 1, 5, 2)
    return moved.reshape(count, channels // block**2, height * block, width * block)


def space_to_depth(given: Given) -> Tensor:
    image, block = given.tensor(0), given.setting("blocksize")
    count, channels, height, width = image.shape
    cut = image.view(count, channels, height // block, block, width // block, block)
    moved = cut.permute(0, 3, 5, 1, 2, 4)
    return moved.reshape(count, channels * block**2, height // block, width // block)


def cast(given: Given) -> Tensor:
    names = {16: "bfloat16"}
    number = given.setting("to")
    name = names.get(number) or DTYPES[number].__name__.rstrip("_")
    dtype: torch.dtype = getattr(torch, name)
    return given.tensor(0).to(dtype)


def arg_max(given: Given) -> Tensor:
    keep = bool(given.setting("keepdims", 1))
    return given.tensor(0).argmax(given.setting("axis", 0), keep)


def top_k(given: Given) -> tuple[Tensor, Tensor]:
    largest, ordered = (bool(given.setting(name, 1)) for name in ("largest", "sorted"))
    count = int(given.known(1)[0]) if given.has(1) else given.setting("k")
    found = torch.topk(given.tensor(0), count, given.setting("axis", -1), largest, ordered)
    return found.values, found.indices

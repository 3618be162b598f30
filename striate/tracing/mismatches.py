"""What is said of modules and functions of torch that cannot take what they are given."""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate.layers import Shape, product, show
from striate.tracing.record import Failure, Record, is_leaf, kind_of

_SUMS = ("add", "sub", "mul", "div", "iadd", "radd", "isub", "imul", "add_", "mul_", "maximum")
_CATS = ("cat", "concat", "concatenate")


def mismatch(record: Record) -> str | None:
    """What a pass stopped at, what was expected there, the place and the fix.

    None where it stopped for another reason than volumes that do not fit.
    """
    if record.failed is None:
        return None
    said = _said(record, record.failed)
    if said is None:
        return None
    what, fix = said
    place = f" ({where})" if (where := place_of(record.stopped)) else ""
    return f"{what}{place}. {fix}"


def place_of(error: BaseException | None) -> str:
    """The last line of the user's own code on the way to an error: `models/mine.py:12`."""
    if error is None:
        return ""
    ours, torchs = Path(__file__).parents[1], Path(torch.__file__).parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not {ours, torchs} & set(Path(frame.filename).parents)
    ]
    if not frames:
        return ""
    path = Path(frames[-1].filename)
    if path.is_relative_to(here := Path.cwd()):
        path = path.relative_to(here)
    return f"{path}:{frames[-1].lineno}"


def _said(record: Record, failed: Failure) -> tuple[str, str] | None:
    name = failed.name.strip("_") if failed.name.startswith("__") else failed.name
    given = _tensors(failed.arguments)
    if name == "linear":
        return _linear(record, failed)
    if name.startswith("conv") and len(given) > 1:
        return _convolution(record, failed, given[0], given[1])
    if name == "batch_norm":
        return _batch_norm(record, failed)
    if name == "layer_norm":
        return _layer_norm(record, failed)
    if name in _CATS:
        return _cat(record, failed)
    if name in _SUMS and len(given) == 2:
        return _sum(record, given[0], given[1], name)
    if "pool" in name and given and "too small" in str(record.stopped):
        return _pool(record, given[0])
    return None


def _linear(record: Record, failed: Failure) -> tuple[str, str] | None:
    given, weight = failed.argument(0, "input"), failed.argument(1, "weight")
    out, expected = weight.shape
    got = given.shape[-1]
    if got == expected:
        return None
    volume = _flattened(record, given)
    factors = f" = {show(volume)}" if volume else ""
    what = f"{_who(record)} expects {expected} features and gets {got}{factors}"
    if given.dim() == 4 and expected == product(tuple(given.shape[1:])):
        what = f"{_who(record)} expects {expected} features and gets a volume of {_one(given)}"
        return what, "Flatten it before: torch.flatten(x, 1)"
    if given.dim() == 4 and expected == given.shape[1]:
        what = f"{_who(record)} expects {expected} features and gets a volume of {_one(given)}"
        return what, "Pool it to 1×1 and flatten it before: x.mean((2, 3))"
    fix = f"Write nn.Linear({got}, {out})"
    side = math.isqrt(expected // volume[0]) if volume and expected % volume[0] == 0 else 0
    if volume and side and side * side * volume[0] == expected:
        fix += f", or pool to {side}×{side} before it: nn.AdaptiveAvgPool2d({side})"
    return what, fix


def _convolution(
    record: Record, failed: Failure, given: Tensor, weight: Tensor
) -> tuple[str, str] | None:
    transposed = "transpose" in failed.name
    groups = failed.argument(7 if transposed else 6, "groups", 1)
    if groups == 1 and not transposed and isinstance(module := record.stopped_module, _CONVOLUTION):
        groups = module.groups
    expected = weight.shape[0] if transposed else weight.shape[1] * groups
    axes = weight.dim() - 2
    if given.dim() not in (axes + 1, axes + 2):
        kinds = {1: "sequences N×C×L", 2: "images N×C×H×W", 3: "videos N×C×T×H×W"}
        what = f"{_who(record)} takes {kinds[axes]} and gets {_whole(given)}"
        return what, f"Give it {axes + 2} axes"
    got = given.shape[-axes - 1]
    if got != expected:
        what = f"{_who(record)} expects {_channels(expected)} and gets {got}, in {_one(given)}"
        if given.shape[-1] == expected:
            return what, "The channels stand last: x.permute(0, 3, 1, 2) brings them first"
        if given is record.image:
            return what, f"Write in_channels={got}, or give images of {_channels(expected)}"
        return what, f"Write in_channels={got}, or give what comes before it {_channels(expected)}"
    kernel = tuple(weight.shape[2:])
    if "Kernel size can't be greater" in str(record.stopped):
        what = f"{_who(record)} has filters of {show(kernel)} and gets {_one(given)}"
        return what, "Take larger images, a smaller kernel_size, or more padding"
    return None


def _batch_norm(record: Record, failed: Failure) -> tuple[str, str] | None:
    given = failed.argument(0, "input")
    own = [failed.argument(at, name) for at, name in ((1, "running_mean"), (3, "weight"))]
    sizes = [each.numel() for each in own if each is not None]
    if not sizes or given.dim() < 2 or sizes[0] == given.shape[1]:
        return None
    what = f"{_who(record)} expects {sizes[0]} channels and gets {given.shape[1]}"
    kind = type(record.stopped_module).__name__
    kind = kind if kind.startswith("BatchNorm") else "BatchNorm2d"
    return f"{what}, in {_one(given)}", f"Write nn.{kind}({given.shape[1]})"


def _layer_norm(record: Record, failed: Failure) -> tuple[str, str] | None:
    given, expected = failed.argument(0, "input"), tuple(failed.argument(1, "normalized_shape"))
    got = tuple(given.shape[-len(expected) :])
    if got == expected:
        return None
    what = f"{_who(record)} expects {show(expected)} last and gets {_one(given)}"
    if len(expected) == 1 and given.dim() == 4 and given.shape[1] == expected[0]:
        return what, f"nn.GroupNorm(1, {expected[0]}) takes channels first, or permute before it"
    return what, f"Write nn.LayerNorm({got[0] if len(got) == 1 else list(got)})"


def _pool(record: Record, given: Tensor) -> tuple[str, str]:
    what = f"{_who(record)} has a window larger than what it gets, {_one(given)}"
    return what, "Take larger images, a smaller window, or fewer strides before it"


def _sum(record: Record, one: Tensor, two: Tensor, name: str) -> tuple[str, str]:
    word = "product" if "mul" in name else "quotient" if "div" in name else "sum"
    first, second = _maker(record, one), _maker(record, two)
    at = _at(record)
    what = f"the {word} in {at} meets unlike shapes: {_one(one)} of {first} and "
    what += f"{_one(two)} of {second}"
    if one.dim() != 4 or two.dim() != 4:
        return what, "Bring both to one shape"
    return what, _projection(one, two) or "Bring both to one size: by padding, or by cropping"


def _projection(one: Tensor, two: Tensor) -> str:
    """The 1×1 convolution that brings the larger of two volumes to the size of the other."""
    large, small = sorted((one, two), key=lambda each: -each.shape[-1])
    if large.shape[2:] == small.shape[2:] and large.shape[1] != small.shape[1]:
        fewer, more = sorted((large.shape[1], small.shape[1]))
        return f"Bring both to one number of channels: nn.Conv2d({fewer}, {more}, 1) on the lesser"
    stride = -(-large.shape[-1] // small.shape[-1])
    strided = {-(-n // stride) == m for n, m in zip(large.shape[2:], small.shape[2:], strict=True)}
    if stride < 2 or strided != {True}:
        return ""
    settings = f"{large.shape[1]}, {small.shape[1]}, 1, stride={stride}"
    return f"A convolution on the larger brings it to the other: nn.Conv2d({settings})"


def _cat(record: Record, failed: Failure) -> tuple[str, str] | None:
    parts, axis = failed.argument(0, "tensors"), failed.argument(1, "dim", 0)
    if not isinstance(parts, Sequence) or len({each.dim() for each in parts}) != 1:
        return None
    axis %= parts[0].dim()
    rest = [[n for at, n in enumerate(each.shape) if at != axis] for each in parts]
    other = next((at for at, each in enumerate(rest) if each != rest[0]), None)
    if other is None:
        return None
    one, two = parts[0], parts[other]
    what = (
        f"{failed.name} in {_at(record)} along axis {axis} meets unlike sizes: {_one(one)} of "
        f"{_maker(record, one)} and {_one(two)} of {_maker(record, two)}"
    )
    return what, "Bring all to one size in the other axes: by padding, or by cropping"


def _who(record: Record) -> str:
    """`fc (nn.Linear(in_features=512, …))`, or the function in the module that calls it."""
    module, failed = record.stopped_module, record.failed
    assert failed is not None
    theirs = type(module).__module__.startswith("torch.nn")
    if module is None or not is_leaf(module) or not (record.stopped_at or theirs):
        return f"{failed.name} in {_at(record)}"
    settings = module.extra_repr()
    shown = f"{'nn.' if theirs else ''}{kind_of(module)}{settings and f'({settings})'}"
    return f"{record.stopped_at} ({shown})" if record.stopped_at else shown


def _channels(count: int) -> str:
    return f"{count} channel{'' if count == 1 else 's'}"


def _at(record: Record) -> str:
    return record.stopped_at or f"the forward of {type(record.network).__name__}"


def _maker(record: Record, tensor: Tensor) -> str:
    """What gave a tensor: the outermost module, or the operation."""
    if tensor is record.image:
        return "the image"
    for call in reversed(record.calls):
        if call.result is tensor:
            return call.path
    for operation in reversed(record.operations):
        if any(each is tensor for each in _tensors((operation.result,))):
            return operation.name.strip("_")
    return "a parameter" if isinstance(tensor, nn.Parameter) else "another tensor"


def _flattened(record: Record, tensor: Tensor) -> Shape | None:
    """The volume C×H×W that a vector was before it was flattened."""
    for operation in reversed(record.operations):
        if operation.result is tensor:
            before = operation.arguments[0] if operation.arguments else None
            if not isinstance(before, Tensor) or before.numel() != tensor.numel():
                return None
            if before.dim() == 4 and tensor.dim() == 2:
                return tuple(before.shape[1:])
            tensor = before
    return None


def _tensors(values: Sequence[Any] | Mapping[str, Any]) -> list[Tensor]:
    return [each for each in values if isinstance(each, Tensor)]


def _one(tensor: Tensor) -> str:
    return show(tuple(tensor.shape[1:])) if tensor.dim() > 1 else _whole(tensor)


def _whole(tensor: Tensor) -> str:
    return show(tuple(tensor.shape)) if tensor.dim() else "a number"


_CONVOLUTION = nn.modules.conv._ConvNd

"""Forward passes without memory or with it, and the hooks that write down what they do."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from striate.errors import UserError
from striate.layers import Shape
from striate.modules.network import Network
from striate.modules.saved import Kept
from striate.sizing.memory import StepSettings
from striate.tracing.copying import settled, without_memory
from striate.tracing.inputs import Inputs, arguments
from striate.tracing.quick import quickly
from striate.tracing.record import (
    Call,
    Failure,
    Function,
    Operation,
    Record,
    is_leaf,
    kind_of,
    tensors,
)

PLAIN = StepSettings()


def record(model: nn.Module, image: Inputs, batch: int, settings: StepSettings = PLAIN) -> Record:
    """Run a copy of a network, without memory, on a batch of images of that shape, or of inputs.

    Of `settings` the precision and the order in memory count.

    Where a network runs only outside of training (a detector that wants to be given targets), it
    is run so; the record that got further is the one given.
    """
    model = settled(model, lambda other: _met(other, image, batch))
    first = _record(model, image, batch, settings, training=True)
    if first.stopped is None:
        return first
    second = _record(model, image, batch, settings, training=False)
    further = second.stopped is None or len(second.operations) > len(first.operations)
    return second if further else first


def pass_of(model: nn.Module, image: Inputs, batch: int, *, training: bool) -> Record:
    """One pass in that mode, in which no gradients are prepared; else as `record`."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            return _record(model, image, batch, PLAIN, training=training, taps=False)
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def really(model: nn.Module, image: Inputs, batch: int) -> Record:
    """Run a copy of a network in evaluation on random inputs, always the same, on the CPU."""
    try:
        network = copy.deepcopy(model).cpu().eval()
    except (TypeError, RuntimeError, ValueError, AttributeError) as error:
        raise UserError(f"{type(model).__name__} cannot be copied to be run: {error}") from error
    with torch.random.fork_rng(devices=()), torch.no_grad():
        torch.manual_seed(0)
        given, named = arguments(image, batch)
        found = _follow(network, given, named, [], Kept(()), training=False)
    found.ran = True
    return found


def _met(network: nn.Module, image: Inputs, batch: int) -> None:
    with torch.device("meta"):
        given, named = arguments(image, batch)
    network(*given, **named)


def evaluated(model: nn.Module, image: Inputs, batch: int) -> set[str]:
    """The paths of the modules that run in evaluation: those of auxiliary outputs do not."""
    found = _record(model, image, batch, PLAIN, training=False, taps=False)
    return {call.path for call in found.calls}


def _record(
    model: nn.Module,
    image: Inputs,
    batch: int,
    settings: StepSettings,
    *,
    training: bool,
    taps: bool = True,
) -> Record:
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    network = without_memory(model, fake, channels_last=settings.channels_last).train(training)
    with fake:
        given, named = arguments(image, batch)
        if isinstance(image, tuple):
            given = (pictures(batch, image, settings),)
    kept = Kept((*network.parameters(), *network.buffers()))
    modes = [fake, autocast(settings)]
    return _follow(network, given, named, modes, kept, training=training, taps=taps)


def _follow(
    network: nn.Module,
    given: tuple[Any, ...],
    named: dict[str, Any],
    modes: Sequence[AbstractContextManager[Any]],
    kept: Kept,
    *,
    training: bool,
    taps: bool = True,
) -> Record:
    """Run a network of one's own and write down what it does."""
    inputs = tuple(tensors((given, named)))
    found = Record(network, inputs[0], inputs, training=training)
    calls = [Call("", type(network).__name__, leaf=is_leaf(network))]
    operations = _Operations(found.operations, calls)
    functions = _Functions(found, kept, calls)
    _watch(network, calls, found)
    run = network.outputs if taps and isinstance(network, Network) else network
    with ExitStack() as stack, quiet():
        for mode in (*modes[:1], operations, functions, kept.hooks(functions.keep), *modes[1:]):
            stack.enter_context(mode)
        try:
            found.result = run(*given, **named)
        except Exception as error:
            found.stopped, found.stopped_at = error, calls[-1].path
            found.failed = functions.failed if functions.error is error else None
    calls[0].result, calls[0].inputs, calls[0].end = found.result, inputs, len(found.operations)
    found.calls.append(calls[0])
    return found


def pictures(batch: int, image: Shape, settings: StepSettings) -> Tensor:
    """A batch of images N×C×H×W without values."""
    images = torch.empty((batch, *image))
    if settings.channels_last and len(image) == 3:
        return images.contiguous(memory_format=torch.channels_last)
    return images


def autocast(settings: StepSettings) -> AbstractContextManager[Any]:
    """What a forward pass runs in."""
    if settings.precision == "float32":
        return nullcontext()
    return torch.autocast("cpu", torch.bfloat16)


@contextmanager
def quiet() -> Iterator[None]:
    """Torch writes a failure to the log as well as raising it; here it is told once."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _watch(network: nn.Module, calls: list[Call], record: Record) -> None:
    """Let every module below the root say when it starts and ends.

    What computes a parametrised weight is a part of the module that has the weight.
    """
    for path, module in network.named_modules():
        if not path or "parametrizations" in path.split("."):
            continue
        call = partial(Call, path, kind_of(module), is_leaf(module))
        module.register_forward_pre_hook(
            _starter(calls, record, call), prepend=True, with_kwargs=True
        )
        module.register_forward_hook(_ender(calls, record))


def _starter(calls: list[Call], record: Record, made: Callable[..., Call]) -> Callable[..., None]:
    def start(module: nn.Module, inputs: object, keywords: object) -> None:
        call = made(inputs=(inputs, keywords))
        call.start = len(record.operations)
        calls.append(call)

    return start


def _ender(calls: list[Call], record: Record) -> Callable[..., None]:
    def end(module: nn.Module, inputs: object, result: object) -> None:
        call = calls.pop()
        call.result, call.end = result, len(record.operations)
        record.calls.append(call)

    return end


class _Operations(TorchDispatchMode):
    """Writes down every operation with the module that is at work."""

    def __init__(self, operations: list[Operation], calls: Sequence[Call]) -> None:
        super().__init__()
        self.operations = operations
        self.calls = calls

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = quickly(func, args, kwargs or {})
        if result is None:
            result = func(*args, **(kwargs or {}))
        if tensors(result):
            read = tensors((args, kwargs))
            learns = frozenset(id(each) for each in read if each.requires_grad)
            self.operations.append(
                Operation(func, args, kwargs or {}, result, self.calls[-1], learns)
            )
        return result


class _Functions(TorchFunctionMode):
    """Gives what a call of torch keeps for the backward pass to the last operation of that call.

    Torch keeps what an operation reads before the operation and what it writes after it. Calls
    that come to operations are written down, those inside of others left out.
    """

    def __init__(self, record: Record, kept: Kept, calls: Sequence[Call]) -> None:
        super().__init__()
        self.record = record
        self.kept = kept
        self.calls = calls
        self.waiting = 0
        self.inside = False
        self.failed: Failure | None = None
        self.error: Exception | None = None

    def keep(self, count: int) -> None:
        self.waiting += count
        if not self.inside:
            self._give()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self.inside = True
        start = len(self.record.operations)
        called = self._batch_norm if func is nn.functional.batch_norm else func
        try:
            result = called(*args, **(kwargs or {}))
        except Exception as error:
            self.failed = Failure(getattr(func, "__name__", ""), args, kwargs or {})
            self.error = error
            raise
        finally:
            self.inside = False
            self._give()
        if (end := len(self.record.operations)) > start:
            name, home = getattr(func, "__name__", ""), getattr(func, "__module__", None) or ""
            self.record.functions.append(
                Function(name, home, args, kwargs or {}, result, self.calls[-1], start, end)
            )
        return result

    def _give(self) -> None:
        if self.waiting and self.record.operations:
            self.record.operations[-1].saved_bytes += self.waiting
            self.waiting = 0

    def _batch_norm(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """The same without torch's refusal of one value for a channel, which is noted instead."""
        if training and input.numel() == input.size(1):
            self.record.normalises_one_value = True
            running_mean = running_var = None  # their update divides by the values less one
        return torch.batch_norm(
            input, weight, bias, running_mean, running_var, training, momentum, eps, True
        )

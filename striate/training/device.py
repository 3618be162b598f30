"""Where a training computes, in which precision, and how memory is kept for it."""

from __future__ import annotations

import ctypes
import os
import platform
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from striate.data.pictures import Pixels
from striate.errors import UserError
from striate.modules import Replay
from striate.modules.products import Convolution

SHARE_FOR_PICTURES = 0.5
"""The share of a GPU's free memory that a training set may take; a larger one stays outside."""


@dataclass(frozen=True)
class Machine:
    """The device and the precision of the arithmetic."""

    device: torch.device
    dtype: torch.dtype

    def describe(self) -> dict[str, str | int]:
        """What a run records about where it was trained."""
        cuda = self.device.type == "cuda"
        return {
            "device": torch.cuda.get_device_name(self.device) if cuda else "cpu",
            "precision": str(self.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "python": platform.python_version(),
            "torch": str(torch.__version__),
        }


def choose_machine(device: str, precision: str) -> Machine:
    """The machine for the settings' words; `auto` takes a GPU and bfloat16 where they are fast.

    Raises UserError when a GPU is asked for and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise UserError("device: found 'cuda', but torch sees no GPU here. Use --device cpu")
    chosen = torch.device("cuda" if device == "cuda" or (device == "auto" and has_cuda) else "cpu")
    if precision == "auto":
        precision = "bfloat16" if _bfloat16_is_fast(chosen) else "float32"
    return Machine(chosen, torch.bfloat16 if precision == "bfloat16" else torch.float32)


def _bfloat16_is_fast(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_MADV_HUGEPAGE = 14
_LARGE_PAGE = 2**21
_AHEAD = 2**30
"""Of the heap, in large pages; more than the trim threshold would be given back."""


def keep_large_blocks() -> None:
    """Tell glibc to keep freed memory, so that each step reuses the pages of the last.

    Without it every large tensor is mapped afresh and zeroed by the kernel, at each step. Does
    nothing with another C library, or when the environment has STRIATE_KEEP_MEMORY=0.
    """
    if os.environ.get("STRIATE_KEEP_MEMORY") == "0" or platform.libc_ver()[0] != "glibc":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_M_TOP_PAD, 256 * 2**20)
    _ask_for_large_pages()


def give_back(device: torch.device) -> None:
    """Give freed memory back, also what is kept for the next step: on a GPU, or all of glibc's."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _ask_for_large_pages() -> None:
    """Have the kernel map the next part of the heap in pages of 2 MB, where it does that at all.

    Going through memory looks up fewer pages then. The part is only set aside here: it is mapped as
    it is used. Where the system has the pages for those that ask (`madvise`), this asks.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "madvise"):
        return
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    block = library.malloc(_AHEAD)
    if block:
        first = -(-block // _LARGE_PAGE) * _LARGE_PAGE
        library.madvise(
            first, (block + _AHEAD - first) // _LARGE_PAGE * _LARGE_PAGE, _MADV_HUGEPAGE
        )
        library.free(block)


def resident(images: Pixels, device: torch.device) -> Tensor:
    """The pictures as a tensor: on the device when they leave it room, else where they lie.

    A map of a file stays one on the CPU, and its pages are read as batches ask for them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writ")
        tensor = torch.from_numpy(images)
    if device.type != "cuda":
        return tensor
    free, _ = torch.cuda.mem_get_info(device)
    return tensor.to(device) if tensor.nbytes < free * SHARE_FOR_PICTURES else tensor


def lower_precision(network: nn.Module, dtype: torch.dtype) -> None:
    """Turn matrices and filters to `dtype`; biases go with them, normalisation stays float32.

    A replayed network keeps its weights as they are, and computes its products in `dtype`.
    """
    if isinstance(network, Replay):
        network.precision = None if dtype == torch.float32 else dtype
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            module.to(dtype)
        if type(module) is nn.Conv2d and dtype == torch.bfloat16:
            module.__class__ = Convolution

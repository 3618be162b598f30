"""MACs forwards and backwards against the operations that a training step of torch runs.

    python benchmarks/macs.py [NETWORK ...]

Each network runs one step on torch's meta device, where shapes are computed and values are not,
and every convolution and product of matrices of the forward and the backward pass is counted as
it is called. Prints a line for each network, with what torch's FlopCounterMode makes of the
backward pass, and in how many the ledger says the same.
"""

from __future__ import annotations

import argparse
import platform
import warnings
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import striate
from striate.sizing.table import big

TORCHVISION = (
    *("resnet50", "resnext50_32x4d", "densenet121", "shufflenet_v2_x1_0", "mnasnet1_0"),
    *("googlenet", "squeezenet1_1", "mobilenet_v3_small", "efficientnet_v2_s", "convnext_tiny"),
    *("swin_t", "swin_v2_t", "vit_b_32", "maxvit_t", "fcn_resnet50", "lraspp_mobilenet_v3_large"),
)
TIMM = (
    *("resnet18", "resnest14d", "res2net50_14w_8s", "hrnet_w18_small", "dpn68", "gernet_s"),
    *("efficientnet_b0", "convnext_atto", "repvit_m0_9", "fastvit_t8", "inception_next_tiny"),
    *("starnet_s1", "mambaout_femto", "hgnetv2_b0", "vovnet39a", "selecsls42", "gcresnet33ts"),
    *("halonet26t", "botnet26t_256", "lambda_resnet26t", "vit_tiny_patch16_224", "levit_128s"),
    *("swin_tiny_patch4_window7_224", "maxvit_tiny_rw_224", "xcit_nano_12_p16_224"),
    *("cait_xxs24_224", "pvt_v2_b0", "twins_pcpvt_small", "mobilevit_xxs", "coat_lite_tiny"),
    *("tnt_s_legacy_patch16_224", "crossvit_tiny_240", "gmlp_ti16_224", "resmlp_12_224"),
    *("volo_d1_224", "visformer_tiny", "beit_base_patch16_224", "focalnet_tiny_srf"),
    *("davit_tiny", "efficientformer_l1", "efficientvit_b0", "edgenext_xx_small"),
    *("gcvit_xxtiny", "mvitv2_tiny", "nest_tiny", "sequencer2d_s", "tiny_vit_5m_224"),
)
_ATEN = torch.ops.aten


class Counting(TorchDispatchMode):
    """Counts products as torch calls for them."""

    macs = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        called = func._overloadpacket
        if called is _ATEN.convolution:
            self.macs += _swept(args[0] if args[6] else result, args[1])
        elif called is _ATEN.convolution_backward:
            gradient, image, weight = args[:3]
            wanted = sum(map(bool, args[10][:2]))
            self.macs += wanted * _swept(image if args[7] else gradient, weight)
        elif called in (_ATEN.mm, _ATEN.bmm):
            self.macs += args[0].numel() * args[1].shape[-1]
        elif called in (_ATEN.addmm, _ATEN.baddbmm):
            self.macs += args[1].numel() * args[2].shape[-1]
        return result


def _swept(volume: Tensor, weight: Tensor) -> int:
    """All weights at every position of a volume."""
    return volume.shape[0] * prod(volume.shape[2:]) * weight.numel()


def step(model: nn.Module, shape: tuple[int, ...], batch: int) -> tuple[int, int, float]:
    """Products of the forward and of the backward pass, and the latter by FlopCounterMode."""
    images = torch.empty(batch, *shape, device="meta")
    theirs = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), theirs, Counting() as counting:
        found = [each for each in tree_leaves(model.train()(images)) if isinstance(each, Tensor)]
        forward, flops = counting.macs, theirs.get_total_flops()
        torch.stack([each.sum() for each in found if each.requires_grad]).sum().backward()
    return forward, counting.macs - forward, (theirs.get_total_flops() - flops) / 2


def network(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A network without memory, and the shape of its image."""
    library, _, word = name.partition(":")
    with torch.device("meta"):
        if library == "torchvision":
            from torchvision.models import get_model, list_models, segmentation

            backbone = {"weights_backbone": None} if word in list_models(segmentation) else {}
            return get_model(word, weights=None, **backbone), (3, 224, 224)
        import timm

        model = timm.create_model(word)
        settings: Any = model.pretrained_cfg
        return model, tuple(settings["input_size"])


def main() -> None:
    """A line for each network, and how many agree."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    usual = [*(f"torchvision:{n}" for n in TORCHVISION), *(f"timm:{n}" for n in TIMM)]
    parser.add_argument("networks", nargs="*", default=usual)
    names = parser.parse_args().networks
    warnings.filterwarnings("ignore")
    print(f"torch {torch.__version__}, Python {platform.python_version()}")
    agreed = 0
    for name in names:
        model, shape = network(name)
        totals = striate.size(model, input=shape, batch=2).totals
        found = totals.macs, totals.backward_macs
        *expected, theirs = step(model, shape, 2)
        agreed += list(found) == expected
        told = "the same" if list(found) == expected else f"{found} ≠ {expected}"
        print(
            f"{name:42}{big(found[0]):>8} forwards, {big(found[1]):>8} backwards: {told}; "
            f"FlopCounterMode ×{theirs / found[1]:.3g} backwards"
        )
    print(f"{agreed} of {len(names)} the same")


if __name__ == "__main__":
    main()

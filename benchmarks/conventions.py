"""Whether `striate size --convention` says what torchinfo, fvcore, ptflops and thop print.

    pip install torchinfo==1.8.0 fvcore==0.1.5.post20221221 ptflops==0.7.5 thop
    python benchmarks/conventions.py [NETWORK ...]

Runs all four tools on each network, one image in evaluation mode, and prints a table in Markdown:
what each tool prints. A number in bold is not what its own convention comes to, by Striate, which
says why in notes; one marked with ≠ is not what Striate says that the tool prints. A dash stands
for a tool that fails.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib.metadata
import io
import logging
import warnings
from typing import Any

import torch
from torch import nn

import striate
from striate.modules import build
from striate.sizing.table import big

TOOLS = ("torchinfo", "fvcore", "ptflops", "thop")
ZOO = ("lenet5", "alexnet_2012", "mobilenet_v2", "unet", "autoencoder", "fcn8s", "se_resnet50")
TORCHVISION = (
    *("alexnet", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d", "densenet121"),
    *("squeezenet1_1", "mnasnet1_0", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x1_0"),
    *("efficientnet_b0", "efficientnet_v2_s", "regnet_y_400mf", "convnext_tiny", "swin_t"),
    *("swin_v2_t", "vit_b_32", "maxvit_t", "inception_v3", "googlenet"),
)
TIMM = (
    *("resnet18", "resnetv2_50", "seresnet50", "skresnet18", "nf_resnet50", "dla34", "repvgg_a0"),
    *("efficientnet_b0", "mobilenetv3_small_100", "mobilenetv4_conv_small", "fbnetc_100"),
    *("ghostnet_100", "regnety_004", "rexnet_100", "convnext_atto", "convnextv2_atto"),
    *("vit_tiny_patch16_224", "mixer_s32_224", "levit_128s", "swin_tiny_patch4_window7_224"),
    *("poolformer_s12", "mobilevit_xxs", "edgenext_xx_small", "coat_lite_tiny", "fastvit_t8"),
)


def network(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A network of the zoo, of torchvision or of timm, without trained weights, and its image."""
    library, _, word = name.rpartition(":")
    if library == "torchvision":
        from torchvision.models import get_model

        return get_model(word, weights=None), (3, 299, 299) if "inception" in word else (
            3,
            224,
            224,
        )
    if library == "timm":
        import timm

        model = timm.create_model(word)
        settings: Any = model.pretrained_cfg
        return model, tuple(settings["input_size"])
    module = build(name, seed=0)
    return module, module.graph.input


def printed(tool: str, model: nn.Module, shape: tuple[int, ...]) -> int:
    """The number that a tool gives for one image."""
    image = torch.randn(1, *shape)
    if tool == "torchinfo":
        import torchinfo

        return int(torchinfo.summary(model, (1, *shape), verbose=0).total_mult_adds)
    if tool == "fvcore":
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(model, image)
        return int(analysis.unsupported_ops_warnings(False).tracer_warnings("none").total())
    if tool == "ptflops":
        from ptflops import get_model_complexity_info

        return int(
            get_model_complexity_info(
                model, shape, as_strings=False, print_per_layer_stat=False, verbose=False
            )[0]
        )
    import thop

    return int(thop.profile(model, (image,), verbose=False)[0])


def row(name: str, agreed: dict[str, int], failed: dict[str, int]) -> str:
    """A line of the table; counts in how many cells a tool and Striate agree."""
    model, shape = network(name)
    model.eval()
    macs = 0
    cells = []
    for tool in TOOLS:
        ledger = striate.size(model, input=shape, convention=tool)
        macs, tally = ledger.totals.macs, ledger.tally
        assert tally is not None
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                found = printed(tool, copy.deepcopy(model), shape)
        except Exception:  # whatever a tool raises on a network that it cannot take
            failed[tool] += 1
            cells.append("–")
            continue
        agreed[tool] += found == tally.printed
        shown = big(found) if tally.printed == tally.counted else f"**{big(found)}**"
        cells.append(shown if found == tally.printed else f"{big(found)} ≠ {big(tally.printed)}")
    return f"| {name} | {big(macs)} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table, line by line, and in how many cells both say the same."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    usual = [*ZOO, *(f"torchvision:{n}" for n in TORCHVISION), *(f"timm:{n}" for n in TIMM)]
    parser.add_argument("networks", nargs="*", default=usual)
    names = parser.parse_args().networks
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    versions = [f"{each} {importlib.metadata.version(each)}" for each in ("torch", *TOOLS)]
    print(", ".join(versions))
    print(f"\n| network | MACs | {' | '.join(TOOLS)} |\n|:--{'|--:' * (1 + len(TOOLS))}|")
    agreed, failed = dict.fromkeys(TOOLS, 0), dict.fromkeys(TOOLS, 0)
    for name in names:
        print(row(name, agreed, failed), flush=True)
    print()
    for tool in TOOLS:
        ran = len(names) - failed[tool]
        print(f"{tool}: {agreed[tool]} of {ran} as Striate says, {failed[tool]} not taken")


if __name__ == "__main__":
    main()

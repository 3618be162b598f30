"""What was published about the networks of the zoo: figures, and where they stand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Quantity = Literal["parameters", "macs", "receptive field"]

_UNITS = {"": 0, "k": 3, "M": 6, "G": 9}
_FIGURE = re.compile(r"(<)? ?([0-9][0-9,]*(?:\.([0-9]+))?) ?([kMG]?)")

SOURCES = {
    "torchvision": "torchvision 0.29, the documentation of its weights (`num_params`, `GFLOPS`)",
    "Araujo 2019": (
        "Araujo, Norris & Sim, “Computing Receptive Fields of Convolutional Neural Networks”, "
        "Distill 2019, of the TF-Slim definitions"
    ),
    "LeCun 1998": "LeCun et al., “Gradient-Based Learning Applied to Document Recognition”, 1998",
    "Krizhevsky 2012": "Krizhevsky, Sutskever & Hinton, NeurIPS 2012, abstract",
    "Simonyan 2014": "Simonyan & Zisserman, arXiv 1409.1556, table 2",
    "Szegedy 2014": "Szegedy et al., arXiv 1409.4842, sections 1 and 3",
    "Szegedy 2015": "Szegedy et al., arXiv 1512.00567, abstract",
    "Springenberg 2014": "Springenberg et al., arXiv 1412.6806, table 3",
    "Long 2014": "Long, Shelhamer & Darrell, arXiv 1411.4038, table 1, of the layers up to fc7",
    "He 2015": "He et al., arXiv 1512.03385, tables 1 and 6, section 3.3",
    "He 2018": "He et al., arXiv 1812.01187, table 5",
    "Howard 2017": "Howard et al., arXiv 1704.04861, tables 4, 6 and 7",
    "Sandler 2018": "Sandler et al., arXiv 1801.04381, table 4",
    "Hu 2017": "Hu, Shen & Sun, arXiv 1709.01507, table 2",
    "Zhang 2017": "Zhang et al., arXiv 1707.01083, table 1",
}
"""Publications by a short name, in the order of the page."""


@dataclass(frozen=True)
class Figure:
    """One published figure. `said` is as published, its last digit telling how exact it is.

    `layer` names the layer that a receptive field is that of; empty is the last volume. `why` says
    what sets the figure apart from what is counted here, if anything does.
    """

    network: str
    quantity: Quantity
    said: str
    source: str
    why: str = ""
    layer: str = ""

    def agrees(self, counted: int) -> bool:
        """Whether a count is the published figure, rounded to its last digit or cut off there."""
        found = _FIGURE.fullmatch(self.said)
        assert found is not None, self.said
        below, number, decimals, unit = found.groups()
        value = Decimal(number.replace(",", "")).scaleb(_UNITS[unit])
        if below:
            return counted < value
        last = Decimal(1).scaleb(_UNITS[unit] - len(decimals or ""))
        return -last / 2 <= counted - value < last


_TORCHVISION = {
    "alexnet": ("61,100,840", "0.714 G"),
    "googlenet": ("6,624,904", "1.498 G"),
    "mobilenet_v2": ("3,504,872", "0.301 G"),
    "resnet18": ("11,689,512", "1.814 G"),
    "resnet34": ("21,797,672", "3.664 G"),
    "resnet50": ("25,557,032", "4.089 G"),
    "resnet101": ("44,549,160", "7.801 G"),
    "resnet152": ("60,192,808", "11.514 G"),
    "vgg11": ("132,863,336", "7.609 G"),
    "vgg11_bn": ("132,868,840", "7.609 G"),
    "vgg13": ("133,047,848", "11.308 G"),
    "vgg13_bn": ("133,053,736", "11.308 G"),
    "vgg16": ("138,357,544", "15.47 G"),
    "vgg16_bn": ("138,365,992", "15.47 G"),
    "vgg19": ("143,667,240", "19.632 G"),
    "vgg19_bn": ("143,678,248", "19.632 G"),
}
_SLIM = (
    "the authors' list of released models (TF-Slim) says {}, which is the count here without the "
    "scales and shifts of batch normalisation"
)
_STRIDES = (
    "TF-Slim's ResNet has its stride in the last block of a stage, this one in the first and there "
    "in the 3×3; `{}_a`, with the stride in the first 1×1, sees what is published"
)

FIGURES: tuple[Figure, ...] = (
    Figure(
        "lenet5",
        "parameters",
        "60,000",
        "LeCun 1998",
        "the paper connects each map of C3 to some of S2 (all: 900 more), learns coefficients of "
        "its pools (44, not here) and has fixed codes in place of the last layer (850 here)",
    ),
    Figure("alexnet", "receptive field", "195", "Araujo 2019"),
    Figure("alexnet_2012", "parameters", "60 M", "Krizhevsky 2012"),
    Figure("vgg11", "parameters", "133 M", "Simonyan 2014"),
    Figure("vgg13", "parameters", "133 M", "Simonyan 2014"),
    Figure("vgg16", "parameters", "138 M", "Simonyan 2014"),
    Figure("vgg16", "receptive field", "212", "Araujo 2019"),
    Figure("vgg19", "parameters", "144 M", "Simonyan 2014"),
    Figure("vgg19", "macs", "19.6 G", "He 2015"),
    Figure("allcnn_c", "parameters", "1.3 M", "Springenberg 2014"),
    Figure(
        "googlenet",
        "parameters",
        "5 M",
        "Szegedy 2014",
        "“12 times fewer” than AlexNet's 60 M, which course notes repeat as 5 M: the paper's own "
        "table 1 adds up to 6.8 M, and its network with filters of 5×5 and without batch "
        "normalisation has 6,998,552 parameters",
    ),
    Figure("googlenet", "macs", "1.5 G", "Szegedy 2014"),
    Figure(
        "inception_v3",
        "parameters",
        "< 25 M",
        "Szegedy 2015",
        "true without the auxiliary classifier, which is not used after training",
    ),
    Figure("inception_v3", "parameters", "27,161,264", "torchvision"),
    Figure("inception_v3", "macs", "5 G", "Szegedy 2015"),
    Figure(
        "inception_v3",
        "macs",
        "5.713 G",
        "torchvision",
        "torchvision does not count the auxiliary classifier, which it runs in training only",
    ),
    Figure("inception_v3", "receptive field", "1311", "Araujo 2019"),
    Figure("resnet18", "macs", "1.8 G", "He 2015"),
    Figure("resnet34", "macs", "3.6 G", "He 2015"),
    Figure(
        "resnet50",
        "macs",
        "3.8 G",
        "He 2015",
        "the paper has the stride in the first 1×1 of a block: `resnet50_a`",
    ),
    Figure("resnet50_a", "macs", "3.8 G", "He 2015"),
    Figure("resnet101_a", "macs", "7.6 G", "He 2015"),
    Figure("resnet152_a", "macs", "11.3 G", "He 2015"),
    *(
        Figure(name, "receptive field", said, "Araujo 2019", _STRIDES.format(name))
        for name, said in (("resnet50", "483"), ("resnet101", "1027"), ("resnet152", "1507"))
    ),
    *(
        Figure(f"{name}_a", "receptive field", said, "Araujo 2019")
        for name, said in (("resnet50", "483"), ("resnet101", "1027"), ("resnet152", "1507"))
    ),
    Figure("resnet50", "macs", "4.1 G", "He 2018"),
    Figure("resnet50_c", "macs", "4.3 G", "He 2018"),
    Figure("resnet50_d", "macs", "4.3 G", "He 2018"),
    Figure("resnet20", "parameters", "0.27 M", "He 2015"),
    Figure("resnet56", "parameters", "0.85 M", "He 2015"),
    Figure("resnet110", "parameters", "1.7 M", "He 2015"),
    Figure("mobilenet_v1", "parameters", "4.2 M", "Howard 2017"),
    Figure("mobilenet_v1", "macs", "569 M", "Howard 2017"),
    Figure("mobilenet_v1", "receptive field", "315", "Araujo 2019"),
    Figure("mobilenet_v1(alpha=0.75)", "parameters", "2.6 M", "Howard 2017"),
    Figure("mobilenet_v1(alpha=0.75)", "macs", "325 M", "Howard 2017"),
    Figure("mobilenet_v1(alpha=0.5)", "parameters", "1.3 M", "Howard 2017"),
    Figure("mobilenet_v1(alpha=0.5)", "macs", "149 M", "Howard 2017"),
    Figure("mobilenet_v1(alpha=0.25)", "parameters", "0.5 M", "Howard 2017"),
    Figure("mobilenet_v1(alpha=0.25)", "macs", "41 M", "Howard 2017"),
    Figure("mobilenet_v1(rho=6/7)", "macs", "418 M", "Howard 2017"),
    Figure("mobilenet_v1(rho=5/7)", "macs", "290 M", "Howard 2017"),
    Figure("mobilenet_v1(rho=4/7)", "macs", "186 M", "Howard 2017"),
    Figure(
        "mobilenet_v2",
        "parameters",
        "3.4 M",
        "Sandler 2018",
        _SLIM.format("3.47 M"),
    ),
    Figure("mobilenet_v2", "macs", "300 M", "Sandler 2018"),
    Figure(
        "mobilenet_v2(alpha=1.4)", "parameters", "6.9 M", "Sandler 2018", _SLIM.format("6.06 M")
    ),
    Figure(
        "mobilenet_v2(alpha=1.4)",
        "macs",
        "585 M",
        "Sandler 2018",
        "the authors' list of released models (TF-Slim) says 582 M, as counted here",
    ),
    Figure(
        "se_resnet50",
        "macs",
        "3.87 G",
        "Hu 2017",
        "the paper builds on ResNet-50 with the stride in the first 1×1 of a block, timm and this "
        "one on that with the stride in the 3×3",
    ),
    Figure("shufflenet", "macs", "137 M", "Zhang 2017"),
    Figure("fcn8s", "parameters", "134 M", "Long 2014"),
    Figure("fcn8s", "receptive field", "404", "Long 2014", layer="conv4"),
    *(
        figure
        for name, (parameters, macs) in _TORCHVISION.items()
        for figure in (
            Figure(name, "parameters", parameters, "torchvision"),
            Figure(name, "macs", macs, "torchvision"),
        )
    ),
)
"""All published figures."""

"""`striate size`: what it prints is what the public function gives."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import striate

TEXT = "input 1x28x28 -> conv3-8 -> relu -> pool2 -> fc-10"


def test_the_table(run) -> None:
    assert run("size", "vgg16") == (0, striate.size("vgg16").table().rstrip("\n") + "\n", "")


def test_a_text_and_a_file_give_the_same_numbers(run, tmp_path: Path) -> None:
    path = tmp_path / "mine.net"
    path.write_text(TEXT, encoding="utf-8")
    of_text, of_file = run("size", TEXT, "--json"), run("size", path, "--json")
    layers = [json.loads(outcome.out)["layers"] for outcome in (of_text, of_file)]
    assert layers[0] == layers[1]
    assert json.loads(of_file.out)["name"] == "mine"


def test_constants_are_set_at_use(run, tmp_path: Path) -> None:
    path = tmp_path / "mine.net"
    path.write_text("width = 8\ninput 1x28x28 -> conv3-width -> relu -> fc-10", encoding="utf-8")
    use = f"{path}(width=32)"
    assert json.loads(run("size", use, "--json").out)["layers"][0]["output"] == [32, 28, 28]
    assert "\nwidth = 32\n" in run("format", use).out
    assert "32×28×28" in run("draw", use).out
    assert run("draw", use, "-o", tmp_path / "mine.svg").status == 0


def test_json_with_another_batch_and_input(run) -> None:
    ledger = json.loads(run("size", "vgg16", "--json", "--batch", 4, "--input", "3x32x32").out)
    assert (ledger["batch"], ledger["input"]) == (4, [3, 32, 32])
    assert ledger["layers"][0]["output"] == [64, 32, 32]
    assert ledger["layers"][0]["output_bytes"] == 4 * 64 * 32 * 32 * 4


def test_csv_has_a_row_for_each_layer(run) -> None:
    rows = list(csv.DictReader(run("size", "lenet5", "--csv").out.splitlines()))
    assert sum(int(row["parameters"]) for row in rows) == striate.size("lenet5").totals.parameters


def test_warnings_go_to_stderr(run) -> None:
    status, out, err = run("size", "input 3x9x9 -> conv3-4 -> pool2 -> fc-10", "--json")
    assert status == 0
    assert json.loads(out)["name"]
    assert err.startswith("warning: <text>:1:")


def test_a_notation_error_is_shown_as_it_is(run) -> None:
    assert run("size", "input 3x32x32 -> conv3-64 -> rel") == (
        2,
        "",
        "<text>:1:30: unknown layer 'rel'. Did you mean 'relu'?\n"
        "  input 3x32x32 -> conv3-64 -> rel\n"
        "                               ^^^\n",
    )


def test_an_unknown_network(run) -> None:
    status, out, err = run("size", "vgg17")
    assert (status, out) == (2, "")
    assert err.startswith("striate: unknown network 'vgg17'. Did you mean ")


def test_an_empty_file(run, tmp_path: Path) -> None:
    path = tmp_path / "empty.net"
    path.touch()
    assert run("size", path) == (
        2,
        "",
        f"striate: {path} is empty. A network begins with a line such as input 3x224x224\n",
    )


def test_two_networks_are_compared(run) -> None:
    comparison = striate.compare(striate.size("vgg16"), striate.size("vgg19"))
    assert run("size", "vgg16", "vgg19") == (0, comparison.table(), "")
    assert run("size", "vgg16", "vgg19", "--json") == (0, comparison.to_json(), "")
    assert run("size", "vgg16", "vgg19", "--markdown") == (0, comparison.to_markdown(), "")


def test_a_budget_that_is_kept(run) -> None:
    status, out, err = run("size", "lenet5", "--budget", "params=100k", "--markdown")
    assert (status, out) == (0, striate.size("lenet5").to_markdown())
    assert err == "params: 61.71 k of 100.0 k, within the budget\n"


def test_a_budget_that_is_exceeded(run) -> None:
    status, out, err = run("size", "lenet5", "--budget", "params=60k")
    assert (status, out) == (3, striate.size("lenet5").table())
    assert err == (
        "striate: lenet5 is over its budget\n"
        "params: 61.71 k of 60.00 k, over by 1,706, 1.03 times the budget.\n"
        "  most: conv3 78% · fc1 16% · conv2 4%\n"
    )


def test_a_wrong_budget_is_told_before_anything_else(run) -> None:
    status, out, err = run("size", "lenet5", "--budget", "parms=60k")
    assert (status, out) == (2, "")
    assert err == "striate: a budget has no 'parms'. Did you mean 'params'?\n"


def test_forms_and_options_that_exclude_each_other(run) -> None:
    status, out, err = run("size", "lenet5", "--json", "--markdown")
    assert (status, out) == (2, "")
    assert "--json and --markdown are two forms of one output: give one of them." in err
    status, out, err = run("size", "lenet5", "vgg16", "--budget", "params=1M")
    assert (status, out) == (2, "")
    assert "--csv, --html and --badge are about one network: leave OTHER out." in err
    status, out, err = run("size", "lenet5", "vgg16", "--backward")
    assert (status, out) == (2, "")
    assert "striate: --budget, --convention, --backward, --csv, --html and --badge are" in err


def test_another_convention_has_a_column_and_notes(run) -> None:
    status, out, err = run("size", "autoencoder", "--convention", "Torchinfo")
    ledger = striate.size("autoencoder", convention="torchinfo")
    assert (status, out) == (0, ledger.table())
    assert "torchinfo 1.8.0: 1.014 M mult-adds; the tool itself prints 4.777 M" in out
    assert err.splitlines()[-1] == (
        "note: torchinfo 1.8.0 itself multiplies the weights of a transposed convolution with its "
        "output's positions: 3.763 M too many for decoder.tconv1, decoder.tconv2, decoder.tconv3"
    )
    status, out, err = run("size", "autoencoder", "--convention", "torchinf")
    assert (status, out) == (2, "")
    assert "'torchinf' is not one of 'torchinfo', 'fvcore', 'ptflops', 'thop', 'papers'." in err


def test_a_page_and_a_badge_are_written_as_well(run, tmp_path: Path) -> None:
    page, badge = tmp_path / "lenet5.html", tmp_path / "lenet5.svg"
    status, out, err = run("size", "lenet5", "--html", page, "--badge", badge)
    assert (status, out) == (0, striate.size("lenet5").table())
    assert err == f"{page} written\n{badge} written\n"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert badge.read_text(encoding="utf-8").startswith("<svg ")


def test_a_page_that_cannot_be_written(run, tmp_path: Path) -> None:
    path = tmp_path / "none" / "page.html"
    status, _, err = run("size", "lenet5", "--html", path)
    assert (status, err) == (
        2,
        f"striate: {path}: there is no such file or folder: make it first, or give another path\n",
    )


def test_sizes_as_formulas(run) -> None:
    sizes = striate.symbolic("unet")
    assert run("size", "unet", "--symbolic") == (0, sizes.table(), "")
    assert run("size", "unet", "--symbolic", "--json") == (0, sizes.to_json(), "")
    status, out, err = run("size", "unet", "--symbolic", "--csv")
    assert (status, out) == (2, "")
    assert "--symbolic goes with one network, --input and --json alone." in err


def test_formulas_of_a_torch_network(run) -> None:
    status, out, err = run("size", "torchvision:alexnet", "--symbolic")
    assert (status, err) == (0, "")
    assert "H and W must be at least 63" in out


def test_a_comparison_with_what_does_not_fit_together_says_so(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unfitting_nets.py").write_text(
        "from torch import nn\n"
        "def good(): return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))\n"
        "def bad(): return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(4, 8, 3))\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    good, bad = "unfitting_nets:good", "unfitting_nets:bad"
    assert run("size", good, good, "--input", "3x16x16").status == 0
    for pair in ((good, bad), (bad, good)):
        outcome = run("size", *pair, "--input", "3x16x16")
        assert outcome.status == 2
        assert outcome.err.startswith(
            "warning: unfitting_nets:bad is sized up to 1, where it stops: 1 (nn.Conv2d(4, 8, "
            "kernel_size=(3, 3), stride=(1, 1))) expects 4 channels and gets 8, in 8×14×14. "
        )


TWO = """
from torch import nn

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.linear = nn.Conv2d(3, 4, 3), nn.Linear(10, 4)

    def forward(self, image, vector):
        return self.convolution(image).mean((2, 3)) + self.linear(vector)
"""


def test_several_inputs_are_given_one_by_one(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not come of the image sees nothing of it."""
    (tmp_path / "two_inputs.py").write_text(TWO)
    monkeypatch.chdir(tmp_path)
    status, out, err = run("size", "two_inputs:Two", "--input", "3x8x8", "--input", "10", "--json")
    assert status == 0
    assert err == "note: two_inputs:Two takes 3×8×8 and 10; what is seen is told of the first\n"
    rows = {row["name"]: row for row in json.loads(out)["layers"]}
    assert rows["linear"]["parameters"] == 44
    assert not rows["linear"]["unknown_field"]
    assert rows["linear"]["receptive_field"] == [0, 0]
    assert rows["add"]["whole_input"]


def test_an_input_that_is_no_image_is_for_torch_networks(run) -> None:
    status, out, err = run("size", "lenet5", "--input", "3x8")
    assert (status, out) == (2, "")
    assert err == (
        "striate: Invalid value for '--input': expected channels, height and width, each 1 or "
        "more, as in 3x224x224, found '3×8'.\n"
    )
    status, out, err = run("size", "lenet5", "--input", "1x28x28", "--input", "10")
    assert (status, out) == (2, "")
    assert err.startswith(
        "striate: --input is given 2 times, but this is about a network of one image.\n"
    )
